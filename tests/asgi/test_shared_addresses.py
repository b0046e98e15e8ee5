"""At an address that many owners share, a bot is refused, owners are not, and nothing tells whose account is known."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.wiring.event_loop import LoopWing
from tests.asgi.driving import HERE, SESSION, Answer, Clock, Shop, answer, guarded, log_in, read

if TYPE_CHECKING:
    from sekisho.asgi.shared_addresses import SharedAddresses
    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.wiring import LoginGuard

OWNERS = {f"owner {n}": f"right {n}" for n in range(20)}
LIMITS: dict[str, Any] = {"limit_ip": "6/10minute", "limit_network": "999/minute", "limit_device": "999/minute"}
DAY_S = 86_400


@pytest.fixture
def naps(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that refusals waited, which they do not here. Waits are the same for all."""
    found: list[float] = []

    async def sleep(seconds: float) -> None:
        found.append(seconds)
        await asyncio.tasks.sleep(0)

    monkeypatch.setattr("sekisho.wiring.event_loop.asyncio.sleep", sleep)
    times = clock.clocks()._replace(monotonic_s=lambda: clock() / 1e6)
    monkeypatch.setattr("sekisho.wiring.LoginGuard._clocks", times)
    monkeypatch.setattr("sekisho.wiring.event_loop.random.random", lambda: 0.5)
    return found


async def shared(clock: Clock, app: Any = None, **settings: Any) -> LoginGuard:
    """A guard that has seen the owners at this address for three days. A bot has used up its limits and its credit."""
    guard = guarded(app or Shop(OWNERS), **{**LIMITS, **settings})
    for _ in range(3):
        for account, password in OWNERS.items():
            clock.advance(300)
            assert (await log_in(guard, account, password)).status == 303
        clock.advance(DAY_S - 300 * len(OWNERS))
    await flood(guard)
    return guard


async def flood(app: LoginGuard, client: str = HERE) -> list[int]:
    return [(await log_in(app, f"nobody {n}", "guess", client=client)).status for n in range(30)]


async def test_an_owner_gets_in_behind_a_bot(clock: Clock, naps: list[float]) -> None:
    """From this address, on a new device, without a token; others who never succeeded here are refused."""
    app = await shared(clock)

    own = await log_in(app, "owner 3", "right 3")
    assert (own.status, own.header(b"location")) == (303, b"/home")
    assert own.device
    assert (await log_in(app, "nobody 7", "guess")).status == 429


async def test_without_a_history_the_owner_is_refused(clock: Clock) -> None:
    """`HISTORY=off` remembers nothing: the address's limit binds all."""
    app = await shared(clock, history="off")

    assert (await log_in(app, "owner 3", "right 3")).status == 429


async def test_a_wrong_secret_tells_nothing(clock: Clock, naps: list[float]) -> None:
    """Known, unknown and invented accounts get one status, one header, one body, as late as each other."""
    shop = Shop({**OWNERS, "stranger": "right"})
    app = await shared(clock, shop)
    reached = len(shop.reached)

    answers = [await log_in(app, account, "wrong") for account in ("owner 3", "stranger", "invented")]

    assert [found.status for found in answers] == [429] * 3
    assert {found.code for found in answers} == {"too_many_attempts"}
    assert len({bytes(found.body) for found in answers}) == 1
    assert [sorted(name for name, _ in found.headers) for found in answers].count(
        sorted(name for name, _ in answers[0].headers)
    ) == 3
    # Half a minute and some jitter: an owner who mistyped is let in then, and must not be sent away for long.
    assert {found.header(b"retry-after") for found in answers} == {b"33"}
    assert shop.reached[reached:] == [("owner 3", "wrong")]
    assert len(naps) >= 2  # the other two waited


async def test_refusals_wait_as_long_as_the_application_takes(clock: Clock, naps: list[float]) -> None:
    class Slow(Shop):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await super().__call__(scope, receive, send)
            clock.advance(1.5)

    app = await shared(clock, Slow(OWNERS))
    naps.clear()
    for _ in range(20):
        await log_in(app, "invented", "wrong")

    assert set(naps) == {1.5}


async def test_an_application_that_fails_tells_nothing(clock: Clock, naps: list[float]) -> None:
    """An exception is raised as before, but its client was refused already."""
    fails = False

    async def shop(scope: Scope, receive: Receive, send: Send) -> None:
        if fails:
            raise ZeroDivisionError
        await Shop(OWNERS)(scope, receive, send)

    app = await shared(clock, shop)
    fails = True

    with pytest.raises(ZeroDivisionError):
        await log_in(app, "owner 3", "right 3")


async def test_a_success_that_the_body_shows_is_let_through(clock: Clock, naps: list[float]) -> None:
    """Held by the guard until it is judged, as everywhere; a failure of the same status is not let through."""

    async def shop(scope: Scope, receive: Receive, send: Send) -> None:
        body = (await read(receive)).decode()
        right = any(body == f"username={a}&password={p}".replace(" ", "+") for a, p in OWNERS.items())
        text = b'{"token": "t"}' if right else b'{"error": "wrong"}'
        await answer(send, 200, [(b"content-type", b"application/json"), SESSION], text)

    app = guarded(shop, **LIMITS, login="POST /login success=json:token")
    for _ in range(3):
        for account, password in OWNERS.items():
            clock.advance(300)
            await log_in(app, account, password)
        clock.advance(DAY_S)
    await flood(app)

    wrong, right = await log_in(app, "owner 4", "wrong"), await log_in(app, "owner 3", "right 3")
    assert wrong.status == 429
    assert (right.status, right.body) == (200, b'{"token": "t"}')


async def test_guesses_at_a_known_account_stay_within_its_limit(clock: Clock, naps: list[float]) -> None:
    """A bot behind the address gets no more guesses at it than anybody anywhere."""
    shop = Shop(OWNERS)
    app = await shared(clock, shop, limit_account="5/5minute")
    reached = len(shop.reached)

    for n in range(40):
        assert (await log_in(app, "owner 3", f"guess {n}")).status == 429
        clock.advance(3)
    assert len(shop.reached) - reached == 5 + 1  # a minute gives one more


async def test_a_crowded_worker_spares_nobody(clock: Clock, naps: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """As many refusals as may wait are waiting: then known and unknown accounts are refused alike, at once."""
    made: list[SharedAddresses] = []
    build = LoopWing._shared_addresses

    def built(wing: LoopWing) -> SharedAddresses | None:
        if (found := build(wing)) is not None:
            made.append(found)
        return found

    monkeypatch.setattr(LoopWing, "_shared_addresses", built)
    shop = Shop(OWNERS)
    app = await shared(clock, shop)
    waiting = sum(places.enter() for places in made for _ in range(300))
    assert waiting == 256
    reached, naps[:] = len(shop.reached), []

    answers: list[Answer] = [await log_in(app, account, "right 3") for account in ("owner 3", "invented")]
    assert [found.status for found in answers] == [429, 429]
    assert (len(shop.reached) - reached, naps) == (0, [])


async def test_a_neighbour_does_not_shed_a_shared_address(clock: Clock, naps: list[float]) -> None:
    """A flood that used up the network is refused unread; the shared address beside it is still looked at."""
    app = await shared(clock, limit_network="60/10minute")
    await flood(app, client="203.0.113.77")
    await flood(app, client="203.0.113.78")

    assert (await log_in(app, "owner 3", "right 3")).status == 303
