"""The demonstration: the same attack on one service without and with the guard, and the claims about it.

Every claim is checked here, against the service's own count if there is one.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sekisho.settings import load
from sekisho.simulate.bound import Bound
from sekisho.simulate.engine import Jar, Stream, replay
from sekisho.simulate.generator import SCENARIOS, attack, habits, logins
from sekisho.simulate.phones import Phones
from sekisho.simulate.service import DATABASE, ExampleService, SimulationError, add_owners

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from sekisho.model import LimitSet
    from sekisho.simulate.generator import DemoScenario, Try
    from sekisho.simulate.tally import Tally

UNGUARDED = "starlette_service.app:build"
GUARDED = "starlette_service.protected:build"

# More than the guard lets wait: waiting attempts must not slow the attack down.
ATTACKERS_CONNECTIONS = 320
OWNERS_CONNECTIONS = 32
# What the attack may take of a core without the guard. Beyond it, owners would wait for the machine in both runs.
BUSY_MAX = 0.7
STRETCH_MAX = 4
EVENTS = "events.jsonl"
# Before the attack each connection logs in one owner after the other: few of them, so that a slow machine keeps up.
HABITS_CONNECTIONS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The parameters of a demonstration.

    Attributes:
        owners, attempts, addresses: their numbers.
        seconds: the duration of the attack in each of the two runs.
        at_ease: whether a slow machine gets longer, up to four times as long.
        store: the guard's, as `SEKISHO_STORE`.
        limits: `SEKISHO_LIMIT_…` settings other than the defaults.
        patience: the maximum duration of a run on a slow machine, as a multiple of `seconds`. A longer run is cut
            short, and the second run sends only as many attempts as the first.
    """

    owners: int
    attempts: int
    addresses: int
    seconds: float
    store: str = "memory://"
    limits: Mapping[str, str]
    at_ease: bool = False
    patience: float = 1.9

    def scenario(self) -> DemoScenario:
        """The preset `demo`, scaled to this plan; one honest log-in per 22 attempts."""
        preset = SCENARIOS["demo"]
        logins = min(self.owners, max(1, self.attempts // 22))
        # A list contains an account once or twice. A longer list has more people, most of them without an account here.
        per_attempt = self.owners / self.attempts
        return replace(
            preset,
            owners=self.owners,
            campaign=replace(
                preset.campaign,
                attempts=self.attempts,
                addresses=self.addresses,
                per_second=self.attempts / self.seconds,
                known_share=min(preset.campaign.known_share, 1.2 * per_attempt),
                right_share=min(preset.campaign.right_share, 0.04 * per_attempt),
            ),
            honest=replace(preset.honest, logins=logins, per_second=logins / self.seconds),
        )

    def for_machine(self, login_s: float) -> Plan:
        """The plan for a machine whose processor takes `login_s` seconds for a log-in without the guard."""
        honest = self.scenario().honest
        busy_s = (self.attempts + honest.logins) * login_s
        return replace(self, seconds=min(max(self.seconds, busy_s / BUSY_MAX), STRETCH_MAX * self.seconds))

    def guard_settings(self, directory: Path) -> dict[str, str]:
        """Return the guard's settings as environment variables, with a namespace that no earlier run has used.

        `directory`: has the service's own database, with owners and their factors, and gets the file of events.
        """
        return {
            "SEKISHO_SECRET": secrets.token_urlsafe(48),
            "SEKISHO_FACTORS": "totp",
            "SEKISHO_OWNERS": f"sqlite+aiosqlite:///{directory / DATABASE}",
            "SEKISHO_OWNERS_QUERY": "select null as email, null as locale from members where username = :account",
            "SEKISHO_SERVICE_NAME": "Hakone Tea House",
            "SEKISHO_STORE": self.store,
            "SEKISHO_NAMESPACE": f"demo-{secrets.token_hex(4)}",
            "SEKISHO_TRUSTED_PROXIES": "127.0.0.0/8",
            "SEKISHO_LOGIN": "POST /login form:username,password success=303:/account",
            "SEKISHO_EVENTS_FILE": str(directory / EVENTS),
            **self.limits,
        }


class DemoRun(NamedTuple):
    """One of the two runs.

    Attributes:
        tally: the client's counts.
        seconds: the duration.
        password_checks: by the service's own count.
        cpu_seconds: of the service's process.
        wrong_max: the maximum of wrong guesses that the limits admit; `None` without the guard.
    """

    tally: Tally
    seconds: float
    password_checks: int
    cpu_seconds: float
    wrong_max: int | None = None


class Claim(NamedTuple):
    """A promise, and whether it was kept."""

    text: str
    kept: bool


class DemoView(NamedTuple):
    """Both runs, and the claims about them."""

    scenario: DemoScenario
    unguarded: DemoRun
    guarded: DemoRun

    def claims(self) -> tuple[Claim, ...]:
        return tuple(_claims(self.unguarded, self.guarded))

    def as_json(self) -> dict[str, object]:
        """The result as JSON values."""
        return {
            "owners": self.scenario.owners,
            "addresses": self.scenario.campaign.addresses,
            "unguarded": _figures(self.unguarded),
            "guarded": _figures(self.guarded),
            "claims": [claim._asdict() for claim in self.claims()],
        }


class Screen(Protocol):
    """The display of a demonstration."""

    def say(self, text: str) -> None:
        """Show a message."""

    def begin(self, title: str, attempts: int) -> None:
        """Begin a run with this number of attackers' tries."""

    def look(self, tally: Tally, seconds: float) -> None:
        """Show the progress of a run: its counts so far, and the seconds since it began."""

    def end(self) -> None:
        """End the run."""


async def demonstrate(
    plan: Plan, screen: Screen, *, afterwards: Callable[[DemoView, ExampleService], Awaitable[None]] | None = None
) -> DemoView:
    """Run the attack on the example service without the guard, then with it; return both runs and the claims.

    `afterwards` is awaited with the result while the guarded service still runs. Raises `SettingsError` if the guard
    cannot start, and `SimulationError` if the demonstration cannot run.
    """
    population = plan.scenario().population()
    with TemporaryDirectory(prefix="sekisho-demo-") as name:
        directory = Path(name)
        settings = plan.guard_settings(directory)
        limits = load(settings).limits
        screen.say(f"Adding {plan.owners:,} owners (argon2, one pass over 256 KiB: cheap on purpose)")
        await add_owners(population, directory)
        async with ExampleService(UNGUARDED, directory, {}) as service:
            if plan.at_ease:
                plan = await _for_this_machine(service, plan, screen)
            unguarded = await _attack(service, plan, screen, "without the guard")
        scenario = plan.scenario()
        phones = Phones(population, scenario.seed)
        phones.enrol(directory / DATABASE, settings["SEKISHO_SECRET"].encode())
        async with ExampleService(GUARDED, directory, settings) as service:
            # If the first run was cut short, the second sends only as many attempts.
            against = Against(limits, phones, unguarded.tally)
            guarded = await _attack(service, plan, screen, "with the guard", against)
            shown = DemoView(scenario, unguarded, guarded)
            if afterwards is not None:
                await afterwards(shown, service)
    return shown


async def _for_this_machine(service: ExampleService, plan: Plan, screen: Screen) -> Plan:
    before = await service.read_meter()
    await _log_in_once(service, plan.scenario(), Jar(), None)
    after = await service.read_meter()
    login_s = (after.cpu_seconds - before.cpu_seconds) / (after.password_checks - before.password_checks)
    fitting = plan.for_machine(login_s)
    if fitting.seconds > plan.seconds:
        screen.say(
            f"This machine takes {login_s * 1000:.1f} ms for a log-in, so the attack takes {fitting.seconds:.0f} s "
            f"instead of {plan.seconds:.0f} (DEMO_SECONDS={plan.seconds:.0f} does not wait)"
        )
    return fitting


class Against(NamedTuple):
    """The additional inputs of the second run: the guard's limits, the owners' phones, and the first run's tally."""

    limits: LimitSet
    phones: Phones
    sent: Tally


async def _attack(
    service: ExampleService,
    plan: Plan,
    screen: Screen,
    title: str,
    against: Against | None = None,
) -> DemoRun:
    scenario = plan.scenario()
    jar, bound, phones = Jar(), Bound(), against.phones if against else None
    await _log_in_once(service, scenario, jar, phones)
    before = await service.read_meter()
    screen.begin(title, scenario.campaign.attempts)
    try:
        tally, seconds = await replay(
            _streams(scenario, bound, against.sent if against else None),
            service.port,
            jar=jar,
            phones=phones,
            seconds_max=plan.patience * plan.seconds,
            look=screen.look,
        )
    finally:
        screen.end()
    after = await service.read_meter()
    return DemoRun(
        tally=tally,
        seconds=seconds,
        password_checks=after.password_checks - before.password_checks,
        cpu_seconds=after.cpu_seconds - before.cpu_seconds,
        wrong_max=bound.wrong_max(against.limits, int(seconds * 1e6)) if against else None,
    )


def _streams(scenario: DemoScenario, bound: Bound, sent: Tally | None) -> tuple[Stream, Stream]:
    population, seed = scenario.population(), scenario.seed
    attackers = attack(population, scenario.campaign, seed=seed)
    owners = logins(population, scenario.honest, seed=seed)
    return (
        Stream(_noted(islice(attackers, sent.attackers_ms.count if sent else None), bound), ATTACKERS_CONNECTIONS),
        Stream(islice(owners, sent.owners_ms.count if sent else None), OWNERS_CONNECTIONS),
    )


async def _log_in_once(service: ExampleService, scenario: DemoScenario, jar: Jar, phones: Phones | None) -> None:
    """Log in each owner with a known device before the attack; with the guard, that also makes the devices proved."""
    past = habits(scenario.population(), scenario.honest, seed=scenario.seed)
    tally, _ = await replay([Stream(past, HABITS_CONNECTIONS)], service.port, jar=jar, phones=phones)
    if tally.refused:
        by = ", ".join(f"{count} by {what}" for what, count in tally.refused_by.most_common())
        raise SimulationError(
            f"{len(tally.refused)} owners could not log in before any attack, so there is nothing to compare: {by}. "
            "`unavailable` or `no answer`: the machine is too busy; end what else runs on it, and try again"
        )


def _noted(tries: Iterator[Try], bound: Bound) -> Iterator[Try]:
    for attempt in tries:
        bound.add(attempt)
        yield attempt


def _claims(unguarded: DemoRun, guarded: DemoRun) -> Iterator[Claim]:
    before, after = unguarded.tally, guarded.tally
    allowed = 0 if guarded.wrong_max is None else guarded.wrong_max
    yield Claim(
        f"accounts taken over: {len(after.taken):,} with the guard, {len(before.taken):,} without",
        not after.taken,
    )
    yield Claim(f"owners refused with the guard: {len(after.refused):,}", not after.refused)
    yield Claim(
        f"guesses that reached the password check: {after.reached:,}; the limits allow {allowed:,} at most",
        after.reached <= allowed,
    )
    for run, which in ((unguarded, "without"), (guarded, "with")):
        seen, most = run.tally.checked, run.tally.checked + run.tally.sealed
        yield Claim(
            f"password checks {which} the guard: {run.password_checks:,}; by the service's answers, {most:,}",
            # An attempt with a step-up is checked in escrow, invisibly to the client; or not at all if escrow is full.
            seen <= run.password_checks <= most + run.tally.unanswered,
        )


def _figures(run: DemoRun) -> dict[str, object]:
    tally = run.tally
    return {
        "attempts": tally.attempts,
        "right_passwords": dict(tally.right),
        "right_passwords_in_no_list": dict(tally.unlisted),
        "stopped": dict(tally.stopped),
        "reached_password_check": tally.reached,
        "wrong_guesses_allowed_by_limits": run.wrong_max,
        "accounts_taken_over": len(tally.taken),
        "owners_logins": tally.logins,
        "owners_asked_for_a_second_proof": tally.proved,
        "owners_asked_for_work": tally.worked,
        "owners_told_to_come_back": tally.came_back,
        "owners_refused": len(tally.refused),
        "owners_refused_by": dict(tally.refused_by),
        "unanswered": tally.unanswered,
        "owners_p50_ms": round(tally.owners_ms.percentile_ms(50), 2),
        "owners_p99_ms": round(tally.owners_ms.percentile_ms(99), 2),
        "attackers_p50_ms": round(tally.attackers_ms.percentile_ms(50), 2),
        "attackers_p99_ms": round(tally.attackers_ms.percentile_ms(99), 2),
        "password_checks_by_service": run.password_checks,
        "server_cpu_seconds": round(run.cpu_seconds, 2),
        "seconds": round(run.seconds, 1),
    }
