"""A bot has spent the credit of a shared address: all there are asked alike, and nobody is let in without a proof.

In a flood only accounts that are known there are tried.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.challenge.work import difficulty
from sekisho.model import Posture
from sekisho.owners import Contact, MemoryOwners
from sekisho.simulate.solve import solved
from sekisho.simulate.virtual_loop import VirtualLoop
from sekisho.wiring import MACHINE
from tests.asgi.driving import FORM, Clock
from tests.stepup.flow.driving import Shop, Site, challenge, runs_ended, seen

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sekisho.asgi.types import Receive, Scope, Send
    from tests.asgi.driving import Answer

NAT = "198.51.100.77"
LOGIN = "POST /login form:username,password success=cookie:session"
LIMITS = {"limit_ip": "6/10minute", "limit_network": "999/minute", "limit_device": "999/minute"}
CHECK_S = 0.3
MEMBERS = [f"member {n}" for n in range(20)]
DAY_S = 86_400


class SlowShop(Shop):
    async def _log_in(self, scope: Scope, receive: Receive, send: Send, jar: dict[str, str]) -> None:
        await asyncio.sleep(CHECK_S)
        await super()._log_in(scope, receive, send, jar)


class Neighbours(Site):
    """Twenty members behind one address. `hana` never logged in there."""

    def __init__(self, clock: Clock, **settings: str) -> None:
        self.clock = clock
        super().__init__(SlowShop(), settings={"login": LOGIN, "step_up": "attack", **LIMITS, **settings})
        for number, account in enumerate(MEMBERS):
            self.shop.owners[account] = "right"
            self.contacts[account] = Contact(str(100 + number), None, "en")
        self.people = MemoryOwners(self.contacts)
        self.guard = self.guarded()

    async def crowded(self, posture: Posture = Posture.CALM, *, enrols: bool = True) -> Neighbours:
        """The members log in for three days, without a proof; then a bot uses up the limits and the credit.

        `enrols`: the members have an app then, as `hana` has.
        """
        for _ in range(3):
            for account in MEMBERS:
                self.clock.advance(900)
                assert (await self.client(NAT).log_in(account)).status == 303
            self.clock.advance(DAY_S - 900 * len(MEMBERS))
        for each in ("1", *(str(100 + number) for number in range(enrols * len(MEMBERS)))):
            await self.enrol(each)
        self.watch.force(posture)
        for number in range(60):
            await self.seen(f"nobody {number}", "guess")
        await self.ended()
        return self

    async def flooded(self) -> Neighbours:
        """The bot goes on until the process tries no more accounts that are not known there."""
        for number in range(60):
            await self.seen(f"nobody else {number}", "guess")
        await self.ended()
        return self

    async def ended(self) -> None:
        await runs_ended()
        self.shop.reached.clear()

    async def seen(self, account: str, password: str) -> tuple[Answer, float]:
        """The answer to a new browser, once it has done the work that it may be asked for, and the seconds it took."""
        began_s = asyncio.get_running_loop().time()
        client = self.client(NAT)
        found = await client.log_in(account, password)
        if b"challenge_required" in found.body:
            work = (b"sekisho-work", solved(json.loads(found.body)["work"]).encode())
            found = await client.log_in(account, password, headers=(FORM, work))
        return found, round(asyncio.get_running_loop().time() - began_s, 6)

    async def proved(self, account: str, password: str) -> Answer:
        """The answer to the right code of the account's app, shown once the run is over."""
        client = self.client(NAT)
        ticket = challenge(await client.log_in(account, password))
        await runs_ended()
        return await client.show(ticket, self.code())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of counters. Waits are on the loop's virtual time, codes on the machine's."""
    found = Clock()
    loop_s: Callable[[], float] = lambda: asyncio.get_running_loop().time()  # noqa: E731
    times = MACHINE._replace(wall_us=found, monotonic_us=found, monotonic_s=loop_s)
    monkeypatch.setattr("sekisho.wiring.LoginGuard._clocks", times)
    monkeypatch.setattr("sekisho.wiring.step_up.difficulty", lambda *_: 256)
    return found


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story())


TRIES = [
    ("member 3", "guess"),
    ("member 3", "right"),
    ("hana", "guess"),
    ("hana", "right"),
    ("alice", "hatter"),
    ("nobody", "guess"),
]


@pytest.mark.parametrize(
    ("posture", "work", "floods"),
    [
        (Posture.CALM, "none", False),
        (Posture.ATTACK, "pow", False),
        (Posture.CALM, "pow", True),
        (Posture.ATTACK, "none", True),
    ],
)
def test_everybody_there_is_asked_alike(clock: Clock, posture: Posture, work: str, *, floods: bool) -> None:
    """Known, unknown or invented, right or wrong: one status, one body, one time. In a flood known ones are tried."""

    async def story() -> None:
        town = await Neighbours(clock, challenges=work).crowded(posture)
        if floods:
            await town.flooded()
        found = [await town.seen(*each) for each in TRIES]
        await runs_ended()

        assert {answer.status for answer, _ in found} == {401}
        assert {answer.code for answer, _ in found} == {"step_up_required"}
        assert len({repr(seen(answer)) for answer, _ in found}) == 1
        assert {took_s for _, took_s in found} == {0.0}
        assert sorted(town.shop.reached) == sorted(TRIES[:2] if floods else TRIES)

    run(story)


def test_an_owner_gets_in_by_a_proof_also_for_the_first_time(clock: Clock) -> None:
    """Neither does a wrong secret with it, nor a right one without. After that she is known there."""

    async def story() -> None:
        town = await Neighbours(clock).crowded()
        refused = [await town.proved("member 4", "guess"), await town.proved("hana", "guess")]
        assert [found.code for found in refused] == ["proof_failed"] * 2
        assert seen(refused[0]) == seen(refused[1])
        assert (await town.proved("member 3", "right")).status == 303
        assert (await town.proved("hana", "right")).status == 303
        await (await town.flooded()).seen("hana", "right")
        await runs_ended()
        assert town.shop.reached == [("hana", "right")]

    run(story)


def test_in_a_flood_a_stranger_there_is_answered_like_a_guesser(clock: Clock) -> None:
    """Even if all is right."""

    async def story() -> None:
        town = await (await Neighbours(clock).crowded()).flooded()
        assert (await town.proved("member 3", "right")).status == 303

        refused = [await town.proved("member 4", "guess"), await town.proved("hana", "right")]
        assert [found.code for found in refused] == ["proof_failed"] * 2
        assert seen(refused[0]) == seen(refused[1])
        assert ("hana", "right") not in town.shop.reached

    run(story)


def test_a_place_is_free_as_late_for_an_unknown_account(clock: Clock) -> None:
    """Eight questions of one address at once: the ninth waits as long, tried or not."""

    async def story() -> None:
        town = await (await Neighbours(clock, limit_account="99/minute").crowded()).flooded()

        async def ninth(account: str) -> float:
            took = await asyncio.gather(*[town.seen(account, f"guess {n}") for n in range(9)])
            await runs_ended()
            return max(took_s for _, took_s in took)

        assert await ninth("member 5") == await ninth("nobody") == CHECK_S
        assert len(town.shop.reached) == 9

    run(story)


def test_a_bot_in_a_hurry_pays_more_for_each_guess_wherever_it_guesses(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work grows as the room of the process is used up, alike at known, unknown and invented accounts."""
    sizes: list[int] = []

    def size(level: int, occupancy: float) -> int:
        sizes.append(difficulty(level, occupancy))
        return 256

    monkeypatch.setattr("sekisho.wiring.step_up.difficulty", size)

    async def story() -> None:
        town = await Neighbours(clock, challenges="pow").crowded()
        asked: list[int] = []
        for number in range(2):
            sizes.clear()
            for account in ("member 3", "hana", "nobody"):
                assert (await town.client(NAT).log_in(account, "guess")).code == "challenge_required"
            (size,) = set(sizes)
            asked.append(size)
            for guess in range(10):
                await town.seen(f"nobody {number} {guess}", "guess")
        assert asked == [1_000_000, 2_000_000]
        await runs_ended()

    run(story)


@pytest.mark.parametrize("work", ["none", "pow"])
def test_guesses_at_a_known_account_stay_within_its_limit(clock: Clock, work: str) -> None:
    """Also where work is asked for first, and comes seconds later: no guess is free as if it were a repeat."""

    async def story() -> None:
        town = await Neighbours(clock, challenges=work, limit_account="5/hour").crowded()
        for number in range(12):
            client = town.client(NAT)
            found = await client.log_in("member 3", f"guess {number}")
            clock.advance(5)
            if work == "pow":
                done = (b"sekisho-work", solved(json.loads(found.body)["work"]).encode())
                found = await client.log_in("member 3", f"guess {number}", headers=(FORM, done))
            assert found.code == "step_up_required"
        await runs_ended()
        assert len(town.shop.reached) == 5

    run(story)


def test_a_familiar_stranger_is_asked_there(clock: Clock) -> None:
    """Where her familiar network spares her the question: a bot with her password is in the same network."""

    async def story() -> None:
        town = Neighbours(clock, step_up_familiar="never", challenges="pow")
        await town.crowded(Posture.ATTACK, enrols=False)
        found, took_s = await town.seen("member 3", "right")
        assert (found.status, found.code, took_s) == (401, "step_up_required", 2.0)

    run(story)
