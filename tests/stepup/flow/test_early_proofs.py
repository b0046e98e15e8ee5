"""Proofs shown while the application still checks the secret are answered before its result is known."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from sekisho.stepup.flow.fair_queue import FairQueue
from sekisho.stepup.flow.waiting_proofs import WaitingProofs
from tests.stepup.flow.driving import STEP, Client, Shop, Site, challenge
from tests.stepup.flow.test_escrow import same

if TYPE_CHECKING:
    from sekisho.asgi.types import Message, Receive, Scope, Send
    from tests.stepup.flow.conftest import Later

WEBHOOK_KEY = "1Vn6cNRr3XzgY0kTq8mPjw5LsEhDbU2A"
PASSWORDS = [("hana", "right"), ("hana", "wrong"), ("alice", "hatter"), ("nobody", "wrong")]


class Slow(Shop):
    """A shop whose secret check lasts as long as the test says. A password hash that is renewed takes twice the
    time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.done = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/login":
            await self.gate.wait()
        await super().__call__(scope, receive, send)
        self.done += 1


@pytest.fixture
async def shop() -> Slow:
    return Slow()


@pytest.fixture
async def site(shop: Slow) -> Site:
    made = Site(shop=shop)
    await made.enrol()
    return made


async def begun(site: Site, account: str = "hana", password: str = "right", n: int = 0) -> tuple[Client, str]:
    """A browser with a ticket, while the application still checks the secret."""
    client = site.client(f"198.51.{n}.7")
    return client, challenge(await client.log_in(account, password))


async def ended(site: Site, runs: int) -> None:
    """Wait until the application has checked all secrets and the consequences are done."""
    assert isinstance(site.shop, Slow)
    site.shop.gate.set()
    while site.shop.done < runs:  # noqa: ASYNC110 - turns of the loop are what the rest of it takes
        await asyncio.sleep(0)
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_wrong_proof_does_not_wait_for_the_application(site: Site) -> None:
    """A wrong proof is answered without waiting: renewing a hash takes longer behind a right password and would reveal
    it.
    """
    seen = set()
    for n, (account, password) in enumerate(PASSWORDS):
        client, ticket = await begun(site, account, password, n)
        seen.add(same(await asyncio.wait_for(client.show(ticket, "000000"), 30)))
    [(status, _, _)] = seen
    assert status == 401


async def test_a_right_proof_waits_for_the_application(site: Site) -> None:
    """A right proof waits for the run and gets its result, even if its code has expired meanwhile."""
    client, ticket = await begun(site)
    waiting = asyncio.ensure_future(client.show(ticket, site.code()))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await ended(site, 1)
    assert (await waiting).status == 303


