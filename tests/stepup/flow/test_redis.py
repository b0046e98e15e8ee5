"""Two workers on one Redis continue each other's step-ups, and no stranger gets in when the store or a worker dies."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock

import pytest

from tests.asgi.driving import answer
from tests.stepup.flow.driving import STRANGE, Client, Shop, Site, challenge, stop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.wiring import LoginGuard
    from tests.servers import RedisServer
    from tests.stepup.flow.conftest import Later

PATIENT = {"store_deadline_ms": "2000"}  # except for tests of deadlines


@asynccontextmanager
async def workers(url: str, shop: Shop | None = None, **settings: Any) -> AsyncIterator[tuple[Site, LoginGuard]]:
    """A site, and a second worker of it."""
    site = Site(shop=shop or Shop(), settings={"store": url, **PATIENT, **settings})
    await site.enrol("1")
    await site.enrol("2")
    second = site.guarded()
    try:
        yield site, second
    finally:
        await stop(site.guard)
        await stop(second)


def at(guard: LoginGuard, client: Client) -> Client:
    """The same browser, whose next request goes to another worker."""
    client.guard = guard
    return client


async def test_what_one_worker_began_another_ends(redis_url: str) -> None:
    """Ticket, answer and proof are valid at all workers, as a client cannot choose its worker."""
    async with workers(redis_url) as (site, second):
        client = site.client()
        ticket = challenge(await client.log_in())
        assert (await at(second, client).show(ticket, "000000")).code == "proof_failed"
        assert (await client.show(ticket, site.code())).status == 303
        assert await client.who() == "hana"
        assert (await at(site.guard, client).log_in()).status == 303


async def test_of_redemptions_at_two_workers_at_once_one_is_granted(redis_url: str) -> None:
    """Of parallel redemptions at two workers, with two right codes, one is granted."""
    async with workers(redis_url) as (site, second):
        one = site.client()
        ticket = challenge(await one.log_in())
        both = [Client(guard, STRANGE, [], dict(one.jar)) for guard in (site.guard, second) * 8]
        codes = [site.code(), site.code(1)] * 8
        found = await asyncio.gather(*(client.show(ticket, code) for client, code in zip(both, codes, strict=True)))
        # One session and one device: the same code shown again gets the same answer.
        assert len({(tuple(shown.headers), shown.body) for shown in found if shown.status == 303}) == 1
        assert site.shop.reached == [("hana", "right")]
        assert len({client.jar["session"] for client in both if "session" in client.jar}) == 1


async def test_a_code_is_good_at_one_worker_only(redis_url: str) -> None:
    """Row 79: a code works once over all workers."""
    async with workers(redis_url) as (site, second):
        one, other = site.client(), site.client(guard=second)
        tickets = challenge(await one.log_in()), challenge(await other.log_in())
        code = site.code()
        assert (await one.show(tickets[0], code)).status == 303
        assert (await other.show(tickets[1], code)).code == "proof_failed"


async def test_tries_are_counted_over_all_workers(redis_url: str) -> None:
    """The five tries of a challenge are counted over all workers."""
    async with workers(redis_url) as (site, second):
        client = site.client()
        ticket = challenge(await client.log_in())
        for n in range(5):
            await at((site.guard, second)[n % 2], client).show(ticket, "000000")
        assert (await client.show(ticket, site.code())).code == "proof_failed"


async def test_a_change_of_password_at_one_worker_ends_what_the_other_began(redis_url: str) -> None:
    """Row 83: a password change at one worker ends challenges of the other."""
    async with workers(redis_url) as (site, second):
        thief = site.client()
        ticket = challenge(await thief.log_in())
        owner = site.client(guard=second)
        assert (await owner.show(challenge(await owner.log_in()), site.code())).status == 303
        assert (await owner.send("/password", b"username=hana&old_password=right&new_password=better 17")).status == 303
        await asyncio.sleep(0.1)
        assert (await thief.show(ticket, site.code(1))).code == "start_again"


async def test_scripts_that_are_forgotten_come_back(redis_url: str, redis_server: RedisServer) -> None:
    """Scripts are loaded again after `SCRIPT FLUSH` or a failover, and no proof is lost."""
    async with workers(redis_url) as (site, _):
        client = site.client()
        ticket = challenge(await client.log_in())
        redis_server.cli("SCRIPT", "FLUSH")
        assert (await client.show(ticket, site.code())).status == 303


class Hanging(Shop):
    """Never answers a log-in, like a worker that died."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/login":
            await asyncio.Event().wait()
        await answer(send, 200)


