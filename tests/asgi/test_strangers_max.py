"""Beyond the application's capacity known devices pass, and strangers wait or are told to come back."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.asgi import place_queue
from sekisho.passwords import PasswordsBusy
from sekisho.stepup.flow.fair_queue import FairQueue
from tests.asgi.driving import OPEN, Answer, Shop, address, guarded, known_device, log_in
from tests.stepup.flow.driving import Shop as OtherShop
from tests.stepup.flow.driving import Site, challenge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.wiring import LoginGuard

NEVER_S = 60.0
TWO: dict[str, Any] = {**OPEN, "strangers_max": 2}


class Crowd:
    """A shop that answers when the test says so, and strangers at its door, each in its own network."""

    def __init__(self, **settings: Any) -> None:
        self.gate = asyncio.Event()
        self.shop = Shop({"hana": "right"}, self.gate)
        self.app: LoginGuard = guarded(self.shop, **{**TWO, **settings})
        self.tasks: list[asyncio.Task[Answer]] = []

    async def come(self, number: int, **more: Any) -> list[asyncio.Task[Answer]]:
        """So many more strangers arrive; each has gone as far as it can."""
        first = len(self.tasks)
        for n in range(first, first + number):
            self.tasks.append(asyncio.create_task(log_in(self.app, f"n{n}", f"w{n}", client=address(n), **more)))
        await settle()
        return self.tasks[first:]

    async def answers(self) -> list[Answer]:
        self.gate.set()
        return await asyncio.gather(*self.tasks)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def nobody_is_tired(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no caller time out on a slow machine. Eight fill the waiting room."""
    monkeypatch.setattr(place_queue, "WAIT_S", NEVER_S)
    monkeypatch.setattr(place_queue, "ROOM_FIRST", 8)


@pytest.fixture
async def crowd() -> AsyncIterator[Crowd]:
    made = Crowd()
    yield made
    await made.answers()


async def test_no_more_strangers_are_in_the_application_than_may(crowd: Crowd) -> None:
    """No more strangers are in the application than allowed; the others enter as those are answered."""
    await crowd.come(5)
    assert len(crowd.shop.reached) == 2

    assert [answer.status for answer in await crowd.answers()] == [401] * 5


async def test_a_known_device_passes_whatever_strangers_do(crowd: Crowd) -> None:
    """A known device takes no stranger's place and waits for none."""
    crowd.gate.set()
    token = await known_device(crowd.app)
    crowd.gate.clear()
    await crowd.come(20)
    before = len(crowd.shop.reached)

    owners = [asyncio.create_task(log_in(crowd.app, token=token)) for _ in range(3)]
    await settle()

    assert crowd.shop.reached[before:] == [("hana", "right")] * 3
    await crowd.answers()
    assert {(await owner).status for owner in owners} == {303}


async def test_who_finds_no_room_to_wait_is_told_when_to_come_back(
    crowd: Crowd, caplog: pytest.LogCaptureFixture
) -> None:
    """With the waiting room full a stranger gets the usual answer at once, counted and logged as crowded."""
    late = (await crowd.come(11))[-1]
    assert late.done()

    assert (late.result().status, late.result().code) == (503, "unavailable")
    assert int(late.result().header(b"retry-after") or b"0") in range(1, 5)
    assert "POST /login answered unavailable (as many strangers' attempts" in caplog.text
    assert crowd.app.counts["POST /login", "unavailable", "crowded"] == 1


async def test_who_is_sent_away_has_tried_nothing() -> None:
    """A stranger sent away is refunded at the account, or a crowd would use up its attempts; the address pays."""
    crowd = Crowd(limit_account="5/hour", limit_ip="12/hour")
    await crowd.come(10)
    one = [await log_in(crowd.app, "hana", f"wrong {n}", client="198.51.100.9") for n in range(13)]
    await crowd.answers()

    assert [answer.status for answer in one] == [503] * 12 + [429]
    other = [await log_in(crowd.app, "hana", f"wrong {n}", client=address(900 + n)) for n in range(6)]
    assert [answer.status for answer in other] == [401] * 5 + [429]


async def test_watching_only_says_so() -> None:
    """In `monitor` no caller waits and none is refused."""
    crowd = Crowd(mode="monitor")
    await crowd.come(20)

    assert len(crowd.shop.reached) == 20
    assert {answer.status for answer in await crowd.answers()} == {401}


