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
from dataclasses import dataclass, fields, replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from sekisho.model import SekishoError

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

SOURCES = ("datacentre", "residential", "v6_64", "v6_48")
"""Where addresses of bots come from: servers in blocks of a /24, homes one to a /24, a /64 or a /48 for each."""


class ScenarioError(SekishoError):
    """A scenario cannot be used; the text names the parameter."""


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
    """

    count: int = 2_000
    logins_per_day: float = 0.3
    history_days: float = 10
    typo_share: float = 0.14
    forget_share: float = 0.02
    cookies_share: float = 0.9
    devices: int = 2
    new_device_share: float = 0.02
    travel_share: float = 0.02
    nat_share: float = 0.2
    nat_size: int = 50
    proxy_share: float = 0.1
    proxy_size: int = 100
    proxy_hour: float = -1
    reusing_share: float = 0.1
    mail_share: float = 0.98
    app_share: float = 0.0
    passkey_share: float = 0.1
    at_hand_share: float = 0.95
    surge_from_h: float = 0
    surge_hours: float = 0
    surge: float = 1


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
        behind_nat: the bot is behind the first carrier's address, and `source` has no effect.
        browsers: different browsers that the bots imitate.
        passwords: frequent passwords tried in turn at every account, instead of a list of pairs; 0: a list.
        solves: bots solve puzzles.
        links: instead of log-ins, attempts to link bank accounts by number and PIN: one PIN at all numbers in turn.
        weak_share: of the attempts, those at a weak service beside this one, which has the same accounts and passwords,
            limits, and no proof to ask for.
        together: the weak service counts with this one, as services with one store, namespace and secret do; else
            each by itself.
        relays: owners are lured to the attacker's page and answer its questions, so that right pairs come with proofs.
    """

    attempts: int = 0
    from_h: float = 0
    hours: float = 48
    right_share: float = 0.002
    right: int = 0
    known_share: float = 0.5
    source: str = "residential"
    addresses: int = 0
    crew: int = 0
    behind_nat: bool = False
    browsers: int = 6
    passwords: int = 0
    solves: bool = False
    relays: bool = False
    links: bool = False
    weak_share: float = 0.0
    together: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens: owners and attacks, for some hours.

    Attributes:
        name: of the file.
        scale: at which it is played unless another is asked for: large enough to tell something, and no larger.
        sources: the value and the source of every parameter, by its name.
    """

    name: str
    title: str
    hours: float
    scale: float
    owners: OwnerHabits
    attacks: tuple[Attack, ...]
    sources: Mapping[str, str]

    def scaled(self, scale: float | None = None) -> Scenario:
        """Fewer or more owners, attempts and addresses. What stands for one address or one account stays.

        Args:
            scale: None: the scenario's own.
        """
        owners, scale = self.owners, self.scale if scale is None else scale
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
    )


def packaged() -> dict[str, str]:
    """The texts of the scenarios that come with the package, by name."""
    folder = files("sekisho.simulate.laboratory") / "scenarios"
    found = {each.name.removesuffix(".toml"): each for each in folder.iterdir() if each.name.endswith(".toml")}
    return {name: found[name].read_text() for name in sorted(found)}


def read_scenario(name: str, text: str) -> Scenario:
    """Read a scenario. Raises `ScenarioError` for a parameter that is unknown, has no source, or has another type."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{name}: no TOML: {error}") from None
    sources: dict[str, str] = {}
    owners = _read(OwnerHabits, found.pop("owners", {}), f"{name}: owners", sources)
    attacks = found.pop("attack", [])
    hours, source = _parameter(found.pop("hours", None), f"{name}: hours")
    sources[f"{name}: hours"] = f"{hours}; {source}"
    scale, source = _parameter(found.pop("scale", [1, "as it stands"]), f"{name}: scale")
    sources[f"{name}: scale"] = f"{scale}; {source}"
    title = found.pop("title", name)
    if found:
        raise ScenarioError(f"{name}: unknown: {', '.join(sorted(found))}")
    read = tuple(_read(Attack, each, f"{name}: attack {n}", sources) for n, each in enumerate(attacks, 1))
    if wrong := [attack.source for attack in read if attack.source not in SOURCES]:
        raise ScenarioError(f"{name}: source is one of {', '.join(SOURCES)}, not {wrong[0]}")
    return Scenario(
        name=name, title=title, hours=float(hours), scale=float(scale), owners=owners, attacks=read, sources=sources
    )


def _read(kind: type[T], table: Mapping[str, Any], place: str, sources: dict[str, str]) -> T:
    types = get_type_hints(kind)
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type] # dataclasses of this module
    values = {}
    for name, given in table.items():
        if name not in names:
            raise ScenarioError(f"{place}: unknown: {name}")
        value, source = _parameter(given, f"{place}.{name}")
        sources[f"{place}.{name}"] = f"{value}; {source}"
        values[name] = float(value) if types[name] is float and type(value) is int else value
        if type(values[name]) is not types[name]:
            raise ScenarioError(f"{place}.{name}: is not of the type {types[name].__name__}")
    return kind(**values)


def _parameter(given: object, place: str) -> tuple[Any, str]:
    match given:
        case [value, str(source)] if source:
            return value, source
    raise ScenarioError(f'{place}: a parameter is [value, "its source, or assumed"]')
