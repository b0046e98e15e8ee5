"""Estimates the posture from strangers' outcomes. Pure: frozen state in, frozen state out.

Credential stuffing succeeds for 0.2 to 2% of attempts, honest log-ins for 60 to 85%. Known devices are left out: their
successes would dilute the ratio fivefold. Each outcome moves a CUSUM (Page, "Continuous Inspection Schemes", 1954):

    score = max(0, score + failed - (clean + SLACK))

`failed` is 1 or 0, and `clean` is the ratio of failures in calm. Below that reference the score stays near 0; above it,
it rises with every attempt, however slowly they arrive and from however many addresses. There is one score for each
door as a whole (the site's), for each network, each IPv6 provider (/32) and each browser family there.

**Poisoning is bounded.** One network, one provider and one group of accounts raise the site's score by at most
`SHARE_MAX`, so none of them alone raises the site's posture. One network or provider does not raise the score of a
browser family either, nor one network that of its provider: other owners share them, so an outcome counts there as long
as the score of its own network is below `SHARE_MAX`. An account counts as one success a day (the caller sees to that),
and a proof takes back no more than the network and the group of accounts of its attempt have added. Successes of new
accounts beyond their usual share count for three fifths (`NewAccounts`).
The clean ratio is learned in calm only, by at most `STEP_MAX` a day, within `CLEAN_MIN` and `CLEAN_MAX`.

`hostile` is the estimate of Herley and Schechter ("Distinguishing Attacks from Legitimate Authentication Traffic at
Scale", NDSS 2019): the failures beyond those that the successes explain.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - compiled dataclasses look their annotations up
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from sekisho.model.posture import NO_BROWSER, Posture, ToldOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.model.posture import StrangerOutcome

_Tag = TypeVar("_Tag")

SLACK: Final = 0.28
"""The ratio of failures above the clean one that is still no attack."""
SCORE_ELEVATED: Final = 15.0
SCORE_ATTACK: Final = 25.0
SCORE_CALM: Final = 4.0
"""A raised posture ends below this score. Between it and `SCORE_ELEVATED` nothing changes (hysteresis)."""
SCORE_MAX: Final = 50.0  # so that some hundred honest outcomes end any attack
OUTCOMES_MIN: Final = 40  # since the score was last 0

SHARE_MAX: Final = SCORE_ATTACK / 5
SHARES: Final = 64  # groups of networks, and of accounts, by digest

CLEAN_START: Final = 0.30
CLEAN_MIN: Final = 0.15
CLEAN_MAX: Final = 0.45
STEP_MAX: Final = 0.03
LEARN: Final = 0.25  # the weight of one day
DAY_OUTCOMES_MIN: Final = 50  # a day with fewer is counted together with the next
DAY_S: Final = 86_400

NEW_MARGIN: Final = 2.0
NEW_EXCESS: Final = 0.6
"""Chosen on seeds 101 to 120: at 0.5, a campaign raised an alarm where 5 percentage points more failed on its day."""

NEW_LATELY: Final = 32  # successes
DAY_SUCCESSES_MIN: Final = 25  # a day with fewer teaches nothing about new accounts

HOLD_S: Final = 600
HOLDS_MAX: Final = 5
"""A raised posture lasts ten minutes at least, and twice as long after each fall of the last day, up to 5.3 hours."""
HALF_LIFE_S: Final = 86_400  # of a score: a site without strangers does not stay raised
SILENCE_S: Final = 3_600
"""Below `Posture.ATTACK` a score is forgotten only beyond such a silence (threat P12): a small site forgot guesses as
fast as they came, and four in an hour were never an attack."""
VOLUME_HALF_LIFE_S: Final = 3_600
NETWORKS_MAX: Final = 256  # at each door; the lowest scores give way
BROWSERS_MAX: Final = 16
PROVIDERS_MAX: Final = 64
SCORE_FORGOTTEN: Final = 0.05


class Segment(NamedTuple):
    """One score, in the order in which it is stored.

    Attributes:
        score: of the CUSUM.
        failed, succeeded: outcomes, of which half are forgotten after an hour.
        outcomes: since the score was last 0.
        posture: that it calls for.
        since_s: the Unix time at which the posture last changed.
        falls: how often it fell lately.
        at_s: the Unix time of `score`, `failed` and `succeeded`, from which they decay.
    """

    score: float = 0.0
    failed: float = 0.0
    succeeded: float = 0.0
    outcomes: int = 0
    posture: Posture = Posture.CALM
    since_s: int = 0
    falls: int = 0
    at_s: int = 0

    def hostile(self, clean: float, now_s: int) -> float:
        """Return the estimated number of attempts by an attacker in about the last hour (Herley and Schechter 2019).

        Args:
            clean: the ratio of failures in calm.
            now_s: Unix time.
        """
        remembered = _left(now_s - self.at_s, VOLUME_HALF_LIFE_S)
        return max(0.0, self.failed - self.succeeded * clean / (1 - clean)) * remembered


class NewAccounts(NamedTuple):
    """How many of a door's successes are of new accounts, in the order in which it is stored.

    An attacker registers accounts, and logs in to them to hide failures. They count in full up to `NEW_MARGIN` times
    their usual number, and for `NEW_EXCESS` beyond. A campaign that brings many new owners raises no alarm by that,
    as long as no more of them fail than of others.

    Attributes:
        usual: their share of the successes in calm, learned over days. At a new door all accounts are new.
        lately: their share of the last `NEW_LATELY` successes or so.
        today: their successes of the days that are counted for learning, in calm.
    """

    usual: float = 1.0
    lately: float = 1.0
    today: int = 0

    @property
    def weight(self) -> float:
        """What a success of a new account counts, of 1."""
        usual, lately = self.usual * (1 - self.lately), self.lately * (1 - self.usual)
        in_full = min(1.0, NEW_MARGIN * usual / lately) if lately else 1.0
        return NEW_EXCESS + (1 - NEW_EXCESS) * in_full

    def with_success(self, *, is_new: bool, learn: bool) -> NewAccounts:
        """After one more success. `learn`: it is one in calm."""
        lately = self.lately + (is_new - self.lately) / NEW_LATELY
        return NewAccounts(self.usual, lately, self.today + (is_new and learn))

    def next_day(self, successes: int) -> NewAccounts:
        """After a day with so many successes in calm. The usual share rises by `STEP_MAX` a day at most."""
        if successes < DAY_SUCCESSES_MIN:
            return self._replace(today=0)
        step = min(STEP_MAX, LEARN * (self.today / successes - self.usual))
        return NewAccounts(self.usual + step, self.lately)


CALM_SEGMENT: Final = Segment()
ALL_NEW: Final = NewAccounts()
NO_SHARES: Final = (0.0,) * SHARES


@dataclass(frozen=True, slots=True)
class DoorPosture:
    """The scores of one door.

    Attributes:
        site: of all strangers.
        networks: by the network of a `StrangerOutcome`.
        browsers: by its browser family.
        clean: the ratio of failures in calm.
        network_shares, account_shares: what each group has added to the site's score since that was last 0.
        day: the day that is counted for learning; days since 1970.
        day_failed, day_outcomes: of this day, in calm, and of days before that were too few to learn from.
        providers: by the provider of a `StrangerOutcome`.
        new: see `NewAccounts`.
    """

    site: Segment = CALM_SEGMENT
    networks: Mapping[bytes, Segment] = field(default_factory=dict)
    browsers: Mapping[int, Segment] = field(default_factory=dict)
    clean: float = CLEAN_START
    network_shares: tuple[float, ...] = NO_SHARES
    account_shares: tuple[float, ...] = NO_SHARES
    day: int = 0
    day_failed: int = 0
    day_outcomes: int = 0
    providers: Mapping[bytes, Segment] = field(default_factory=dict)
    new: NewAccounts = ALL_NEW

    @property
    def is_raised(self) -> bool:
        """Whether the door's own posture, or that of any network, provider or browser family at it, is above calm."""
        parts = (*self.networks.values(), *self.providers.values(), *self.browsers.values())
        return any(one.posture for one in (self.site, *parts))


