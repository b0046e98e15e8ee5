"""Scenarios: TOML files in which every parameter stands beside its source.

    title = "one attempt for each address"
    hours = [48, "assumed"]

    [owners]
    count = [6600, "assumed: a sample of a larger site"]

    [[attack]]
    attempts = [20000, "assumed"]

A parameter is `[value, source]`; a source that begins with `assumed` is a guess, and says so in the report.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any, Final

from sekisho.simulate.browsers import BROWSERS
from sekisho.simulate.laboratory.parameters import (
    LATER,
    Hours,
    Number,
    OneOf,
    ScenarioError,
    Share,
    Size,
    Within,
    parameter,
    parameters,
    said,
    texts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SOURCES = ("datacentre", "residential", "v6_64", "v6_48")
"""Where addresses of bots come from: servers in blocks of a /24, homes one to a /24, a /64 or a /48 for each."""

OWNERS_MAX: Final = 50_000_000
Scale = Annotated[float, Within(0.001, 1_000)]
Step = Annotated[float, Within(-864_000, 864_000)]
OF_A_SCENARIO: Final[Mapping[str, Any]] = {
    "hours": Hours, "scale": Scale, "step_at_h": Hours, "step_s": Step, "monitored": bool,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerHabits:
    """The owners and their habits. Shares are from 0 to 1.

    Attributes:
        count: accounts.
        logins_per_day: of one owner, on average.
        history_days: days of log-ins before the scenario begins.
        typo_share: of the log-ins, those that begin with a mistyped password.
        forget_share: of the log-ins, those of owners who try three other passwords and give up.
        cookies_share: of the owners, those whose browsers keep cookies.
        devices: browsers of one owner, at most; the first is used most.
        new_device_share: of the log-ins, those from a browser that is new.
        travel_share: of the log-ins, those from an address where the owner never was.
        nat_share: of the owners, those behind an address of a carrier, shared by `nat_size` owners.
        proxy_share: of the owners, those behind their company's address, shared by `proxy_size` owners.
        proxy_hour: the hour at which owners behind proxies log in on their own days; -1: at any time.
        reusing_share: of the owners, those whose password is in attackers' lists.
        mail_share: of the owners, those whose mail address the service knows.
        app_share: of the owners, those with an authenticator app.
        passkey_share: of the owners, those with a passkey.
        at_hand_share: of the questions for a proof, those that an owner can answer at once.
        surge_from_h, surge_hours, surge: hours of the scenario in which owners log in `surge` times as often.
        resets_per_month: of one owner, on average: of a forgotten password, by a link that the application mails.
        fault_from_h, fault_hours, fault_share: hours of the scenario in which the application refuses the right
            passwords of this share of the owners, as after a migration that went wrong.
        v6_share: of the owners at home, those with IPv6: each log-in comes from another /64 of the home's /56.
        v6_days: after so many days a home gets another /56; 0: it keeps the first.
        v6_pool: bits of the prefix in which it then stays.
    """

    count: Size = 2_000
    logins_per_day: Annotated[float, Within(0.001, 100)] = 0.3
    history_days: Annotated[float, Within(0, 400)] = 10
    typo_share: Share = 0.14
    forget_share: Share = 0.02
    cookies_share: Share = 0.9
    devices: Annotated[int, Within(1, 100)] = 2
    new_device_share: Share = 0.02
    travel_share: Share = 0.02
    nat_share: Share = 0.2
    nat_size: Size = 50
    proxy_share: Share = 0.1
    proxy_size: Size = 100
    proxy_hour: Annotated[float, Within(-1, 24)] = -1
    reusing_share: Share = 0.1
    mail_share: Share = 0.98
    app_share: Share = 0.0
    passkey_share: Share = 0.1
    at_hand_share: Share = 0.95
    surge_from_h: Hours = 0
    surge_hours: Hours = 0
    surge: Annotated[float, Within(1, 1_000)] = 1
    resets_per_month: Annotated[float, Within(0, 30)] = field(default=0, metadata=LATER)
    fault_from_h: Hours = field(default=0, metadata=LATER)
    fault_hours: Hours = field(default=0, metadata=LATER)
    fault_share: Share = field(default=0.0, metadata=LATER)
    v6_share: Share = field(default=0.0, metadata=LATER)
    v6_days: Annotated[float, Within(0, 400)] = field(default=0, metadata=LATER)
    v6_pool: Annotated[int, Within(32, 56)] = field(default=32, metadata=LATER)

    __repr__ = said


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One campaign.

    Attributes:
        attempts: at all accounts.
        from_h, hours: when, after the scenario's beginning.
        right_share: of the attempts, those whose pair is right.
        right: the number of right pairs instead, if it is not 0.
        known_share: of the attempts, those at accounts that exist.
        source: see `SOURCES`.
        addresses: how many; 0: another one for each attempt.
        crew: addresses in use at a time; 0: all of them.
        behind_nat: the bots are behind carriers' addresses, and `source` has no effect.
        nats: of how many carriers, in turn.
        in_pool: at an account whose owner has IPv6 at home, the bot is in the `v6_pool` of that home, in another /56
            each time; elsewhere at its `source`.
        behind_proxy: the bots are behind the first company's address, and `source` has no effect.
        own_accounts: of the owners, the last: accounts of the attacker's own, at each of which it logs in once a day
            from the attack's addresses, as any owner does, from the history's beginning.
        browsers: different browsers that the bots imitate.
        passwords: frequent passwords tried in turn at every account, instead of a list of pairs; 0: a list.
        solves: bots solve puzzles.
        links: instead of log-ins, attempts to link bank accounts by number and PIN: one PIN at all numbers in turn.
        weak_share: of the attempts, those at a weak service beside this one, which has the same accounts and passwords,
            limits, and no proof to ask for.
        together: the weak service counts with this one, as services with one store, namespace and secret do; else
            each by itself.
        resets: instead of log-ins, requests for a reset that name a mail address of the attacker's own, to which the
            application sends its link. A right one tells what the owner's reset asks for; the attacker then sets a
            password and logs in with it.
        on_file: the door of these requests has `on_file=`, where the guard asks for factors.
        relays: owners are lured to the attacker's page and answer its questions, so that right pairs come with proofs.
        copies: malicious software on `right` owners' computers has copied all cookies when the attack begins; its
            attempts are log-ins with these copies in turn and the right passwords. Each copy goes on from what it got.
        at_owner: the copies are used through the owners' own computers, and `source` has no effect.
    """

    attempts: Number = 0
    from_h: Hours = 0
    hours: Hours = 48
    right_share: Share = 0.002
    right: Number = 0
    known_share: Share = 0.5
    source: Annotated[str, OneOf(SOURCES)] = "residential"
    addresses: Number = 0
    crew: Number = 0
    behind_nat: bool = False
    browsers: Size = 6
    passwords: Annotated[int, Within(0, 30_000)] = 0
    solves: bool = False
    relays: bool = False
    links: bool = False
    weak_share: Share = 0.0
    together: bool = False
    nats: Size = field(default=1, metadata=LATER)
    behind_proxy: bool = field(default=False, metadata=LATER)
    in_pool: bool = field(default=False, metadata=LATER)
    resets: bool = field(default=False, metadata=LATER)
    on_file: bool = field(default=False, metadata=LATER)
    own_accounts: Number = field(default=0, metadata=LATER)
    copies: bool = field(default=False, metadata=LATER)
    at_owner: bool = field(default=False, metadata=LATER)

    __repr__ = said

    @property
    def copied(self) -> int:
        """The number of owners whose cookies are copied."""
        return self.right if self.copies else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens: owners and attacks, for some hours.

    Attributes:
        name: of the file.
        scale: at which it is played unless another is asked for: large enough to tell something, and no larger.
        sources: the value and the source of every parameter, by its name.
        monitored: until the scenario begins, the guard monitors and knows no factors; then they are switched on.
        step_at_h, step_s: when the service's clock is set, and by how many seconds; its monotonic clock goes on.
    """

    name: str
    title: str
    hours: Hours
    scale: Scale
    owners: OwnerHabits
    attacks: tuple[Attack, ...]
    sources: Mapping[str, str]
    step_at_h: Hours = field(default=0, metadata=LATER)
    step_s: Step = field(default=0, metadata=LATER)
    monitored: bool = field(default=False, metadata=LATER)

    __repr__ = said

    @property
    def own_accounts(self) -> int:
        """The number of owners, the last ones, who are attackers with accounts of their own."""
        return sum(attack.own_accounts for attack in self.attacks)

    def is_attacked(self, at_h: float) -> bool:
        """Whether an attack is under way at this hour of the scenario that is more than the use of copies."""
        return any(not each.copies and each.from_h <= at_h <= each.from_h + each.hours for each in self.attacks)

    def scaled(self, scale: float | None = None) -> Scenario:
        """Return the scenario with owners, attempts and addresses times `scale`; single addresses and accounts stay.

        Args:
            scale: None: the scenario's own.

        Raises `ScenarioError` for more owners than the laboratory has names for.
        """
        owners, scale = self.owners, self.scale if scale is None else scale
        if owners.count * scale > OWNERS_MAX:
            raise ScenarioError(f"{self.name}: owners.count: more than {OWNERS_MAX:,} at the scale {scale:g}")
        return replace(
            self,
            scale=scale,
            owners=replace(owners, count=max(20, round(owners.count * scale))),
            attacks=tuple(_scaled(attack, scale) for attack in self.attacks),
        )


def _scaled(attack: Attack, scale: float) -> Attack:
    def part(number: int) -> int:
        return max(1, round(number * scale)) if number else 0

    return replace(
        attack,
        attempts=part(attack.attempts),
        right=part(attack.right),
        addresses=part(attack.addresses),
        crew=part(attack.crew),
        own_accounts=part(attack.own_accounts),
    )


def packaged() -> dict[str, str]:
    """The texts of the scenarios that come with the package, by name."""
    folder = files("sekisho.simulate.laboratory") / "scenarios"
    found = {each.name.removesuffix(".toml"): each for each in folder.iterdir() if each.name.endswith(".toml")}
    return {name: found[name].read_text("utf-8") for name in sorted(found)}


def read_scenario(name: str, text: str) -> Scenario:
    """Read a scenario.

    Raises `ScenarioError` for a parameter that is unknown, has no source, has another type, is out of bounds, or
    contradicts another one.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{name}: no TOML: {error}") from None
    if unknown := sorted(found.keys() - {"title", *OF_A_SCENARIO, "owners", "attack"}):
        raise ScenarioError(f"{name}: unknown: {', '.join(unknown)}")
    scenario = _scenario(name, found)
    if wrong := next(_contradictions(scenario), ""):
        raise ScenarioError(f"{name}: {wrong}")
    return scenario


