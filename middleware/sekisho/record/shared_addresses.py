"""Finds addresses that many owners share, and where the limits of addresses refuse them, in written events.

A company, a school or a carrier has one address for many owners: their typing errors count together, and so does a bot
among them. An owner is an account that has logged in from the address in the same events. Three walks over the events,
so that memory is bounded however many there are:

1. the addresses with the most log-ins (`SpaceSaving`);
2. the owners of each;
3. the refusals there, by the hour.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.record.campaigns.space_saving import SpaceSaving
from sekisho.record.events import WITHHELD, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sekisho.record.events import Event

    Events = Callable[[], Iterable[Event]]

COUNTERS_MAX: Final = 65_536
CANDIDATES_MAX: Final = 4_096  # the addresses with the most log-ins, which are looked at closely
ACCOUNTS_KEPT_MAX: Final = 10_000  # of an address
OWNERS_MIN: Final = 5
"""That have logged in from an address. A family has fewer."""

REFUSALS_MIN: Final = 3
"""In an hour in which an owner is refused, and most of them before they are read: a worker that has refused an address
refuses the next ones at once, without an account."""

HOUR_US: Final = 3_600_000_000
REASONS: Final = frozenset({"ip_rate", "network_rate", "device_rate"})
"""Findings that `sekisho allow` lifts."""


class RefusedHour(NamedTuple):
    """An hour at a shared address.

    Attributes:
        at_us: its beginning, Unix time in microseconds.
        owners: refused, each once.
        unread: attempts that were refused before they were read, so that nobody knows whose they were.
    """

    at_us: int
    owners: int
    unread: int


class SharedAddress(NamedTuple):
    """An address where owners were refused for the attempts of others.

    Attributes:
        address: its digest.
        network: around it, as text; empty where it was not written.
        owners: accounts that have logged in from it.
        refused: of these, the ones that the limits of addresses refused.
        refusals: how often.
        reasons: the limits, each with its refusals, the most frequent first.
        hours: those in which an owner was refused and at least `REFUSALS_MIN` attempts were, the earliest first.
        others: accounts that were tried from it and have not logged in, 10,000 at most.
        watched: refusals in the mode monitor, which refused nobody.
        unread: further refusals, of attempts that were not read.
    """

    address: str
    network: str
    owners: int
    refused: int
    refusals: int
    reasons: tuple[tuple[str, int], ...]
    hours: tuple[RefusedHour, ...]
    others: int
    watched: int
    unread: int

    @property
    def has_attacker(self) -> bool:
        """Whether most accounts that are tried there are no owners': it may be a bot's own address."""
        return self.others > self.owners


class FoundShared(NamedTuple):
    """Attributes:
    addresses: the one with the most refused owners first.
    error: each address with more log-ins than this was looked at.
    summed: refusals in sums that name no address: some may have been at one of these.
    """

    addresses: tuple[SharedAddress, ...]
    error: int
    summed: int


def shared_addresses_in(events: Events) -> FoundShared:
    """The shared addresses in these events. `events` is called three times, and gives the same events each time."""
    sketch, summed = _sketched(events())
    heavy = sketch.heavy(OWNERS_MIN)[:CANDIDATES_MAX]
    owners = _owners(events(), {each.key for each in heavy})
    tallies = _tallied(events(), owners)
    found = (tally.shared(address) for address, tally in tallies.items())
    shared = [each for each in found if each.hours]
    error = max(OWNERS_MIN - 1, sketch.error_max, heavy[-1].most if len(heavy) == CANDIDATES_MAX else 0)
    return FoundShared(tuple(sorted(shared, key=lambda each: (-each.refused, each.address))), error, summed)


def _entered(event: Event) -> bool:
    """Whether the event says that an owner got in."""
    if event.kind == Kind.STEP_UP_PROVED:
        return True
    return event.kind == Kind.SETTLED and event.result == "succeeded" and WITHHELD not in event.reasons


def _throttled(event: Event) -> bool:
    return event.kind == Kind.DECIDED and event.action == "throttle"


def _sketched(events: Iterable[Event]) -> tuple[SpaceSaving, int]:
    """The addresses with the most log-ins, and how many refusals are in sums without an address."""
    sketch, summed = SpaceSaving(COUNTERS_MAX), 0
    for event in events:
        summed += event.times if _throttled(event) and not event.subject.address else 0
        if event.subject.address and event.subject.account and _entered(event):
            sketch.add(event.subject.address)
    return sketch, summed


def _owners(events: Iterable[Event], addresses: set[str]) -> dict[str, set[str]]:
    """The accounts that have logged in from each of these addresses, if they are enough."""
    owners: dict[str, set[str]] = {address: set() for address in addresses}
    for event in events:
        subject = event.subject
        if subject.account and subject.address in owners and _entered(event):
            its = owners[subject.address]
            if len(its) < ACCOUNTS_KEPT_MAX:
                its.add(subject.account)
    return {address: its for address, its in owners.items() if len(its) >= OWNERS_MIN}


class _Tally:
    """Attempts from one address. `owners`: the accounts that have logged in from it."""

    def __init__(self, owners: set[str]) -> None:
        self._owners = owners
        self._network = ""
        self._reasons = Counter[str]()
        self._others = set[str]()
        self._watched = 0
        self._refused: dict[int, list[str]] = {}
        self._unread = Counter[int]()

    def add(self, event: Event) -> None:
        """Take a decision, or the answer of the application."""
        self._network = self._network or event.subject.network
        account, hour = event.subject.account, event.at_us // HOUR_US
        if not account:
            self._unread[hour] += event.times if _throttled(event) else 0
            return
        limits = REASONS.intersection(event.reasons)
        if account not in self._owners:
            if len(self._others) < ACCOUNTS_KEPT_MAX:
                self._others.add(account)
        elif limits and _throttled(event):
            self._watched += event.mode == "monitor"
            self._reasons.update(limits)
            self._refused.setdefault(hour, []).append(account)

    def shared(self, address: str) -> SharedAddress:
        return SharedAddress(
            address,
            self._network,
            len(self._owners),
            len(set[str]().union(*self._refused.values())),
            sum(map(len, self._refused.values())),
            tuple(self._reasons.most_common()),
            tuple(self._hours()),
            len(self._others),
            self._watched,
            self._unread.total(),
        )

    def _hours(self) -> Iterator[RefusedHour]:
        for hour, accounts in sorted(self._refused.items()):
            unread = self._unread[hour]
            if len(accounts) + unread >= REFUSALS_MIN:
                yield RefusedHour(hour * HOUR_US, len(set(accounts)), unread)


def _tallied(events: Iterable[Event], owners: Mapping[str, set[str]]) -> dict[str, _Tally]:
    tallies = {address: _Tally(its) for address, its in owners.items()}
    for event in events:
        if event.subject.address in tallies:
            tallies[event.subject.address].add(event)
    return tallies
