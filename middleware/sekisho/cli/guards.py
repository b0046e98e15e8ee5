"""The guards of simulations: the whole `LoginGuard` on simulated time, or a model of another limiter."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sekisho.challenge.work import difficulty
from sekisho.ledger.memory import MemoryLedger
from sekisho.model.posture import Posture
from sekisho.settings import load
from sekisho.simulate.laboratory.peers import PEERS, PeerGuard
from sekisho.simulate.laboratory.policy import isolated
from sekisho.simulate.laboratory.run import EPOCH_S, BuiltGuard, Weak
from sekisho.simulate.laboratory.site import LINK, ON_FILE, RESET
from sekisho.wiring import Clocks, on_clocks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sekisho.simulate.laboratory import Build, Ports
    from sekisho.simulate.laboratory.policy import PlayedPolicy

CHEAP_HASHES: Final = 256
"""What a simulated puzzle takes to solve. What it would have taken is counted."""

REST_S: Final = 60.0
"""Between two rounds of background tasks, which would take most of a run that lasts weeks. An alarm comes up to so much
later than in a service; in a burst of guesses they rest as a service does."""

SETTINGS: Final[Mapping[str, Any]] = {
    "store": "memory://",
    "canary": "off",  # it sends log-ins of its own, which the counts would include
    "login": "POST /login form:username,password success=303:/account",
    "memory_entries_max": "10000000",
}


LETTERS: Final[Mapping[str, Any]] = {
    "smtp": "smtps://relay.shop.test",
    "mail_from": "shop@shop.test",
    "account_page": "https://shop.test/account",
}
"""Where owners of aged devices are told. No letter leaves: each counts as taken by the relay."""

WEAK: Final[Mapping[str, Any]] = {"challenges": "none"}
"""The settings of a weak service: limits alone, as `limits` in `policies.toml`."""


def build_of(name: str, policies: Mapping[str, PlayedPolicy]) -> tuple[Build, bool]:
    """Return a function that builds the guard of a policy or a peer, and whether that guard asks for factors.

    `name`: of a policy in `policies`, or of a peer, the model of another limiter.
    """
    if name in policies:
        return partial(guard, isolated(policies[name])), policies[name].has_factors
    return partial(peer, name), False


def peer(name: str, ports: Ports) -> BuiltGuard:
    before = PeerGuard(ports.app, PEERS[name](ports.exists), ports.clock_s)
    apart = PeerGuard(ports.app, PEERS[name](ports.exists), ports.clock_s)
    return BuiltGuard(before, weak=apart if ports.weak is Weak.APART else before)


def guard(policy: PlayedPolicy, ports: Ports) -> BuiltGuard:
    """Build a policy's guard for a simulation: `LoginGuard` as services have it, but for clocks and size of puzzles."""

    def asked(level: int, occupancy: float) -> int:
        ports.asked(difficulty(level, occupancy))
        return CHEAP_HASHES

    factors: dict[str, Any] = {"owners": ports.owners, "on_code": ports.on_code} if policy.has_factors else {}
    clocks, settings = clocks_of(ports), {**SETTINGS, "secret": ports.secret, **policy.settings}
    if ports.links:
        settings["link"] = LINK
    if ports.resets:
        settings["reset"] = ON_FILE if ports.on_file and policy.has_factors else RESET
    if policy.has_factors and "aged_device_days" in settings:
        settings |= LETTERS
    switches_on = policy.has_factors and ports.monitored
    counters = _shared(settings, clocks) if switches_on or ports.weak is Weak.TOGETHER else None
    made = on_clocks(clocks, puzzle_size=asked, chance=random.random, counters=counters, deliver=_delivered)
    built = made(ports.app, **factors, **settings)
    if ports.weak is Weak.NONE:
        before = made(ports.app, **_monitoring(settings)) if switches_on else None
        return BuiltGuard(built, lambda: alarms(built.counts), before=before)
    return BuiltGuard(
        built, lambda: alarms(built.counts), weak=made(ports.app, **SETTINGS, secret=ports.secret, **WEAK)
    )


async def _delivered(place: object, tls: object, envelope: object, *, limit_s: float) -> None:
    """The relay has taken the letter."""


def _monitoring(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a guard that monitors, and has no factors yet."""
    kept = {name: settings[name] for name in ("secret", "aged_device_days") if name in settings}
    return {**SETTINGS, **kept, "mode": "monitor"}


def _shared(settings: Mapping[str, Any], clocks: Clocks) -> MemoryLedger:
    """What two services of one store, namespace and secret count in, by the limits of the first."""
    found = load({}, dict(settings), has_owners=True, has_sender=True)
    return MemoryLedger(found.limits, entries_max=found.memory_entries_max, clock_us=clocks.wall_us)


def alarms(counts: Mapping[tuple[str, str, str], int]) -> int:
    """How often the posture rose in any segment, by a guard's counts. That it falls again is no alarm."""
    return sum(number for (_, event, turn), number in counts.items() if event == "posture" and _rises(turn))


def _rises(turn: str) -> bool:
    _, after, before = turn.split(",")
    return Posture[after.upper()] > Posture[before.upper()]


def clocks_of(ports: Ports) -> Clocks:
    """The clocks of a simulation, all from the time of its event loop."""
    passed_s, step_s = ports.clock_s, ports.step_s
    return Clocks(
        wall_s=lambda: EPOCH_S + passed_s() + step_s(),
        wall_us=lambda: int((EPOCH_S + passed_s() + step_s()) * 1e6),
        monotonic_s=passed_s,
        monotonic_us=lambda: int(passed_s() * 1e6),
        rest=lambda seconds: asyncio.sleep(rest_s(seconds, passed_s(), ports.bursts)),
    )


def rest_s(seconds: float, now_s: float, bursts: Sequence[tuple[float, float]]) -> float:
    """How long background tasks rest that would rest for `seconds` in a service. None sleeps into a burst."""
    if any(from_s <= now_s < until_s for from_s, until_s in bursts):
        return seconds
    return max(seconds, min([REST_S, *(from_s - now_s for from_s, _ in bursts if from_s > now_s)]))