def _scenario(name: str, found: Mapping[str, object]) -> Scenario:
    sources: dict[str, str] = {}
    owners = parameters(OwnerHabits, found.get("owners", {}), f"{name}: owners", sources)
    given = {"hours": None, "scale": [1, "as it stands"], **found}
    own = {
        each: parameter(kind, given[each], f"{name}: {each}", sources)
        for each, kind in OF_A_SCENARIO.items()
        if each in given
    }
    attacks = found.get("attack", [])
    if not isinstance(attacks, list):
        raise ScenarioError(f"{name}: attack is no list; each begins with [[attack]]")
    read = tuple(parameters(Attack, each, f"{name}: attack {n}", sources) for n, each in enumerate(attacks, 1))
    return Scenario(
        name=name,
        title=texts(found, "title", name, name),
        owners=owners,
        attacks=read,
        sources=sources,
        **own,
    )


def _contradictions(scenario: Scenario) -> Iterator[str]:
    """Parameters that no run can hold to: it would quietly play something else."""
    owners = scenario.owners
    yield from _contradictions_of_owners(owners, scenario.hours)
    if owners.resets_per_month and not any(attack.resets for attack in scenario.attacks):
        yield "owners: resets_per_month: there is a door for resets only where an attack asks for some (resets)"
    if scenario.step_at_h > scenario.hours:
        yield "step_at_h: is after the scenario"
    if scenario.own_accounts + round(owners.count * owners.reusing_share) > owners.count:
        yield "own_accounts and reusing_share are more than all owners together"
    if sum(attack.copied for attack in scenario.attacks) > owners.count - scenario.own_accounts:
        yield "copies: of more owners than there are"
    for number, attack in enumerate(scenario.attacks, 1):
        for wrong in _contradictions_of(attack, scenario):
            yield f"attack {number}: {wrong}"


