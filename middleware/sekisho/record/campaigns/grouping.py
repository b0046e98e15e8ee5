"""Groups hostile attempts into campaigns by what they share, and finds the accounts that were entered from them.

Three walks over the events, so that memory is bounded however many there are:

1. the secrets, software, networks, devices (headers within a network) and addresses with the most hostile attempts
   (`SpaceSaving`);
2. of these, the ones that a password list explains: many accounts, and nearly nothing right. Traits that occur together
   are one campaign, and so are two that try nearly the same targets, or some in the same order, or mostly one secret,
   or that keep the same pace like a machine;
3. what each campaign did. An account that was entered *before* its campaign could be recognised is found as well.

Not seen: a list that is spread so thinly that no network has twenty attempts, from bots that pretend to be browsers
of owners; and guesses at a few accounts.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import combinations, pairwise
from math import sqrt
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.record.campaigns.sample import Sample, hash_of
from sekisho.record.campaigns.space_saving import SpaceSaving
from sekisho.record.campaigns.traits import HOSTILE, TRAITS, Meaning, observed, traits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sekisho.record.campaigns.traits import Observed
    from sekisho.record.events import Event

    Events = Callable[[], Iterable[Event]]
    AllObserved = Callable[[], Iterable[Observed]]

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
ORDERED_MIN: Final = 8  # common targets, of which at least so many are needed to compare their order
ORDERED_MAX: Final = 24  # and at most so many are compared
SAME_ORDER_MIN: Final = 0.9
"""Of the pairs of common targets, that share was tried in the same order. Of two lists in different orders, half is."""

SECRET_SHARE_MIN: Final = 0.5  # of the attempts of a group, with one secret
SECRETS_MAX: Final = 16  # of a group, that are counted
PACES_MIN: Final = 19  # times between attempts
PACE_SPREAD_MAX: Final = 0.1
"""Standard deviation of these times, by their mean. Of attempts that come by chance it is 1."""

PACE_ALIKE_MAX: Final = 1.02  # one mean by the other
PACE_US_MIN: Final = 1_000_000
NETWORKS_MAX: Final = 100_000  # counted for a campaign
ENTERED_MAX: Final = 10_000  # accounts of a campaign that are kept


_RIGHT: Final = frozenset({Meaning.ENTERED, Meaning.RIGHT})


class EnteredAccount(NamedTuple):
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
    entered: tuple[EnteredAccount, ...]
    proved: tuple[EnteredAccount, ...]
    passwords_known: tuple[str, ...]

    @property
    def attempts(self) -> int:
        return self.refused + self.failed


class FoundCampaigns(NamedTuple):
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


def campaigns_in(events: Events) -> FoundCampaigns:
    """The campaigns in these events. `events` is called three times, and gives the same events each time."""
    return find_in(lambda: (attempt for event in events() if (attempt := observed(event)) is not None))


def find_in(attempts: AllObserved) -> FoundCampaigns:
    """Return the campaigns in attempts, which were read from events.

    `attempts` is called three times, as in `campaigns_in`.
    """
    sketches, summed = _sketched(attempts())
    heavy = {each.key for sketch in sketches.values() for each in sketch.heavy(ATTEMPTS_MIN)[:CANDIDATES_MAX]}
    groups = _grouped(attempts(), heavy)
    collecting = _collected(attempts(), groups)
    made = sorted((each.campaign() for each in collecting.values()), key=lambda each: -each.attempts)
    return FoundCampaigns(
        tuple(made),
        max(sketch.heard for sketch in sketches.values()),
        max(ATTEMPTS_MIN - 1, *(sketch.error_max for sketch in sketches.values())),
        summed,
        any(len(each.entered) + len(each.proved) >= ENTERED_MAX for each in made),
    )


def _sketched(attempts: Iterable[Observed]) -> tuple[dict[str, SpaceSaving], int]:
    """The most frequent traits of hostile attempts, and how many successes are in sums."""
    sketches, summed = {name: SpaceSaving(COUNTERS_MAX) for name in TRAITS}, 0
    for attempt in attempts:
        summed += attempt.summed
        if attempt.meaning in HOSTILE:
            for trait in traits(attempt):
                sketches[trait.partition(" ")[0]].add(trait)
    return sketches, summed


class _Tally:
    """Attempts that have a trait.

    Attributes:
        hostile: hostile attempts.
        pinned: of these, the ones with a narrower trait that is heavy as well.
        right: accounts where the secret was right, each once: a thief who comes back must not hide the list.
        accounts: accounts that were tried.
        beside: other heavy traits of its hostile attempts, secrets left out.
        secrets: its hostile attempts by secret, of those that were tried at many accounts.
        pace: the times between its hostile attempts.
    """

    def __init__(self) -> None:
        self.hostile = self.pinned = 0
        self.right = Sample(SAMPLE_MAX)
        self.accounts = Sample(SAMPLE_MAX)
        self.beside: set[str] = set()
        self.secrets: dict[str, int] = {}
        self.pace = _Pace()
        self._first_us: dict[int, int] = {}

    def add(self, attempt: Observed, found: list[str], trait: str) -> None:
        """Take a hostile attempt with these heavy traits, of which this is one."""
        self.hostile += 1
        self.pinned += trait != found[-1]
        self.accounts.add(attempt.account)
        target = hash_of(attempt.account)
        if target in self.accounts:
            self._first_us.setdefault(target, attempt.at_us)
        secret = f"secret {attempt.secret}" if attempt.secret else ""
        self.beside.update(other for other in found if other != secret)
        if secret and (secret in self.secrets or len(self.secrets) < SECRETS_MAX):
            self.secrets[secret] = self.secrets.get(secret, 0) + 1
        self.pace.add(attempt.at_us)

    @property
    def secret(self) -> str:
        """The secret of most of its hostile attempts; empty where there is none."""
        secret, times = max(self.secrets.items(), key=lambda each: each[1], default=("", 0))
        return secret if times >= SECRET_SHARE_MIN * self.hostile else ""

    def has_order_of(self, other: _Tally) -> bool:
        """Whether both tried their common targets in the same order."""
        common = self.accounts.kept & other.accounts.kept
        order = sorted(common, key=lambda target: (self._first_us[target], target))
        order = order[:: max(1, len(order) // ORDERED_MAX)][:ORDERED_MAX]
        if len(order) < ORDERED_MIN:
            return False
        pairs = [other._first_us[one] < other._first_us[two] for one, two in combinations(order, 2)]
        return sum(pairs) >= SAME_ORDER_MIN * len(pairs)

    def is_of_a_list(self, hostile_min: float) -> bool:
        share = self.hostile / max(1, self.hostile + len(self.right))
        return self.hostile >= ATTEMPTS_MIN and len(self.accounts) >= ACCOUNTS_MIN and share >= hostile_min

    @property
    def is_pinned(self) -> bool:
        """Whether narrower traits say better who it was: a bot's neighbours in its network are owners."""
        return 2 * self.pinned >= self.hostile


