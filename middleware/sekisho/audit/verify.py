"""Verifies audit files: finds lines that were changed, removed, moved or added, and chains whose end is missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

from sekisho.audit.chain import CLOSED, OPENED, REOPEN_LINES, derived_key, link_of, next_key, opening_key, place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import BinaryIO

    from sekisho.audit.chain import Link
    from sekisho.audit.checkpoints import Checkpoint

LINE_BYTES_MAX: Final = 32_768
GAP_MAX: Final = REOPEN_LINES  # behind more missing lines there is another opening line
PROBLEMS_MAX: Final = 1_000

NO_AUDIT = "is no line of an audit: changed, cut, or added"
CHANGED = "was changed, or is not by this service, or the opening line before it is missing"
ADDED = "is a copy, or stands behind a later line of its chain"
MISSING = "{} lines of its chain are missing before it"
UNOPENED = "comes before an opening line of its chain, which is missing"
NO_RECIPIENT = "opens a chain for a recipient: its lines are verified with --open"
CUT = "chain {}: ends with line {} of it, and a checkpoint says that it had {}"
OTHER = "chain {}: its line {} is not the one that a checkpoint tells of"
GONE = "chain {}: a checkpoint of {} tells of it, and no line of it is there"


class Problem(NamedTuple):
    """Attributes:
    file: where it is; empty where a checkpoint shows it.
    line: its number; 0 where a checkpoint shows it.
    text: what it is.
    """

    file: str
    line: int
    text: str


@final
class ChainFound:
    """What was found of a chain.

    Attributes:
        first, last: numbers of lines; -1: none.
        is_closed: whether the last line closes the chain: its worker ended by itself.
    """

    def __init__(self) -> None:
        self.key: bytes | None = None
        self.first = self.last = -1
        self.is_closed = False
        self.macs: dict[int, str] = {}


@final
class Verification:
    """The result, as it grows.

    Attributes:
        problems: in the order of the lines, at most `PROBLEMS_MAX`.
        lines: read.
            unverified: lines whose key is not known.
        chains: by id.
        events: how many events of each kind, action and result the verified lines of our own dialect stand for.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.more_problems = 0
        self.lines = self.unverified = 0
        self.chains: dict[str, ChainFound] = {}
        self.events: dict[tuple[str, str], int] = {}
        self.first_time = ""