def _contradictions_of_owners(owners: OwnerHabits, hours: float) -> Iterator[str]:
    """Habits that exclude each other, in a scenario of so many hours."""
    if owners.nat_share + owners.proxy_share > 1:
        yield "owners: nat_share and proxy_share are more than 1 together"
    if owners.surge_from_h + owners.surge_hours > hours:
        yield "owners: surge_from_h and surge_hours end after the scenario"
    if owners.fault_from_h + owners.fault_hours > hours:
        yield "owners: fault_from_h and fault_hours end after the scenario"
    if bool(owners.fault_share) is not bool(owners.fault_hours):
        yield "owners: fault_share and fault_hours: neither means anything without the other"
    if owners.v6_days and not owners.v6_share:
        yield "owners: v6_days: no owner has IPv6 (v6_share)"
    if owners.v6_pool != 32 and not owners.v6_days:
        yield "owners: v6_pool: no home gets another /56 (v6_days)"


def _contradictions_of(attack: Attack, scenario: Scenario) -> Iterator[str]:
    owners = scenario.owners
    if attack.in_pool and not owners.v6_days:
        yield "in_pool: no home gets another /56 (owners: v6_days)"
    if attack.from_h + attack.hours > scenario.hours:
        yield f"from_h and hours end after the scenario's {scenario.hours:g} hours, when owners no longer log in"
    yield from _contradictions_of_numbers(attack, owners)
    if attack.behind_nat and not owners.nat_share:
        yield "behind_nat: no owner is behind a carrier's NAT (nat_share)"
    if attack.behind_proxy and (attack.behind_nat or not owners.proxy_share):
        yield "behind_proxy: no owner is behind a company's proxy (proxy_share), or behind_nat is set as well"
    yield from _contradictions_of_kind(attack)
    if attack.own_accounts and not (attack.addresses or attack.behind_nat or attack.behind_proxy):
        yield "own_accounts: need addresses to come back to"


