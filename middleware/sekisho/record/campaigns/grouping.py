"""Groups hostile attempts into campaigns by what they share, and finds the accounts that were entered from them.

Three walks over the events, so that memory is bounded however many there are:

1. the software, networks, devices (headers within a network) and addresses with the most hostile attempts
   (`SpaceSaving`);
2. of these, the ones that a password list explains: many accounts, and nearly nothing right. Traits that occur together
   are one campaign, and so are two whose targets are nearly the same;
3. what each campaign did. An account that was entered *before* its campaign could be recognised is found as well.

Not seen: a list that is spread so thinly that no network has twenty attempts, from bots that pretend to be browsers
of owners; and guesses at a few accounts.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import combinations
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.record.campaigns.sample import Sample
from sekisho.record.campaigns.space_saving import SpaceSaving
from sekisho.record.campaigns.traits import TRAITS, Meaning, meaning, traits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sekisho.record.events import Event

    Events = Callable[[], Iterable[Event]]

COUNTERS_MAX: Final = 2_048  # of each kind of trait
CANDIDATES_MAX: Final = 512  # the heaviest of each kind, which are looked at closely
SAMPLE_MAX: Final = 128  # accounts of a candidate
ATTEMPTS_MIN: Final = 20
ACCOUNTS_MIN: Final = 10
"""An owner who has forgotten a password tries one account or two, and a family some more."""

HOSTILE_MIN: Final = 0.9
"""Of the strangers' attempts, that share must have been hostile. Of a list, less than a tenth is right; of the log-ins
behind a company's or a carrier's address, more than half (60 to 85% of log-ins succeed)."""

SOFTWARE_HOSTILE_MIN: Final = 0.98
"""The same for software: owners everywhere may have the browser that a bot pretends to be."""

LIKENESS_MIN: Final = 0.5  # of the targets of two groups
LINKED_MAX: Final = 64  # groups whose targets are compared
NETWORKS_MAX: Final = 100_000  # counted for a campaign
ENTERED_MAX: Final = 10_000  # accounts of a campaign that are kept

_HOSTILE: Final = frozenset({Meaning.REFUSED, Meaning.FAILED})
_RIGHT: Final = frozenset({Meaning.ENTERED, Meaning.RIGHT})


class Entry(NamedTuple):
    """An account that was entered from a campaign.

    Attributes:
        account: its digest.
        first_us, last_us: Unix time in microseconds.
        times: log-ins.
        network: of the first one that was read.
        by: the narrowest trait that it shares with the campaign.
    """

    account: str
    first_us: int
    last_us: int
    times: int
    network: str
    by: str


class Campaign(NamedTuple):
    """Attempts that share something.

    Attributes:
        name: stays the same as long as its most frequent trait does.
        traits: what the attempts share, each with its hostile attempts, the most frequent first.
        first_us, last_us: of its hostile attempts; Unix time in microseconds.
        refused, failed: hostile attempts.
        addresses, accounts: distinct ones; beyond 256, with a standard error of 6%.
        networks: distinct ones, 100,000 at most; 0 where they were not written.
        entered: accounts that were let in without a proof.
        proved: accounts where a second proof was shown, perhaps one that the owner was talked into passing on.
        passwords_known: other accounts whose right password was used, and nothing was opened.
    """

    name: str
    traits: tuple[tuple[str, int], ...]
    first_us: int
    last_us: int
    refused: int
    failed: int
    addresses: int
    networks: int
    accounts: int
    entered: tuple[Entry, ...]
    proved: tuple[Entry, ...]
    passwords_known: tuple[str, ...]

    @property
    def attempts(self) -> int:
        return self.refused + self.failed


class Found(NamedTuple):
    """Attributes:
    campaigns: the one with the most attempts first.
    hostile: strangers' hostile attempts, those of no campaign included.
    error: a network, device or address with more hostile attempts than this was looked at.
    summed: log-ins that succeeded and are in sums without an account: some may have been a campaign's.
    is_cut: whether there are more entered accounts than are kept.
    """

    campaigns: tuple[Campaign, ...]
    hostile: int
    error: int
    summed: int
    is_cut: bool


def find(events: Events) -> Found:
    """The campaigns in these events. `events` is called three times, and gives the same events each time."""
    sketches, summed = _sketched(events())
    heavy = {each.key for sketch in sketches.values() for each in sketch.heavy(ATTEMPTS_MIN)[:CANDIDATES_MAX]}
    groups = _grouped(events(), heavy)
    collecting = _collected(events(), groups)
    made = sorted((each.campaign() for each in collecting.values()), key=lambda each: -each.attempts)
    return Found(
        tuple(made),
        max(sketch.heard for sketch in sketches.values()),
        max(ATTEMPTS_MIN - 1, *(sketch.error_max for sketch in sketches.values())),
        summed,
        any(len(each.entered) + len(each.proved) >= ENTERED_MAX for each in made),
    )


def _sketched(events: Iterable[Event]) -> tuple[dict[str, SpaceSaving], int]:
    """The most frequent traits of hostile attempts, and how many successes are in sums."""
    sketches, summed = {name: SpaceSaving(COUNTERS_MAX) for name in TRAITS}, 0
    for event in events:
        summed += event.times if event.times > 1 and event.result == "succeeded" else 0
        if meaning(event) in _HOSTILE:
            for trait in traits(event):
                sketches[trait.partition(" ")[0]].add(trait)
    return sketches, summed


class _Tally:
    """Attempts that have a trait.

    Attributes:
        hostile: hostile attempts.
        pinned: of these, the ones with a narrower trait that is heavy as well.
        right: accounts where the secret was right, each once: a thief who comes back must not hide the list.
        accounts: accounts that were tried.
        beside: other heavy traits of its hostile attempts.
    """

    def __init__(self) -> None:
        self.hostile = self.pinned = 0
        self.right = Sample(SAMPLE_MAX)
        self.accounts = Sample(SAMPLE_MAX)
        self.beside: set[str] = set()

    def is_of_a_list(self, hostile_min: float) -> bool:
        share = self.hostile / max(1, self.hostile + len(self.right))
        return self.hostile >= ATTEMPTS_MIN and len(self.accounts) >= ACCOUNTS_MIN and share >= hostile_min

    @property
    def is_pinned(self) -> bool:
        """Whether narrower traits say better who it was: a bot's neighbours in its network are owners."""
        return 2 * self.pinned >= self.hostile