@final
class Verifier:
    """Args:
    keys: the audit keys, one for each of the service's secrets.
    checkpoints: the furthest of each chain.
    open_key: opens a sealed key at its place; None: the private key was not given.
    is_part: whether the lines are a part of a stream, which may begin anywhere.
    """

    def __init__(
        self,
        keys: Sequence[bytes],
        checkpoints: Mapping[str, Checkpoint],
        open_key: Callable[[str, str], bytes | None] | None = None,
        *,
        is_part: bool = False,
    ) -> None:
        self._keys = keys
        self._checkpoints = checkpoints
        self._open_key = open_key
        self._is_part = is_part
        self.found = Verification()
        self._file = ""
        self._number = 0

    def read(self, name: str, lines: BinaryIO) -> None:
        """Verify the lines of one file, whose findings bear `name`. Call it for older files first.

        Only one line is in memory at a time.
        """
        self._file, self._number = name, 0
        while line := lines.readline(LINE_BYTES_MAX + 1):
            self._number += 1
            self.found.lines += 1
            self._line(line)

    def end(self) -> Verification:
        """Compare what was read with the checkpoints. Call it after the last file; returns all findings."""
        for chain, checkpoint in sorted(self._checkpoints.items()):
            self._compare(chain, checkpoint)
        return self.found

    def _line(self, line: bytes) -> None:
        link = link_of(line[:-1]) if line.endswith(b"\n") else None
        fields = _fields(line) if link is not None else None
        if link is None or fields is None:
            return self._problem(NO_AUDIT)
        chain = self.found.chains.setdefault(link.chain, ChainFound())
        is_good = self._opens(chain, link, fields) if _kind(fields) == OPENED else self._follows(chain, link)
        if is_good:
            self._note(chain, link, fields)
        return None

    def _opens(self, chain: ChainFound, link: Link, fields: Mapping[str, Any]) -> bool:
        key = next((key for key in self._keys if link.is_by(opening_key(key, link.chain, link.number))), None)
        if key is None:
            self._problem(CHANGED)
            return False
        if not self._is_next(chain, link):
            return False
        sealed = _sealed_key(fields)
        if sealed is None:
            chain.key = derived_key(key, link.chain, link.number)
        else:
            chain.key = self._open_key(sealed, place(link.chain, link.number)) if self._open_key is not None else None
            if chain.key is None:
                self._problem(NO_RECIPIENT)
        return True

    def _follows(self, chain: ChainFound, link: Link) -> bool:
        if chain.key is None:
            return self._unknown(chain)
        gap = link.number - chain.last - 1
        if gap < 0:
            self._problem(ADDED)
            return False
        key = chain.key
        for _ in range(min(gap, GAP_MAX)):
            key = next_key(key)
        is_good = gap <= GAP_MAX and link.is_by(key)
        if is_good:
            self._is_next(chain, link)
        else:
            self._problem(CHANGED)
        if is_good or not gap:
            chain.key, chain.last = next_key(key), link.number
        return is_good

    def _unknown(self, chain: ChainFound) -> bool:
        """A line whose key is not known: it is before an opening line, or the private key was not given."""
        if chain.last >= 0 or self._is_part:
            self.found.unverified += 1
        else:
            self._problem(UNOPENED)
        return False

    def _is_next(self, chain: ChainFound, link: Link) -> bool:
        if link.number <= chain.last:
            self._problem(ADDED)
            return False
        # A chain may begin with a later line: older files are removed in time.
        if chain.last >= 0 and (gap := link.number - chain.last - 1):
            self._problem(MISSING.format(gap))
        return True

    def _note(self, chain: ChainFound, link: Link, fields: Mapping[str, Any]) -> None:
        found = self.found
        chain.first = link.number if chain.first < 0 else chain.first
        chain.last = link.number
        kind = _kind(fields)
        chain.is_closed = kind == CLOSED
        checkpoint = self._checkpoints.get(link.chain)
        if checkpoint is not None and checkpoint.number == link.number:
            chain.macs[link.number] = link.mac
        time = fields.get("time")
        if isinstance(time, str):
            found.first_time = min(found.first_time or time, time)
        if kind not in {OPENED, CLOSED}:
            what = (kind, " ".join(filter(None, (_text(fields, "action"), _text(fields, "result")))))
            times = fields.get("times", 1)
            found.events[what] = found.events.get(what, 0) + (times if isinstance(times, int) else 1)

    def _compare(self, chain: str, checkpoint: Checkpoint) -> None:
        found = self.found.chains.get(chain)
        self._file, self._number = "", 0
        if found is None:
            # A chain that ended before the oldest line was removed with its file.
            if checkpoint.time >= self.found.first_time:
                self._problem(GONE.format(chain, checkpoint.time))
        elif checkpoint.number > found.last:
            self._problem(CUT.format(chain, found.last, checkpoint.number))
        elif found.macs.get(checkpoint.number, checkpoint.mac) != checkpoint.mac:
            self._problem(OTHER.format(chain, checkpoint.number))

    def _problem(self, text: str) -> None:
        if len(self.found.problems) < PROBLEMS_MAX:
            self.found.problems.append(Problem(self._file, self._number, text))
        else:
            self.found.more_problems += 1


def verify(verifier: Verifier, files: Iterable[tuple[str, BinaryIO]]) -> Verification:
    """Verify files (names and lines) in the order in which they were written, and return all findings."""
    for name, lines in files:
        verifier.read(name, lines)
    return verifier.end()


def _fields(line: bytes) -> dict[str, Any] | None:
    """The line's own fields, in whichever place its dialect has for them."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    own = next((found[name] for name in ("unmapped", "sekisho") if isinstance(found.get(name), dict)), found)
    return own if isinstance(own, dict) else None


def _text(fields: Mapping[str, Any], name: str) -> str:
    text = fields.get(name, "")
    return text if isinstance(text, str) else ""


def _kind(fields: Mapping[str, Any]) -> str:
    return _text(fields, "kind")


def _sealed_key(fields: Mapping[str, Any]) -> str | None:
    return _text(fields, "key") or None