async def test_watching_calls_nobody_refused_who_would_only_wait(caplog: pytest.LogCaptureFixture) -> None:
    """In `monitor` the log tells of strangers beyond the waiting room: of two in the application and eight, none."""
    crowd = Crowd(mode="monitor")
    await crowd.come(10)
    assert "would have answered" not in caplog.text

    await crowd.come(1)

    assert caplog.text.count("POST /login would have answered unavailable (as many strangers' attempts") == 1
    await crowd.answers()


async def test_watching_a_crowd_ends_with_it(caplog: pytest.LogCaptureFixture) -> None:
    """Strangers who were let in beyond the places in `monitor` hold none when they are answered, or have hung up."""
    crowd = Crowd(mode="monitor")
    gone = await crowd.come(6)
    for each in gone:
        each.cancel()
    await settle()
    crowd.tasks.clear()
    await crowd.come(10)
    assert "would have answered" not in caplog.text
    await crowd.answers()
    crowd.gate.clear()

    await crowd.come(10)

    assert "would have answered" not in caplog.text
    await crowd.answers()


async def test_watching_on_a_late_loop_calls_nobody_refused(caplog: pytest.LogCaptureFixture) -> None:
    """In `monitor` the log does not tell of a caller who comes while the loop is late, and would have waited."""
    crowd = Crowd(mode="monitor")
    await crowd.come(1)
    time.sleep(0.01)  # noqa: ASYNC251 - a slow application; its answer begins the ticks
    await crowd.answers()
    await settle()
    time.sleep(1.0)  # noqa: ASYNC251 - a loaded machine: the loop is late, for a second from here
    await settle()

    await crowd.come(1)

    assert "would have answered" not in caplog.text
    assert len(crowd.shop.reached) == 2
    await crowd.answers()


async def test_watching_tells_of_an_answer_that_was_given(caplog: pytest.LogCaptureFixture) -> None:
    """In `monitor` too the pool of passwords refuses when it is full: the log does not say that it only would have."""

    async def busy(scope: Scope, receive: Receive, send: Send) -> None:
        raise PasswordsBusy(1)

    assert (await log_in(guarded(busy, mode="monitor"))).status == 503

    assert "POST /login answered unavailable (too many passwords are being checked)" in caplog.text


async def test_watching_says_who_would_have_been_asked_for_work(caplog: pytest.LogCaptureFixture) -> None:
    """In `monitor` the log tells who would have been asked for work, with half of the room full."""
    crowd = Crowd(mode="monitor", challenges="pow")
    await crowd.come(7)

    assert caplog.text.count("POST /login would have answered challenge_required (as many strangers' attempts") == 1
    assert "unavailable" not in caplog.text
    await crowd.answers()


async def test_who_could_work_is_asked_for_work_before_the_room_is_full(crowd: Crowd) -> None:
    """Half of the waiting room is for callers that solved work, so a flood without work cannot keep them out."""
    crowd = Crowd(challenges="pow")
    asked = (await crowd.come(7))[-1]
    assert asked.done()

    assert (asked.result().status, asked.result().code) == (401, "challenge_required")
    assert "work" in asked.result().body.decode()
    assert len(crowd.shop.reached) == 2
    await crowd.answers()


async def test_a_place_is_given_back_however_an_attempt_ends() -> None:
    """A place is returned when an attempt raises, is cancelled or is busy: after two of each a seventh enters."""
    ends: list[Exception] = [RuntimeError("a"), RuntimeError("b"), PasswordsBusy(1), PasswordsBusy(1)]

    class Ending(Shop):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await super().__call__(scope, receive, (lambda _: asyncio.sleep(0)) if ends else send)
            if ends:
                raise ends.pop(0)

    crowd = Crowd()
    crowd.gate.set()
    crowd.app = guarded(Ending({}, crowd.gate), **TWO)
    ended = await asyncio.gather(*(await crowd.come(4)), return_exceptions=True)
    crowd.gate.clear()
    gone = await crowd.come(2)
    for each in gone:
        each.cancel()
    await settle()
    crowd.gate.set()

    assert [type(each).__name__ for each in ended[:2]] == ["RuntimeError", "RuntimeError"]
    assert (await log_in(crowd.app)).status == 401
    crowd.tasks.clear()


async def test_the_adaptive_limit_is_the_default() -> None:
    """The default limit is adaptive: eight at first, then by the application's latency."""
    crowd = Crowd(strangers_max=None)
    await crowd.come(12)

    assert len(crowd.shop.reached) == 8
    await crowd.answers()


# A late event loop.