class _Pace:
    """The times between attempts: how many there are, their mean and spread."""

    def __init__(self) -> None:
        self.first_us = self.last_us = 0
        self._count = 0
        self._sum = self._squares = 0.0

    def add(self, at_us: int) -> None:
        if self.last_us:
            gap = abs(at_us - self.last_us)
            self._count, self._sum, self._squares = self._count + 1, self._sum + gap, self._squares + gap * gap
        self.first_us, self.last_us = self.first_us or at_us, at_us

    @property
    def steady_us(self) -> float:
        """Their mean, if they are those of a machine; else 0."""
        if self._count < PACES_MIN:
            return 0.0
        mean = self._sum / self._count
        spread = sqrt(max(0.0, self._squares / self._count - mean * mean))
        return mean if mean >= PACE_US_MIN and spread <= PACE_SPREAD_MAX * mean else 0.0

    def is_like(self, other: _Pace) -> bool:
        """Whether both are those of one machine, at the same time."""
        mine, its = sorted((self.steady_us, other.steady_us))
        at_once = max(self.first_us, other.first_us) <= min(self.last_us, other.last_us)
        return bool(mine) and its <= PACE_ALIKE_MAX * mine and at_once


class _Groups(NamedTuple):
    """Attributes:
    leaders: each hostile trait with the leading one of its group.
    telling: the traits that tell an entered account from its neighbours.
    """

    leaders: dict[str, str]
    telling: frozenset[str]


def _grouped(attempts: Iterable[Observed], heavy: set[str]) -> _Groups:
    tallies = {trait: _Tally() for trait in heavy}
    for attempt in attempts:
        if attempt.meaning in HOSTILE or attempt.meaning in _RIGHT:
            _tally(tallies, attempt, is_hostile=attempt.meaning in HOSTILE)
    listed = {trait: tally for trait, tally in tallies.items() if tally.is_of_a_list(_hostile_min(trait))}
    telling = frozenset(trait for trait, tally in listed.items() if not tally.is_pinned)
    # A frequent password is in many lists: it joins only those that try little else.
    listed = {trait: tally for trait, tally in listed.items() if trait in telling or not trait.startswith("secret ")}
    return _Groups(_leaders(listed), telling)


def _hostile_min(trait: str) -> float:
    return SOFTWARE_HOSTILE_MIN if trait.startswith("software ") else HOSTILE_MIN


