"""The output that writes the audit: lines of one chain in one dialect, and checkpoints beside them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, final

from sekisho.audit.chain import CLOSED, OPENED
from sekisho.audit.checkpoints import EVERY_US, checkpoint_line
from sekisho.audit.forms.templates import Templates
from sekisho.once import Once
from sekisho.record.flood import SORTS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping

    from sekisho.audit.chain import Chain
    from sekisho.audit.disclosure import Disclosure
    from sekisho.audit.forms import LineDialect
    from sekisho.audit.places import LinePlace
    from sekisho.record import Event

log = logging.getLogger("sekisho.events")

UNWRITABLE = (
    "SEKISHO_AUDIT: lines of the audit are lost, because they cannot be written (%s). Where that lasts, name a file "
    "that the service may append to, on a disk with room, as in "
    "SEKISHO_AUDIT=file:/var/log/sekisho/audit.jsonl [SEK024]"
)
WRITABLE = "SEKISHO_AUDIT: the audit is written again"
NO_CHECKPOINT = "SEKISHO_AUDIT_CHECKPOINTS: no checkpoint of the audit was kept (%s) [SEK024]"


@final
class _Sort:
    """What is kept of a sort of event: how many the chain has told of, and the templates of its lines."""

    __slots__ = ("templates", "total")

    def __init__(self, templates: Templates | None) -> None:
        self.templates: Final = templates
        self.total = 0


@final
class AuditTrail:
    """See `sekisho.record.Output`.

    Args:
        place: where the lines go.
        form: their dialect.
        disclosure: what they tell of accounts and addresses.
        new_chain: makes a chain.
        key: the audit key, for checkpoints.
        checkpoints: where they go; None: there are none.
        clock_us: Unix time in microseconds.
    """

    unwritable: Final = UNWRITABLE
    writable: Final = WRITABLE

    def __init__(
        self,
        place: LinePlace,
        form: LineDialect,
        disclosure: Disclosure,
        *,
        new_chain: Callable[[], Chain],
        key: bytes,
        checkpoints: LinePlace | None,
        clock_us: Callable[[], int],
    ) -> None:
        self._place = place
        self._form = form
        self._disclosure = disclosure
        self._new_chain = new_chain
        self._key = key
        self._checkpoints = checkpoints
        self._clock_us = clock_us
        self._once = Once()
        self.begin()

    def begin(self) -> None:
        """Let the next line begin a new chain: two processes with one chain would write the same number twice."""
        self._chain: Chain | None = None
        self._is_sound = False
        self._lost = 0
        self._sorts: dict[Hashable, _Sort] = {}
        self._checked_us = 0

    def write(self, events: list[Event]) -> Iterator[int]:
        lost, self._lost = self._lost, self._lost + _number(events)
        chain = self._opened(lost)
        self._is_sound, self._lost = False, _number(events)
        start = 0
        while start < len(events):
            end = min(start + chain.left, len(events))
            for number in self._place.write([chain.add(*self._line(event)) for event in events[start:end]]):
                self._lost -= _number(events[start : start + number])
                start += number
                yield number
            if chain.is_due:
                self._append(chain.open(self._opening))
        self._is_sound = True
        # A clock that is set back must not put off the next checkpoint: until then the end could be cut unnoticed.
        if not 0 <= self._clock_us() - self._checked_us < EVERY_US:
            self._check(chain)

    def end(self) -> None:
        chain, self._chain = self._chain, None
        if chain is not None and self._is_sound:
            self._append(chain.add(*self._form.mark(CLOSED, self._clock_us(), {})))
            self._check(chain)

    def _opened(self, lost: int) -> Chain:
        """The chain, whose next line may be any. Each file begins with an opening line of each chain in it."""
        is_another = self._place.open()
        chain = self._chain
        if chain is None:
            chain = self._chain = self._new_chain()
        # An opening line that a full disk swallowed is written again; it says how many events were lost since.
        if is_another or chain.is_due or not self._is_sound:
            self._append(chain.open(lambda fields: self._opening({**fields, "lost": lost} if lost else fields)))
        return chain

    def _append(self, line: bytes) -> None:
        for _ in self._place.write([line]):
            pass

    def _opening(self, fields: Mapping[str, str | int]) -> tuple[str, str]:
        return self._form.mark(OPENED, self._clock_us(), fields)

    def _line(self, event: Event) -> tuple[str, str]:
        sort = event.sort
        told_of = self._sorts.get(sort) or self._sort(event, sort)
        told_of.total += event.times
        told = self._disclosure.of(event)
        # Texts of operators are in no template: they may be anything.
        if event.times > 1 or told_of.templates is None or event.text or event.by:
            return self._form.line(event, told, told_of.total if event.times > 1 else 0)
        return told_of.templates.line(event, told)

    def _sort(self, event: Event, sort: Hashable) -> _Sort:
        if len(self._sorts) < SORTS_MAX:
            found = self._sorts[sort] = _Sort(Templates(self._form))
        else:
            found = self._sorts.setdefault(event.kind, _Sort(None))
        return found

    def _check(self, chain: Chain) -> None:
        self._checked_us = self._clock_us()
        if self._checkpoints is None:
            return
        line = checkpoint_line(self._key, chain.id, chain.number - 1, chain.last_mac, self._checked_us)
        try:
            self._checkpoints.open()
            for _ in self._checkpoints.write([line]):
                pass
        except OSError as error:
            if self._once():
                log.error(NO_CHECKPOINT, error.strerror)  # noqa: TRY400 - the cause is all there is to know


def _number(events: list[Event]) -> int:
    return sum([event.times for event in events])
