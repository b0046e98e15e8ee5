"""The control record as this process has applied it."""

from __future__ import annotations

import logging
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.control.places import earlier_in
from sekisho.control.record import EMPTY, SIGNED_BYTES_MAX, ControlError, decode
from sekisho.once import Once

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.control.acts import Act
    from sekisho.control.mac import ControlMac
    from sekisho.control.record import ControlRecord
    from sekisho.model import Mode, Posture
    from sekisho.settings.networks import Network

log = logging.getLogger("sekisho")

FORGED = (
    "a control record is ignored: it is not signed with SEKISHO_SECRET for this SEKISHO_NAMESPACE. Another party "
    "writes to the store, or to the control socket [SEK040]"
)
OLDER = (
    "a control record is ignored: it is older than the one that was applied. Another party may have put it back "
    "[SEK040]"
)
SINCE_S: Final = 60
"""A process that has heard no record yet hears of acts that are younger than this before its start: clocks differ."""
UNREADABLE = "a control record is ignored: it %s. A later release may have written it"


class Applied(NamedTuple):
    """The parts of a record that are in force now.

    Attributes:
        mode: None: as the settings say.
        allow, deny: the networks whose time has not ended.
        posture: None: as it is estimated.
        asked: accounts that are asked for a proof; see `control.asked`.
    """

    mode: Mode | None = None
    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()
    posture: Posture | None = None
    asked: frozenset[bytes] = frozenset()

    def __repr__(self) -> str:
        return f"Applied(mode={self.mode}, posture={self.posture})"


class ControlState:
    """Hears records and applies the newest. Belongs to one process; any thread may call it.

    A record without a right MAC, or older than the newest one heard, is ignored, and logged once. No record at all
    changes nothing: an attacker who deletes it switches nothing. A process that has just started has heard no record
    yet, so it cannot tell an old one from the newest.

    Args:
        mac: verifies records.
        apply: called when the parts in force have changed.
        clock_s: Unix time.
        acted: called with what operators did since the last record, before its parts are in force.
    """

    def __init__(
        self,
        mac: ControlMac,
        apply: Callable[[Applied], None],
        clock_s: Callable[[], float],
        acted: Callable[[tuple[Act, ...]], None] = lambda _: None,
    ) -> None:
        self._mac = mac
        self._apply = apply
        self._clock_s = clock_s
        self._acted = acted
        self._since_s = clock_s() - SINCE_S
        self._lock = Lock()
        self._once = Once()
        self._last: bytes | None = None
        self.record = EMPTY
        self.applied = Applied()

    def misses_acts(self, signed: bytes | None) -> bool:
        """Whether a record may have lost acts that were not heard: then `hear` needs those that are kept beside it."""
        with self._lock:
            known, number = self._last, self.record.number
        if signed is None or signed == known:
            return False
        try:
            acts = self._opened(signed).acts
        except ControlError:
            return False
        return bool(acts) and acts[0].number > number

    def lost(self, signed: bytes | None) -> bytes | None:
        """The newest signed record, where a place has none, or an older one of this service; else None.

        A store that was emptied, or a replica that took over too early, has lost what operators set: commands would
        show other settings than workers obey, and workers that start would not know them.
        """
        with self._lock:
            newest, number = self._last, self.record.number
        if newest is None or signed == newest:
            return None
        if signed is None:
            return newest
        try:
            return newest if 0 < self._opened(signed).number < number else None
        except ControlError:
            return None

    def hear(self, signed: bytes | None, earlier: bytes | None = None) -> bool:
        """Apply a record, and end entries whose time has come. Returns whether the record is in force.

        `earlier`: the signed acts that are kept beside it.
        """
        with self._lock:
            # The same record again, as nearly always, costs one comparison.
            if signed is not None and signed != self._last:
                self._take(signed, earlier)
            self._renew()
            return signed is not None and signed == self._last

    def _take(self, signed: bytes, earlier: bytes | None) -> None:
        problem = ""
        try:
            record = self._opened(signed)
        except ControlError as error:
            problem = UNREADABLE % error
        else:
            before = EMPTY if self._is_anew(record) else self.record
            problem = FORGED if record is EMPTY else OLDER if record.number <= before.number else ""
            if not problem:
                self.record, self._last = record, signed
                self._tell_acts(before, record, earlier)
        if problem and self._once(problem):
            log.error("%s", problem)

    def _opened(self, signed: bytes) -> ControlRecord:
        """The record in a signed text; `EMPTY` where this service has not signed it. Raises `ControlError`."""
        # Bounded before it is hashed: the store may hold anything.
        payload = self._mac.verified(signed) if len(signed) <= SIGNED_BYTES_MAX else None
        return decode(payload) if payload is not None else EMPTY

    def _is_anew(self, record: ControlRecord) -> bool:
        """Whether the clock was set back, the store has lost the applied record, and this one was made just now.

        A number is at least the time of its change. Without this, operators' changes would be taken for replays until
        the clock has caught up. A record that was made earlier is a replay still.
        """
        now_s = self._clock_s()
        is_ahead = self.record.number > (now_s + SINCE_S) * 1000
        return is_ahead and abs(now_s - record.number / 1000) <= SINCE_S

    def _tell_acts(self, before: ControlRecord, record: ControlRecord, earlier: bytes | None) -> None:
        # A new process may first read a record that is days old. Acts from before its start are not repeated.
        since_s = min(self._since_s, self._clock_s() - SINCE_S)
        first = record.acts[0].number if record.acts else 0
        moved = (act for act in earlier_in(earlier, self._mac) if act.number < first)
        acts = tuple(
            act
            for act in (*moved, *record.acts)
            if act.number > before.number and (before.number or act.at_s >= since_s)
        )
        if acts:
            self._acted(acts)

    def _renew(self) -> None:
        now_s, record = self._clock_s(), self.record
        applied = Applied(
            record.mode,
            tuple(network for _, network in record.allowed(now_s)),
            tuple(network for _, network in record.denied(now_s)),
            record.forced(now_s),
            record.asked_accounts(now_s),
        )
        if applied != self.applied:
            self.applied = applied
            self._apply(applied)