@dataclass(frozen=True, slots=True)
class PostureState:
    """The scores of all doors, at a Unix time in seconds."""

    doors: Mapping[str, DoorPosture] = field(default_factory=dict)
    at_s: int = 0

    @property
    def is_raised(self) -> bool:
        return any(door.is_raised for door in self.doors.values())


class PostureChange(NamedTuple):
    """A segment's posture is another one than before.

    Attributes:
        door: its name.
        segment: `site`, `network`, `provider` or `browser`; `forced` by an operator for all doors; or `estimated`
            again.
        posture: the new one.
        before: the one until then. The same where an operator forces what was estimated, or lets go of it.
    """

    door: str
    segment: str
    posture: Posture
    before: Posture


def advance(state: PostureState, outcomes: Iterable[StrangerOutcome], now_s: int) -> PostureState:
    """Return the state after these outcomes of strangers, at the Unix time `now_s`. Time alone ends raised postures.

    A segment, a door or a state that nothing has changed stays the same object, and a quiet site has nothing to store:
    each score decays from its own time when it is next used.

    Proofs are taken last: of a second, failures and proofs come from many processes in any order. A proof that came
    before others' failures at a score of 0 would take nothing back, and a large site's score would never be 0.
    """
    now_s = max(now_s, state.at_s)
    working = {name: _Working(door, now_s) for name, door in state.doors.items()}
    for outcome in sorted(outcomes, key=_is_proof):
        door = working.get(outcome.door)
        if door is None:
            door = working[outcome.door] = _Working(DoorPosture(), now_s)
        door.take(outcome)
    doors = {name: door.done() for name, door in working.items()}
    return state if _same(doors, state.doors) else PostureState(doors, now_s)