@pytest.mark.parametrize(("has_begun", "seconds"), [(True, 35), (False, 120)])
async def test_a_run_whose_worker_died_is_given_up(
    redis_url: str, later: Later, monkeypatch: pytest.MonkeyPatch, has_begun: bool, seconds: float
) -> None:
    """While a dead worker's run may still finish, the client is told to retry; later, to start again. It never gets an
    answer.

    A run lasts half a minute; one that waited for its turn may finish later.
    """
    if not has_begun:
        monkeypatch.setattr("sekisho.stepup.escrow.Escrow.begin", AsyncMock())
    monkeypatch.setattr("sekisho.stepup.flow.proof_routes.POLL_S", (0.01, 0.01))
    async with workers(redis_url, Hanging()) as (site, second):
        client = site.client()
        ticket = challenge(await client.log_in())
        shown = await at(second, client).show(ticket, site.code())
        assert (shown.status, shown.code) == (503, "unavailable")
        assert shown.header(b"retry-after")
        later.seconds = seconds - 2
        assert (await client.show(ticket, site.code())).status == 503
        later.seconds = seconds + 2
        shown = await client.show(ticket, site.code())
        assert (shown.status, shown.code) == (410, "start_again")


async def test_without_the_store_no_stranger_is_let_in_and_owners_are_not_kept_out(
    own_redis_server: RedisServer,
) -> None:
    """Without the store strangers are told to retry, proved devices log in, and service resumes by itself."""
    async with workers(own_redis_server.url, store_deadline_ms="200") as (site, second):
        owner, waiting = site.client(), site.client()
        assert (await owner.show(challenge(await owner.log_in()), site.code(-1))).status == 303
        ticket = challenge(await waiting.log_in())
        own_redis_server.kill()

        for password in ("right", "wrong"):
            stranger = await site.client("198.51.100.9").log_in("hana", password)
            assert (stranger.status, stranger.code) == (503, "unavailable")
        assert (await owner.log_in()).status == 303
        assert (await at(second, owner).log_in()).status == 303
        shown = await waiting.show(ticket, site.code())
        assert (shown.status, shown.code) == (503, "unavailable")
        assert "session" not in waiting.jar

        own_redis_server.start()
        assert await mended(site)
        # The escrowed run is lost with the store: its ticket opens nothing, a new one does.
        client = site.client("198.51.100.33")
        assert (await client.show(challenge(await client.log_in()), site.code(1))).status == 303


async def mended(site: Site) -> bool:
    """Whether strangers are asked for proofs again, within a few seconds."""
    for n in range(100):
        if (await site.client(f"198.51.100.{n}").log_in("nobody", "x")).status == 401:
            return True
        await asyncio.sleep(0.1)
    return False


async def test_while_the_store_stands_still_nothing_is_redeemed(own_redis_server: RedisServer) -> None:
    """A store that hangs means 503 within the deadline, and an owner can still prove with this code or the next."""
    async with workers(own_redis_server.url, store_deadline_ms="200") as (site, _):
        client = site.client()
        ticket = challenge(await client.log_in())
        await asyncio.sleep(0.2)
        own_redis_server.pause()
        try:
            shown = await asyncio.wait_for(client.show(ticket, site.code()), 5)
        finally:
            own_redis_server.resume()
        assert (shown.status, shown.code) == (503, "unavailable")
        assert await mended(site)
        assert (await client.show(ticket, site.code(1))).status in {303, 401}


async def test_failures_are_forgotten_with_a_proof_and_not_with_a_password(redis_url: str) -> None:
    """Row 76: failures since the last proof are counted over all workers. A guard without factors tells them by
    asking.
    """
    async with workers(redis_url, account_failures_max="3", limit_account="9999/minute") as (site, second):
        plain = site.guarded(factors="none", protect=None, challenges="pow", no_factor="challenge")

        async def suspects() -> bool:
            found = await site.client("192.0.2.8", guard=plain).log_in()
            return found.status == 401 and found.code == "challenge_required"

        assert not await suspects()
        for n in range(4):
            await site.client(guard=(site.guard, second)[n % 2]).log_in("hana", "wrong")
        assert await suspects()
        owner = site.client()
        ticket = challenge(await owner.log_in())
        assert (await owner.show(ticket, "000000")).code == "proof_failed"
        assert await suspects()
        assert (await at(second, owner).show(ticket, site.code())).status == 303
        await asyncio.sleep(0.1)
        assert not await suspects()
        await stop(plain)