class _Groups(NamedTuple):
    """Attributes:
    leaders: each hostile trait with the leading one of its group.
    telling: the traits that tell an entered account from its neighbours.
    """

    leaders: dict[str, str]
    telling: frozenset[str]


def _grouped(events: Iterable[Event], heavy: set[str]) -> _Groups:
    tallies = {trait: _Tally() for trait in heavy}
    for event in events:
        what = meaning(event)
        if what in _HOSTILE or what in _RIGHT:
            _tally(tallies, event, is_hostile=what in _HOSTILE)
    listed = {trait: tally for trait, tally in tallies.items() if tally.is_of_a_list(_hostile_min(trait))}
    telling = frozenset(trait for trait, tally in listed.items() if not tally.is_pinned)
    return _Groups(_leaders(listed), telling)


def _hostile_min(trait: str) -> float:
    return SOFTWARE_HOSTILE_MIN if trait.startswith("software ") else HOSTILE_MIN


def _tally(tallies: Mapping[str, _Tally], event: Event, *, is_hostile: bool) -> None:
    found = [trait for trait in traits(event) if trait in tallies]
    for trait in found:
        tally = tallies[trait]
        if not is_hostile:
            tally.right.add(event.subject.account)
            continue
        tally.hostile += 1
        tally.pinned += trait != found[-1]
        tally.accounts.add(event.subject.account)
        tally.beside.update(found)