def redated(state: PostureState, by_s: int) -> PostureState:
    """Return the state as if its clock had been set by so many seconds before: all scores and postures keep their age.

    The day of learning goes on, so that no clock that is set back and forth ends several days at once.
    """
    if not by_s or not state.doors:
        return state
    at_s = state.at_s + by_s
    return PostureState({name: _redated_door(door, by_s, at_s // DAY_S) for name, door in state.doors.items()}, at_s)


def _redated_door(door: DoorPosture, by_s: int, day: int) -> DoorPosture:
    return DoorPosture(
        _redated(door.site, by_s),
        {tag: _redated(one, by_s) for tag, one in door.networks.items()},
        {tag: _redated(one, by_s) for tag, one in door.browsers.items()},
        door.clean,
        door.network_shares,
        door.account_shares,
        day,
        door.day_failed,
        door.day_outcomes,
        {tag: _redated(one, by_s) for tag, one in door.providers.items()},
        door.new,
    )


def _redated(segment: Segment, by_s: int) -> Segment:
    return segment._replace(since_s=max(0, segment.since_s + by_s), at_s=max(0, segment.at_s + by_s))


def _same(doors: Mapping[str, DoorPosture], before: Mapping[str, DoorPosture]) -> bool:
    return all(door is before.get(name) for name, door in doors.items())


def changes(before: PostureState, after: PostureState) -> list[PostureChange]:
    """Return the postures that differ between two states. A segment that a state lacks is calm in that state."""
    found: list[PostureChange] = []
    for name in sorted({*before.doors, *after.doors}):
        old, new = before.doors.get(name, DoorPosture()), after.doors.get(name, DoorPosture())
        if old is new:
            continue
        found += _changes(name, "site", {"": old.site}, {"": new.site})
        found += _changes(name, "network", old.networks, new.networks)
        found += _changes(name, "provider", old.providers, new.providers)
        found += _changes(name, "browser", old.browsers, new.browsers)
    return found


def _changes(door: str, kind: str, old: Mapping[_Tag, Segment], new: Mapping[_Tag, Segment]) -> list[PostureChange]:
    if old is new:
        return []
    turned = [(one.posture, old.get(tag, CALM_SEGMENT).posture) for tag, one in new.items()]
    ended = [(Posture.CALM, old[tag].posture) for tag in old.keys() - new.keys()]
    return [PostureChange(door, kind, after, before) for after, before in turned + ended if after is not before]


class _Working:
    """The mutable copy of a door's scores while outcomes are added. Scores that nothing touches are not copied."""

    def __init__(self, door: DoorPosture, now_s: int) -> None:
        self._before = door
        self._now_s = now_s
        self._taken = False
        kept = _kept(door.site, now_s)
        self._site = _Score(door.site, now_s)
        self._networks = _Scores(door.networks, now_s)
        self._providers = _Scores(door.providers, now_s)
        self._browsers = _Scores(door.browsers, now_s)
        self._network_shares = [share * kept for share in door.network_shares]
        self._account_shares = [share * kept for share in door.account_shares]
        self._clean = door.clean
        self._day, self._day_failed, self._day_outcomes = door.day, door.day_failed, door.day_outcomes
        self._new = door.new
        self._turn_day()

    def take(self, outcome: StrangerOutcome) -> None:
        self._taken = True
        told = outcome.told
        failure, success = _steps(told, self._clean + SLACK)
        if told is ToldOutcome.NEW_SUCCEEDED:
            success *= self._new.weight
        network = self._networks.of(outcome.network)
        raised = self._site.posture or network.posture
        shared = network.shares(failure)
        network.add(failure + success, told)
        if outcome.provider:
            provider = self._providers.of(outcome.provider)
            raised, at_provider = raised or provider.posture, shared
            shared = provider.shares(shared)
            provider.add(at_provider + success, told)
        if outcome.browser != NO_BROWSER:
            browser = self._browsers.of(outcome.browser)
            raised = raised or browser.posture
            browser.add(shared + success, told)
        self._learn(told, in_calm=not raised)
        self._site.add(self._shared(failure, success, outcome), told)
        if not self._site.score:
            self._network_shares, self._account_shares = [0.0] * SHARES, [0.0] * SHARES

    def _shared(self, failure: float, success: float, outcome: StrangerOutcome) -> float:
        """The step of the site's score, within the shares of the outcome's network and account."""
        at_network, at_account = _group(outcome.provider or outcome.network), _group(outcome.account)
        networks, accounts = self._network_shares, self._account_shares
        if failure > 0:
            # A single network, or an account under attack, must not have all strangers asked for a proof.
            failure = min(failure, SHARE_MAX - networks[at_network], SHARE_MAX - accounts[at_account])
        else:
            # Threat P9: proofs of one account must not take back the failures of all others.
            failure = -min(-failure, networks[at_network], accounts[at_account])
        step = failure + success
        networks[at_network] = max(0.0, networks[at_network] + step)
        accounts[at_account] = max(0.0, accounts[at_account] + step)
        return step

    def _learn(self, told: ToldOutcome, *, in_calm: bool) -> None:
        # Proofs are not counted: whether a proof was asked for depends on the posture.
        if told is ToldOutcome.PROVED or told is ToldOutcome.WITHDRAWN:
            return
        if told is not ToldOutcome.FAILED:
            self._new = self._new.with_success(is_new=told is ToldOutcome.NEW_SUCCEEDED, learn=in_calm)
        if in_calm:
            self._day_outcomes += 1
            self._day_failed += told is ToldOutcome.FAILED

    def _turn_day(self) -> None:
        today = self._now_s // DAY_S
        if today == self._day:
            return
        if self._day_outcomes >= DAY_OUTCOMES_MIN:
            step = LEARN * (self._day_failed / self._day_outcomes - self._clean)
            learned = self._clean + min(STEP_MAX, max(-STEP_MAX, step))
            self._clean = min(CLEAN_MAX, max(CLEAN_MIN, learned))
            self._new = self._new.next_day(self._day_outcomes - self._day_failed)
            self._day_failed = self._day_outcomes = 0
        self._day = today

    def done(self) -> DoorPosture:
        before, site = self._before, self._site.turned()
        # They decay from the time of the site's score.
        is_same = site is before.site
        found = DoorPosture(
            site,
            self._networks.turned(NETWORKS_MAX),
            self._browsers.turned(BROWSERS_MAX),
            self._clean,
            before.network_shares if is_same else tuple(self._network_shares),
            before.account_shares if is_same else tuple(self._account_shares),
            self._day,
            self._day_failed,
            self._day_outcomes,
            self._providers.turned(PROVIDERS_MAX),
            self._new,
        )
        return found if self._taken or self._differs(found) else before

    def _differs(self, found: DoorPosture) -> bool:
        """Whether time alone has changed this door."""
        old = self._before
        parts = found.site is old.site, found.networks is old.networks, found.browsers is old.browsers
        return not all(parts) or found.providers is not old.providers or found.day != old.day


class _Scores(Generic[_Tag]):
    """The scores of the networks, the providers or the browser families of one door."""

    def __init__(self, before: Mapping[_Tag, Segment], now_s: int) -> None:
        self._before = before
        self._now_s = now_s
        # Time alone may end a raised posture.
        self._touched = {tag: _Score(one, now_s) for tag, one in before.items() if one.posture}

    def of(self, tag: _Tag) -> _Score:
        score = self._touched.get(tag)
        if score is None:
            score = self._touched[tag] = _Score(self._before.get(tag, CALM_SEGMENT), self._now_s)
        return score

    def turned(self, most: int) -> Mapping[_Tag, Segment]:
        """All scores by now, without those near 0, and of the others the highest; the same object if none changed."""
        turned = {tag: score.turned() for tag, score in self._touched.items()}
        if all(one is self._before.get(tag) for tag, one in turned.items()):
            return self._before
        found = {**self._before, **turned}
        kept = [(tag, one) for tag, one in found.items() if one.posture or one.score >= SCORE_FORGOTTEN]
        if len(kept) > most:
            kept = sorted(kept, key=self._weight, reverse=True)[:most]
        return dict(kept)

    def _weight(self, item: tuple[_Tag, Segment]) -> tuple[int, float]:
        # Raised segments are kept: an attacker with many networks must not push out the one that was recognised. Of the
        # others, the scores of today count: those of days ago would let no other network in.
        _, one = item
        return one.posture, one.score * _left(self._now_s - one.at_s, HALF_LIFE_S)


class _Score:
    """The mutable copy of a segment, decayed."""

    def __init__(self, segment: Segment, now_s: int) -> None:
        self._segment = segment
        self._now_s = now_s
        self._added = False
        self.posture = segment.posture
        self.score = segment.score * _kept(segment, now_s)
        self._outcomes = segment.outcomes
        remembered = _left(now_s - segment.at_s, VOLUME_HALF_LIFE_S)
        self._failed, self._succeeded = segment.failed * remembered, segment.succeeded * remembered

    def shares(self, failure: float) -> float:
        """How much of a failure here, or of one that is taken back, a score counts that other owners share."""
        return min(self.score + failure, SHARE_MAX) - min(self.score, SHARE_MAX)

    def add(self, step: float, told: ToldOutcome) -> None:
        self._added = True
        self.score = min(SCORE_MAX, max(0.0, self.score + step))
        self._outcomes = self._outcomes + 1 if self.score else 0
        if told is ToldOutcome.FAILED:
            self._failed += 1
            return
        if told is ToldOutcome.PROVED or told is ToldOutcome.WITHDRAWN:
            self._failed = max(0.0, self._failed - 1)
        if told is not ToldOutcome.WITHDRAWN:
            self._succeeded += 1

    def turned(self) -> Segment:
        """The segment by now, with the posture that its score calls for; the same object if neither changed."""
        before, now_s = self._segment, self._now_s
        posture, since_s, falls = before.posture, before.since_s, before.falls
        if falls and not posture and now_s - since_s >= DAY_S:
            falls = 0
        aimed = _aimed(self.score, self._outcomes)
        if aimed > posture:
            posture, since_s = aimed, now_s
        elif posture and self.score < _FALLS_BELOW[posture] and now_s - since_s >= HOLD_S << falls:
            posture, since_s, falls = Posture(posture - 1), now_s, min(HOLDS_MAX, falls + 1)
        if not self._added and posture is before.posture:
            return before
        scores = round(self.score, 3), round(self._failed, 2), round(self._succeeded, 2)
        return Segment(*scores, self._outcomes, posture, since_s, falls, now_s)


_FALLS_BELOW: Final = (0.0, SCORE_CALM, SCORE_ELEVATED)  # by posture


def _aimed(score: float, outcomes: int) -> Posture:
    if outcomes < OUTCOMES_MIN or score < SCORE_ELEVATED:
        return Posture.CALM
    return Posture.ATTACK if score >= SCORE_ATTACK else Posture.ELEVATED


def _kept(segment: Segment, now_s: int) -> float:
    """The share of a segment's score that is not forgotten by now."""
    silent_s = now_s - segment.at_s
    return _left(silent_s if segment.posture is Posture.ATTACK else silent_s - SILENCE_S, HALF_LIFE_S)


def _left(elapsed_s: int, half_life_s: int) -> float:
    return float(0.5 ** (elapsed_s / half_life_s)) if elapsed_s > 0 else 1.0


def _steps(told: ToldOutcome, reference: float) -> tuple[float, float]:
    """The steps of an outcome as a failure and as a success, of which each may be none."""
    # A proof takes back the failure that its attempt was counted as; once a day it is a success besides.
    if told is ToldOutcome.FAILED:
        return 1.0 - reference, 0.0
    taken_back = reference - 1.0 if told is ToldOutcome.PROVED or told is ToldOutcome.WITHDRAWN else 0.0
    return taken_back, 0.0 if told is ToldOutcome.WITHDRAWN else -reference


def _is_proof(outcome: StrangerOutcome) -> bool:
    return outcome.told is ToldOutcome.PROVED or outcome.told is ToldOutcome.WITHDRAWN


def _group(tag: bytes) -> int:
    return tag[0] % SHARES if tag else 0