async def test_a_loop_that_stays_late_refuses_unread_who_could_not_even_wait(crowd: Crowd) -> None:
    """A late loop refuses strangers before body and store; a request with a device token is examined."""
    crowd.gate.set()
    token = await known_device(crowd.app)
    crowd.gate.clear()
    await crowd.come(10)
    assert crowd.app._loops is not None
    assert crowd.app._loops._latest is not None
    admission = crowd.app._loops._latest._admission
    admission.shed_share = 1.0
    judged = crowd.app.counts["POST /login", "allow", ""]

    refused = await log_in(crowd.app, "nobody", "x", client=address(500))
    forged = await log_in(crowd.app, "nobody", "x", client=address(501), token="A" * 80)
    owner = asyncio.create_task(log_in(crowd.app, token=token))
    await settle()

    assert [one.status for one in (refused, forged)] == [503, 503]
    assert crowd.app.counts["POST /login", "allow", ""] == judged + 1
    await crowd.answers()
    assert (await owner).status == 303


async def test_a_loop_that_comes_late_refuses_nobody_who_finds_room(crowd: Crowd) -> None:
    """A late loop refuses nobody who finds room: services that hash on their loop are late at every log-in."""
    await crowd.come(3)
    assert crowd.app._loops is not None
    assert crowd.app._loops._latest is not None
    crowd.app._loops._latest._admission.shed_share = 1.0

    (waits,) = await crowd.come(1)

    assert not waits.done()


@pytest.mark.parametrize(("challenges", "taken", "refused"), [("pow", 0.3, True), ("pow", 0.2, False),
                                                              ("none", 0.9, False), ("none", 1.0, True)])  # fmt: skip
async def test_a_late_loop_refuses_unread_whose_run_would_find_no_place(
    challenges: str, taken: float, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a step-up a late loop refuses strangers whose run would find no place."""
    site = Site(settings={"challenges": challenges})
    assert site.guard._loops is not None
    await site.client().log_in()
    assert site.guard._loops._latest is not None
    site.guard._loops._latest._admission.shed_share = 1.0
    monkeypatch.setattr(FairQueue, "occupancy", property(lambda _: taken))

    answered = await site.client(address(1)).log_in("nobody", "wrong")

    assert (answered.status == 503) is refused


# Behind a step-up.


class Held(OtherShop):
    """Answers nothing until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.inside += 1
        await self.gate.wait()
        self.inside -= 1
        await super().__call__(scope, receive, send)


async def test_runs_behind_a_step_up_and_direct_attempts_have_one_account() -> None:
    """Runs and direct attempts share the places: a sign-up, which needs no proof, waits while two runs have both."""
    shop = Held()
    site = Site(shop=shop, settings={**TWO, "signup": "POST /signup form:username,password"})
    for n in (1, 2, 3):
        assert (await site.client(address(n)).log_in("nobody", f"wrong {n}")).code == "step_up_required"
    await settle()
    admission = site.guard._loops._latest._admission  # type: ignore[union-attr] # it has started
    assert (len(admission.held), admission.waiting) == (2, 1)

    direct = asyncio.create_task(site.client(address(4)).send("/signup", b"username=new&password=never+seen+17"))
    await settle()
    assert (len(admission.held), admission.waiting, direct.done()) == (2, 2, False)

    shop.gate.set()
    assert (await direct).body == b"None"
    await settle()
    assert (len(admission.held), admission.waiting) == (0, 0)


async def test_the_run_of_a_device_that_was_seen_waits_for_no_stranger() -> None:
    """The run of a device that was only seen takes no stranger's place; it is asked for a proof."""
    shop = Held()
    shop.gate.set()
    site = Site(shop=shop, settings=TWO)
    await site.enrol()
    client = site.client()
    client.guard = guarded(shop, login="POST /login success=303")
    assert (await client.log_in()).status == 303
    client.guard = site.guard
    shop.gate.clear()
    for n in range(5):
        await site.client(address(n)).log_in("nobody", f"wrong {n}")
    await settle()
    assert shop.inside == 2

    await client.log_in()
    await settle()

    assert shop.inside == 3
    shop.gate.set()
    await settle()


@pytest.mark.parametrize("password", ["right", "wrong"])
async def test_a_busy_application_is_asked_again_and_counted_again(password: str) -> None:
    """Behind the seal a busy application's run is repeated without waiting, and takes a place again for any secret."""
    held: list[int] = []

    class Busy(OtherShop):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == "/login":
                held.append(len(site.guard._loops._latest._admission.held))  # type: ignore[union-attr]
                if len(held) == 1:
                    raise PasswordsBusy(1)
            await super().__call__(scope, receive, send)

    site = Site(shop=Busy(), settings=TWO)
    await site.enrol()
    client = site.client()
    ticket = challenge(await client.log_in(password=password))
    await client.show(ticket, site.code())

    assert held == [1, 1]