def _leaders(tallies: Mapping[str, _Tally]) -> dict[str, str]:
    """Join traits into groups; the leader of a group has the most hostile attempts."""
    order = sorted(tallies, key=lambda trait: (-tallies[trait].hostile, trait))
    ranks = {trait: rank for rank, trait in enumerate(order)}
    leads = {trait: trait for trait in order}
    for trait in order:
        for other in sorted(tallies[trait].beside & tallies.keys()):
            _join(leads, ranks, trait, other)
    first = [trait for trait in order if leads[trait] == trait][:LINKED_MAX]
    for one, other in combinations(first, 2):
        if tallies[one].accounts.likeness(tallies[other].accounts) >= LIKENESS_MIN:
            _join(leads, ranks, one, other)
    return leads


def _join(leads: dict[str, str], ranks: Mapping[str, int], one: str, other: str) -> None:
    both = {leads[one], leads[other]}
    if len(both) > 1:
        lead = min(both, key=ranks.__getitem__)
        leads.update({trait: lead for trait, old in leads.items() if old in both})


class _Collecting:
    """A campaign while its events are read."""

    def __init__(self, leader: str) -> None:
        self._leader = leader
        self._counts: dict[Meaning, int] = dict.fromkeys(Meaning, 0)
        self._traits: dict[str, int] = {}
        self._distinct = {name: Sample() for name in ("address", "account")}
        self._networks: set[str] = set()
        self._times_us: list[int] = []
        self._entries: dict[Meaning, dict[str, Entry]] = {Meaning.ENTERED: {}, Meaning.PROVED: {}}
        self._known: set[str] = set()

    def hostile(self, what: Meaning, event: Event, shared: Iterable[str]) -> None:
        self._counts[what] += 1
        for trait in shared:
            self._traits[trait] = self._traits.get(trait, 0) + 1
        for name, sample in self._distinct.items():
            sample.add(getattr(event.subject, name))
        if event.subject.network and len(self._networks) < NETWORKS_MAX:
            self._networks.add(event.subject.network)
        times_us = [*self._times_us, event.at_us]
        self._times_us = [min(times_us), max(times_us)]

    def entered(self, what: Meaning, event: Event, by: str) -> None:
        entries, account, at_us = self._entries[what], event.subject.account, event.at_us
        old = entries.get(account)
        if old is not None:
            first_us, last_us = min(old.first_us, at_us), max(old.last_us, at_us)
            entries[account] = Entry(account, first_us, last_us, old.times + 1, old.network, old.by)
        elif account and sum(map(len, self._entries.values())) < ENTERED_MAX:
            entries[account] = Entry(account, at_us, at_us, 1, event.subject.network, by)

    def known(self, account: str) -> None:
        if len(self._known) < ENTERED_MAX:
            self._known.add(account)

    def campaign(self) -> Campaign:
        times_us = self._times_us or [0]
        listed = {what: tuple(sorted(found.values(), key=_by_time)) for what, found in self._entries.items()}
        return Campaign(
            name_of(self._leader),
            tuple(sorted(self._traits.items(), key=lambda each: (-each[1], each[0]))),
            times_us[0],
            times_us[-1],
            self._counts[Meaning.REFUSED],
            self._counts[Meaning.FAILED],
            len(self._distinct["address"]),
            len(self._networks),
            len(self._distinct["account"]),
            listed[Meaning.ENTERED],
            listed[Meaning.PROVED],
            tuple(sorted(self._known - {each.account for found in listed.values() for each in found})),
        )


def _by_time(entry: Entry) -> tuple[int, str]:
    return entry.first_us, entry.account


def _collected(events: Iterable[Event], groups: _Groups) -> dict[str, _Collecting]:
    found: dict[str, _Collecting] = {}
    for event in events:
        what = meaning(event)
        counts = groups.leaders if what in _HOSTILE else groups.telling
        shared = [trait for trait in traits(event) if trait in counts] if what is not Meaning.NOTHING else []
        if not shared:
            continue
        leader = groups.leaders[shared[0]]
        campaign = found.setdefault(leader, _Collecting(leader))
        if what in _HOSTILE:
            campaign.hostile(what, event, shared)
        elif what is Meaning.RIGHT:
            campaign.known(event.subject.account)
        else:
            campaign.entered(what, event, shared[-1])
    return found


def name_of(leader: str) -> str:
    """A name of eight characters for a group, by its leading trait."""
    return f"c-{blake2b(leader.encode(), digest_size=3).hexdigest()}"
