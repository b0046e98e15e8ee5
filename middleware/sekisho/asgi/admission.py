"""Admission of strangers' attempts to the application: how many are in flight, and how many may be.

Known devices pass and are not counted. Directly answered attempts and escrowed runs hold places in the same account. A
place is free when the application begins to answer: the password hash is done by then, and a client that reads slowly
must not hold a place.

An application that computes on the event loop never has two attempts in flight, so its latency tells nothing. There the
loop's own delay is measured. A place becomes free one turn of the loop after its answer: then each turn runs as many
attempts as there are places, and the latency shows all of them. When the loop is late, strangers are admitted only
after a pause as long as the delay, so that they take half of the loop's time at most. A loop that stays late is
overloaded, regardless of the cause: then a share of the strangers who could not even wait is refused before their
request is read.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, final

from sekisho.asgi.fair_turns import TurnCounts, Whose

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.judge.gradient import GradientLimit
    from sekisho.read import OriginDigests

    _Held = tuple[float, int, Whose | OriginDigests]

BUSY: Final = 503
SLOW_S: Final = 0.005  # a slower answer was computed or waited for; a faster one displaces no other attempt
TICK_S: Final = 0.01
LATE_S: Final = 0.01
SHED_RISE_S: Final = 0.25  # a loop this late refuses all strangers who may be refused
SHED_FALL: Final = 0.005  # part of the share that is readmitted with each tick in time: half within 1.5 seconds
SHED_MIN: Final = 0.01
STUCK_S: Final = 30.0
"""A place is freed if the application has not begun to answer after this time. Otherwise as many requests that never
end as there are places would shut out all strangers until a restart."""


class PlaceLine(Protocol):
    """Attempts that wait for places in one way: escrowed runs, or callers themselves."""

    def start_next(self, in_application: TurnCounts) -> bool:
        """Admit the waiting attempt whose network and address hold the fewest places.

        Returns False where none waits, or none may be admitted.
        """
        ...


@final
class Admission:
    """Belongs to one event loop.

    Args:
        limit: how many places there are.
        clock_s: monotonic time in seconds, with a finer resolution than the loop's own.
        soon: calls a function in the loop's next turn (`call_soon`).
        later: calls a function after so many seconds (`call_later`).

    Attributes:
        held: the places by holder: since when, how many were in flight then, and whose they are.
        places: how many places there are now.
        lines: the queues for places. They take turns, so that no line precedes another.
        waiting: how many attempts wait in all lines; new attempts queue behind them.
        is_late: the loop is late, and none is admitted until its pause is over.
        shed_share: the share of strangers who could not even wait that is refused unread; 0 to 1.
    """

    def __init__(
        self,
        limit: GradientLimit,
        *,
        clock_s: Callable[[], float],
        soon: Callable[[Callable[[], object]], object],
        later: Callable[[float, Callable[[], object]], object],
    ) -> None:
        self.limit: Final = limit
        self._clock_s: Final = clock_s
        self._soon: Final = soon
        self._later: Final = later
        self.held: Final[dict[object, _Held]] = {}
        self.places = limit.places
        self.waiting = 0
        self.is_late = False
        self.shed_share = 0.0
        self.lines: Final[list[PlaceLine]] = []
        self._leaving = 0  # answered in this turn of the loop; free in the next
        self._shed_due = 0.0
        self._ticking = False

    def take(self, holder: object, whose: Whose | OriginDigests) -> bool:
        """Take a place if one is free and no attempt waits for one. Returns whether the holder has the place."""
        # Every stranger's attempt runs this and `answered`: written out for speed, with nothing computed in advance.
        held = self.held
        beside = len(held) + self._leaving + 1
        if self.waiting or self.is_late or (beside > self.places and not self._drops_stuck()):
            return False
        held[holder] = (self._clock_s(), beside, whose)
        return True

    def answered(self, holder: object, status: int) -> None:
        """Release the holder's place as the application begins to answer; does nothing where it holds none."""
        place = self.held.pop(holder, None)
        if place is None:
            return
        if status != BUSY and self._clock_s() - place[0] < SLOW_S:
            if self.waiting:
                self.advance()
            return
        self._leaving += 1
        self._soon(partial(self._leave, place, status))
        self._tick()

    def free(self, holder: object) -> None:
        """Release a place without a measurement: the application failed, or was never called."""
        if self.held.pop(holder, None) is not None:
            self.advance()

    @property
    def has_place(self) -> bool:
        return not self.is_late and (len(self.held) + self._leaving < self.places or self._drops_stuck())

    @property
    def beyond(self) -> int:
        """How many more strangers are in the application than have places: in `monitor` nobody waits for one."""
        return max(0, len(self.held) + self._leaving - self.places)

    def hold(self, holder: object, whose: Whose | OriginDigests) -> None:
        """Give `holder` a place even if none is free."""
        self.held[holder] = (self._clock_s(), len(self.held) + self._leaving + 1, whose)

    def advance(self) -> None:
        """Admit waiting attempts while there are places: one of each line in turn."""
        while self.waiting and self.has_place:
            in_application = TurnCounts([_whose(place[2]) for place in self.held.values()])
            started = next((line for line in self.lines if line.start_next(in_application)), None)
            if started is None:
                return
            self.lines.remove(started)
            self.lines.append(started)

    def sheds(self) -> bool:
        """Whether this attempt is to be refused unread, as one of the share `shed_share`: evenly spaced, not random."""
        self._shed_due += self.shed_share
        if self._shed_due < 1.0:
            return False
        self._shed_due -= 1.0
        return True

    def _leave(self, place: _Held, status: int) -> None:
        now_s = self._clock_s()
        if status == BUSY:
            self.limit.refused()
        else:
            since_s, beside, _ = place
            self.limit.answered(now_s - since_s, max(beside, len(self.held) + self._leaving), now_s)
        self._leaving -= 1
        self.places = self.limit.places
        self.advance()

    def _drops_stuck(self) -> bool:
        for holder, place in self.held.items():
            if self._clock_s() - place[0] < STUCK_S:
                return False
            del self.held[holder]
            return True
        return False

    # How late the loop is. Measured only while it matters: while strangers are in a slow application.

    def _tick(self) -> None:
        if not self._ticking:
            self._ticking = True
            self._later(TICK_S, partial(self._ticked, self._clock_s() + TICK_S))

    def _ticked(self, due_s: float) -> None:
        self._ticking = False
        late_s = self._clock_s() - due_s
        if late_s >= LATE_S:
            self.is_late = True
            self.shed_share += (1.0 - self.shed_share) * min(1.0, late_s / SHED_RISE_S)
            self._later(late_s, self._in_time)
            return
        self.shed_share *= 1.0 - SHED_FALL
        if self.shed_share < SHED_MIN:
            self.shed_share = 0.0
        self._go_on_ticking()

    def _in_time(self) -> None:
        self.is_late = False
        self.advance()
        self._go_on_ticking()

    def _go_on_ticking(self) -> None:
        if self.held or self.waiting or self.shed_share:
            self._tick()


def _whose(found: Whose | OriginDigests) -> Whose:
    return found if isinstance(found, Whose) else Whose(found.site, found.ip)