def _contradictions_of_numbers(attack: Attack, owners: OwnerHabits) -> Iterator[str]:
    """Numbers that are none, or more than there are."""
    if not attack.attempts:
        yield "attempts: none"
    if attack.browsers > len(BROWSERS):
        yield f"browsers: bots imitate {len(BROWSERS)} at most"
    if attack.right > attack.attempts:
        yield "right: is more than attempts"
    listed = max(attack.right - attack.copied, round(attack.attempts * attack.right_share))
    has_list = not (attack.passwords or attack.links)
    if has_list and listed > round(owners.count * owners.reusing_share):
        yield "right or right_share: more right pairs than owners whose password is in lists (count, reusing_share)"
    if attack.crew > attack.addresses:
        yield "crew: is more than addresses"


def _contradictions_of_kind(attack: Attack) -> Iterator[str]:
    """Resets and copies: what else an attack cannot have with them."""
    if attack.resets and (attack.links or attack.passwords or attack.weak_share or attack.relays or attack.solves):
        yield "resets: with links, passwords, weak_share, relays or solves, which a request for a reset has not"
    if attack.on_file and not attack.resets:
        yield "on_file: no reset is asked for (resets)"
    if attack.copies and not attack.right:
        yield "copies: of no owner's cookies (right)"
    if attack.copies and (attack.links or attack.passwords or attack.weak_share or attack.relays or attack.resets):
        yield "copies: with links, passwords, weak_share, relays or resets, which a copied token is not for"
    if attack.at_owner and not attack.copies:
        yield "at_owner: no cookies are copied (copies)"