def _tally(tallies: Mapping[str, _Tally], attempt: Observed, *, is_hostile: bool) -> None:
    found = [trait for trait in traits(attempt) if trait in tallies]
    for trait in found:
        if is_hostile:
            tallies[trait].add(attempt, found, trait)
        else:
            tallies[trait].right.add(attempt.account)


def _leaders(tallies: Mapping[str, _Tally]) -> dict[str, str]:
    """Join traits into groups; the leader of a group has the most hostile attempts."""
    order = sorted(tallies, key=lambda trait: (-tallies[trait].hostile, trait))
    ranks = {trait: rank for rank, trait in enumerate(order)}
    leads = {trait: trait for trait in order}
    for trait in order:
        for other in sorted(tallies[trait].beside & tallies.keys()):
            _join(leads, ranks, trait, other)
    for one, other in (*_with_one_secret(tallies, order), *_with_one_pace(tallies, order)):
        _join(leads, ranks, one, other)
    first = [trait for trait in order if leads[trait] == trait][:LINKED_MAX]
    for one, other in combinations(first, 2):
        mine, its = tallies[one], tallies[other]
        if mine.accounts.likeness(its.accounts) >= LIKENESS_MIN or mine.has_order_of(its):
            _join(leads, ranks, one, other)
    return leads


def _with_one_secret(tallies: Mapping[str, _Tally], order: list[str]) -> list[tuple[str, str]]:
    """Pairs of traits whose attempts are mostly of one secret."""
    by_secret: dict[str, list[str]] = {}
    for trait in order:
        if secret := tallies[trait].secret:
            by_secret.setdefault(secret, []).append(trait)
    return [pair for those in by_secret.values() for pair in pairwise(those)]


def _with_one_pace(tallies: Mapping[str, _Tally], order: list[str]) -> list[tuple[str, str]]:
    """Pairs of traits that keep the same pace. Software and secrets are everywhere: theirs is a sum of many."""
    steady = [
        trait for trait in order if not trait.startswith(("software ", "secret ")) and tallies[trait].pace.steady_us
    ]
    steady.sort(key=lambda trait: (tallies[trait].pace.steady_us, trait))
    return [(one, other) for one, other in pairwise(steady) if tallies[one].pace.is_like(tallies[other].pace)]


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
        self._entries: dict[Meaning, dict[str, EnteredAccount]] = {Meaning.ENTERED: {}, Meaning.PROVED: {}}
        self._known: set[str] = set()

    def hostile(self, attempt: Observed, shared: Iterable[str]) -> None:
        self._counts[attempt.meaning] += 1
        for trait in shared:
            self._traits[trait] = self._traits.get(trait, 0) + 1
        for name, sample in self._distinct.items():
            sample.add(getattr(attempt, name))
        if attempt.network and len(self._networks) < NETWORKS_MAX:
            self._networks.add(attempt.network)
        times_us = [*self._times_us, attempt.at_us]
        self._times_us = [min(times_us), max(times_us)]

    def entered(self, attempt: Observed, by: str) -> None:
        entries, account, at_us = self._entries[attempt.meaning], attempt.account, attempt.at_us
        old = entries.get(account)
        if old is not None:
            first_us, last_us = min(old.first_us, at_us), max(old.last_us, at_us)
            entries[account] = EnteredAccount(account, first_us, last_us, old.times + 1, old.network, old.by)
        elif account and sum(map(len, self._entries.values())) < ENTERED_MAX:
            entries[account] = EnteredAccount(account, at_us, at_us, 1, attempt.network, by)

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


def _by_time(entry: EnteredAccount) -> tuple[int, str]:
    return entry.first_us, entry.account


def _collected(attempts: Iterable[Observed], groups: _Groups) -> dict[str, _Collecting]:
    found: dict[str, _Collecting] = {}
    for attempt in attempts:
        counts = groups.leaders if attempt.meaning in HOSTILE else groups.telling
        shared = (
            [trait for trait in traits(attempt) if trait in counts] if attempt.meaning is not Meaning.NOTHING else []
        )
        if not shared:
            continue
        leader = groups.leaders[shared[0]]
        campaign = found.setdefault(leader, _Collecting(leader))
        if attempt.meaning in HOSTILE:
            campaign.hostile(attempt, shared)
        elif attempt.meaning is Meaning.RIGHT:
            campaign.known(attempt.account)
        else:
            campaign.entered(attempt, shared[-1])
    return found


def name_of(leader: str) -> str:
    """A name of eight characters for a campaign, made from its leading trait: the same trait gives the same name."""
    return f"c-{blake2b(leader.encode(), digest_size=3).hexdigest()}"
