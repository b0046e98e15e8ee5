"""A day of events, counted by minute, in bounded memory. Pure."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from sekisho.record import Kind
from sekisho.record.campaigns.space_saving import SpaceSaving
from sekisho.record.events import WITHHELD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.record import Event

DAY_S: Final = 86_400
MINUTE_S: Final = 60
SLICE_S: Final = 600
"""The most frequent networks and accounts are known for spans of so many seconds."""

DECIDED: Final = ("allow", "challenge", "step_up", "throttle", "deny", Kind.UNREADABLE, Kind.CROWDED)
"""What becomes of an attempt that arrives; each has one of these."""
ANSWERED: Final = ("succeeded", "withheld", "failed", "unknown")
"""What the application says to the attempts that reach it."""
PROOFS: Final = (Kind.STEP_UP_ISSUED, Kind.STEP_UP_PROVED, Kind.STEP_UP_FAILED)

NOTABLE: Final = frozenset({
    Kind.COMMANDED, Kind.CAMPAIGN, Kind.DEGRADED, Kind.MISCONFIGURED, Kind.MODE_CHANGED, Kind.NOTICE_LOST,
    Kind.POSTURE_CHANGED, Kind.RECOVERED, Kind.STORE_EMPTIED, Kind.SUCCESS_RULE,
})  # fmt: skip

NOTABLE_MAX: Final = 200
RECENT_MAX: Final = 20_000
KEYS_MAX: Final = 1_000
COUNTERS_MAX: Final = 256
TOP: Final = 10
_TOLD_AGAIN_US: Final = 5_000_000
"""Each worker tells of a command, of the posture and of a campaign: within this time it is the same one."""

Key = tuple[str, str]
Name = TypeVar("Name", str, Key)


class Frequent(NamedTuple):
    """A network or an account, and how many of its attempts were refused or wrong, at least."""

    name: str
    hostile: int


class Summary(NamedTuple):
    """What happened in a span.

    Attributes:
        start_s: Unix time at which the first column begins.
        step_s: seconds of a column.
        columns: by word of `DECIDED`, `ANSWERED` and `PROOFS`, a number for each column, the oldest first.
        reasons: codes of findings, each with its number, the most frequent first.
        doors: names, each with its number of attempts.
        networks, accounts: those with the most hostile attempts.
    """

    start_s: int
    step_s: int
    columns: dict[str, list[int]]
    reasons: list[tuple[str, int]]
    doors: list[tuple[str, int]]
    networks: list[Frequent]
    accounts: list[Frequent]


class _Minute:
    """Numbers by door and word, and by door and reason."""

    __slots__ = ("reasons", "words")

    def __init__(self) -> None:
        self.words: Counter[Key] = Counter()
        self.reasons: Counter[Key] = Counter()


class _Names:
    """How often names came, at least: the most frequent ones, and those of sums."""

    def __init__(self) -> None:
        self._single = SpaceSaving(COUNTERS_MAX)
        self._summed: Counter[str] = Counter()

    def add(self, name: str, times: int) -> None:
        if times == 1:
            self._single.add(name)
        else:
            _add(self._summed, name, times)

    def least(self) -> Iterator[tuple[str, int]]:
        yield from self._summed.items()
        yield from self._single.least()


class _Slice:
    """The networks and accounts with the most hostile attempts."""

    __slots__ = ("accounts", "networks")

    def __init__(self) -> None:
        self.networks = _Names()
        self.accounts = _Names()


class Tally:
    """Counts events of the last day. Older ones than that before the newest are left out.

    Attributes:
        newest_us: the time of the newest event, in Unix microseconds; 0 before the first.
        notable: what operators did, and what an operator has to know, the oldest first.
        recent: the newest events, the oldest first.
    """

    def __init__(self) -> None:
        self._minutes: dict[int, _Minute] = {}
        self._slices: dict[int, _Slice] = {}
        self.newest_us = 0
        self.notable: deque[Event] = deque(maxlen=NOTABLE_MAX)
        self.recent: deque[Event] = deque(maxlen=RECENT_MAX)

    def add(self, event: Event) -> None:
        at_s = event.at_us // 1_000_000
        if at_s < self.newest_us // 1_000_000 - DAY_S:
            return
        if at_s // MINUTE_S > self.newest_us // 1_000_000 // MINUTE_S:
            self._forget(at_s - DAY_S)
        self.newest_us = max(self.newest_us, event.at_us)
        self.recent.append(event)
        if event.kind in NOTABLE and not self._is_told(event):
            self.notable.append(event)
        word = _word(event)
        if word:
            self._count(event, word, at_s)

    def summary(self, now_s: float, span_s: int, step_s: int, door: str = "") -> Summary:
        """What happened in the last `span_s` seconds, in columns of `step_s`; at one door, or at all of them."""
        end_s = int(now_s) // step_s * step_s + step_s
        start_s = end_s - span_s
        columns = {word: [0] * (span_s // step_s) for word in (*DECIDED, *ANSWERED, *PROOFS)}
        reasons: Counter[str] = Counter()
        doors: Counter[str] = Counter()
        for at_s, minute in self._since(start_s, end_s):
            for (of, word), times in minute.words.items():
                if word in DECIDED:
                    doors[of] += times
                if door in {"", of}:
                    columns[word][(at_s - start_s) // step_s] += times
            for (of, code), times in minute.reasons.items():
                if door in {"", of}:
                    reasons[code] += times
        slices = [each for at, each in self._slices.items() if start_s < (at + 1) * SLICE_S and at * SLICE_S < end_s]
        return Summary(
            start_s,
            step_s,
            columns,
            reasons.most_common(),
            sorted(doors.items()),
            _most([each.networks for each in slices]),
            _most([each.accounts for each in slices]),
        )

    def about(self, account: str = "", address: str = "", most: int = 100) -> list[Event]:
        """The newest events of an account or an address, by their digests, the newest first."""
        found = []
        for event in reversed(self.recent):
            if (account and event.subject.account == account) or (address and event.subject.address == address):
                found.append(event)
                if len(found) == most:
                    break
        return found

    def _since(self, start_s: int, end_s: int) -> Iterator[tuple[int, _Minute]]:
        for number, minute in self._minutes.items():
            if start_s <= number * MINUTE_S < end_s:
                yield number * MINUTE_S, minute

    def _count(self, event: Event, word: str, at_s: int) -> None:
        minute = self._minutes.get(at_s // MINUTE_S)
        if minute is None:
            minute = self._minutes[at_s // MINUTE_S] = _Minute()
        _add(minute.words, (event.door, word), event.times)
        if event.kind in {Kind.DECIDED, Kind.UNREADABLE}:
            for code in event.reasons:
                _add(minute.reasons, (event.door, code), event.times)
        if word in {"throttle", "deny", "failed"}:
            self._note_hostile(event, at_s)

    def _note_hostile(self, event: Event, at_s: int) -> None:
        found = self._slices.get(at_s // SLICE_S)
        if found is None:
            found = self._slices[at_s // SLICE_S] = _Slice()
        if event.subject.network:
            found.networks.add(event.subject.network, event.times)
        if event.subject.account:
            found.accounts.add(event.subject.account, event.times)

    def _forget(self, before_s: int) -> None:
        self._minutes = {at: each for at, each in self._minutes.items() if (at + 1) * MINUTE_S > before_s}
        self._slices = {at: each for at, each in self._slices.items() if (at + 1) * SLICE_S > before_s}

    def _is_told(self, event: Event) -> bool:
        return any(abs(event.at_us - told.at_us) < _TOLD_AGAIN_US and event.sort == told.sort for told in self.notable)


def _word(event: Event) -> str:
    """The word under which an event is counted; empty if it is not."""
    if event.kind == Kind.DECIDED:
        return event.action if event.action in DECIDED else ""
    if event.kind == Kind.SETTLED:
        word = WITHHELD if WITHHELD in event.reasons and event.result == "succeeded" else event.result
        return word if word in ANSWERED else ""
    return event.kind if event.kind in DECIDED or event.kind in PROOFS else ""


def _add(counter: Counter[Name], key: Name, times: int) -> None:
    # Bounded: a file that another program wrote may have any number of doors and reasons.
    if key in counter or len(counter) < KEYS_MAX:
        counter[key] += times


def _most(those: list[_Names]) -> list[Frequent]:
    sums: Counter[str] = Counter()
    for names in those:
        for name, times in names.least():
            sums[name] = sums.get(name, 0) + times
    return [Frequent(name, hostile) for name, hostile in sums.most_common(TOP)]