class Late(Slow):
    """Checks the secret at once, and answers late."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def late(message: Message) -> None:
            await self.gate.wait()
            await send(message)

        await Shop.__call__(self, scope, receive, late if scope["path"] == "/login" else send)
        self.done += 1


async def test_a_change_of_the_password_ends_a_proof_that_waits() -> None:
    """R32: a thief's proof, with a relayed code, waits for the application, which has found the old password right.
    Meanwhile the owner changes it: the answer, a known device and a proof younger than the change would be the thief's.
    """
    shop = Late()
    site = Site(shop=shop)
    await site.enrol()
    shop.gate.set()
    owner = await site.logged_in()
    shop.gate.clear()
    thief, ticket = await begun(site, n=1)
    waiting = asyncio.ensure_future(thief.show(ticket, site.code()))
    for _ in range(200):
        await asyncio.sleep(0)
    fields = {"username": "hana", "old_password": "right", "new_password": "never+seen+in+a+leak+17"}
    assert (await owner.send("/password", urlencode(fields).encode())).status == 303
    await ended(site, 3)
    shown = await waiting
    assert shown.status == 410
    assert not shown.device


async def test_a_code_is_as_old_as_when_it_was_shown(site: Site, later: Later) -> None:
    """A code is judged at the time it was shown: a run may last longer than a code is valid."""
    client, ticket = await begun(site)
    waiting = asyncio.ensure_future(client.show(ticket, site.code()))
    for _ in range(200):  # turns of the loop, all in memory: by then the code was looked at, on a busy machine too
        await asyncio.sleep(0)
    later.seconds += 95
    await ended(site, 1)
    assert (await waiting).status == 303


async def test_a_right_proof_behind_a_wrong_secret_proves_nothing_and_is_not_spent(site: Site) -> None:
    """A right proof behind a wrong secret waits too, proves nothing and is not spent."""
    thief, his = await begun(site, password="wrong", n=1)
    waiting = asyncio.ensure_future(thief.show(his, site.code()))
    await asyncio.sleep(0.01)
    owner, ticket = await begun(site, n=2)
    await ended(site, 2)
    assert (await waiting).code == "proof_failed"
    assert (await owner.show(ticket, site.code())).status == 303


async def test_five_tries_are_all_that_a_challenge_has_while_the_application_is_at_it(site: Site) -> None:
    """Five tries per challenge hold while the run is under way; parallel guesses would otherwise be unlimited."""
    client, ticket = await begun(site)
    codes = ["000000", "000001", "000002", "000003", "000004"]
    await asyncio.gather(*(client.show(ticket, code) for code in codes))
    assert (await asyncio.wait_for(client.show(ticket, site.code()), 30)).code == "proof_failed"
    await ended(site, 1)
    assert (await client.show(ticket, site.code())).code == "proof_failed"


@pytest.mark.parametrize(("password", "right"), [("right", 10), ("wrong", 0)])
async def test_early_tries_are_the_owners_behind_a_right_secret_alone(site: Site, password: str, right: int) -> None:
    """Early tries are charged to the account when the run has ended, once each, and only behind a right secret (R7)."""
    for n in range(2):
        client, ticket = await begun(site, password=password, n=n)
        await asyncio.gather(*(client.show(ticket, f"00000{code}") for code in range(5)))
    await ended(site, 2)
    owner, ticket = await begun(site, n=9)
    await ended(site, 3)
    # An account has ten tries an hour.
    assert (await owner.show(ticket, site.code())).status == (401 if right == 10 else 303)


async def test_the_tries_before_it_are_counted_before_a_right_proof(site: Site) -> None:
    """Parallel guesses in many challenges are counted before a right proof, so late ones do not see places that are
    taken.
    """
    clients = [await begun(site, n=n) for n in range(3)]
    for client, ticket in clients[:2]:
        await asyncio.gather(*(client.show(ticket, f"00000{code}") for code in range(5)))
    client, ticket = clients[2]
    waiting = asyncio.ensure_future(client.show(ticket, site.code()))
    await asyncio.sleep(0.01)
    await ended(site, 3)
    assert (await waiting).code == "proof_failed"


async def test_a_few_codes_of_an_app_a_day_are_looked_at_early(site: Site) -> None:
    """Only a few app codes a day are checked early: a right one waits, so free guesses behind a wrong password would
    find it.
    """
    for n in range(2):
        thief, his = await begun(site, password="wrong", n=n)
        for code in range(5):
            await thief.show(his, f"00000{code}")
    thief, his = await begun(site, password="wrong", n=3)
    assert (await asyncio.wait_for(thief.show(his, site.code()), 30)).code == "proof_failed"
    # The owner types the code again when the run has ended.
    owner, ticket = await begun(site, n=4)
    assert (await asyncio.wait_for(owner.show(ticket, site.code()), 30)).code == "proof_failed"
    await ended(site, 4)
    assert (await owner.show(ticket, site.code())).status == 303


async def test_waiting_proofs_hold_no_place_of_a_run(shop: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """A waiting proof holds no place for runs: with one place, other callers' secrets are still checked."""
    monkeypatch.setattr("sekisho.wiring.proofs.FairQueue", partial(FairQueue, running_max=1, waiting_max=1))
    site = Site(shop=shop)
    await site.enrol()
    client, ticket = await begun(site)
    waiting = [asyncio.ensure_future(client.show(ticket, site.code())) for _ in range(3)]
    await asyncio.sleep(0.01)
    _, other = await begun(site, "Alice", "wonder", 1)
    assert other
    await ended(site, 2)
    assert {found.status for found in await asyncio.gather(*waiting)} == {303}


async def test_waiting_proofs_are_bounded_for_each_network(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting proofs are limited per network: a caller over the limit is told to come back, others are not affected."""
    monkeypatch.setattr("sekisho.stepup.flow.proof_routes.WaitingProofs", partial(WaitingProofs, per_network_max=2))
    site.guard = site.guarded()
    near = [await begun(site) for _ in range(3)]
    waiting = [asyncio.ensure_future(client.show(ticket, site.code())) for client, ticket in near[:2]]
    await asyncio.sleep(0.01)
    client, ticket = near[2]
    refused = await client.show(ticket, site.code())
    assert (refused.status, refused.code) == (503, "unavailable")
    far, another = await begun(site, n=77)
    assert (await far.show(another, "000000")).code == "proof_failed"
    await ended(site, 4)
    assert sorted(found.status for found in await asyncio.gather(*waiting)) == [303, 401]


async def test_asking_for_a_code_many_times_waits_once(shop: Slow) -> None:
    """Asking for a code many times waits once; otherwise each of a ticket's forty calls would poll the run."""
    site = Site(
        shop=shop, settings={"factors": "webhook", "code_webhook": "https://x.test/", "code_webhook_key": WEBHOOK_KEY}
    )
    client, ticket = await begun(site)
    before = len(asyncio.all_tasks())
    for _ in range(20):
        sent = await client.send(f"{STEP}/send", urlencode({"challenge": ticket, "factor": "webhook"}).encode())
        assert sent.status == 202
    assert len(asyncio.all_tasks()) == before + 1
    await ended(site, 1)
