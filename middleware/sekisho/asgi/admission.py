"""Strangers' attempts in flight in the application: how many there may be, and which there are.

Known devices pass and are not counted. Attempts that are answered directly and runs behind a step-up hold places of the
same account. A place is free when the application begins to answer: what it does then is no password's hash, and a
client that reads slowly must not hold a place.

An application that computes on the event loop never has two attempts in flight, and its latency tells nothing. There
the loop tells: a place is free one turn of the loop after its answer, so that a turn has as many attempts as there are
places and the latency shows all of them; and when the loop comes late, strangers are let in only after a pause as long
as the delay. So they hold half of the loop's time at most. A loop that stays late has more to do than it can, whatever
with: then a share of those who could not even wait is turned away before anything is read of them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, final

from sekisho.asgi.fair_turns import Counts, Whose

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.judge.gradient import GradientLimit
    from sekisho.read import OriginDigests

    _Held = tuple[float, int, Whose | OriginDigests]

BUSY: Final = 503
SLOW_S: Final = 0.005  # an answer that took longer was computed or waited for; a quicker one crowds out nobody
TICK_S: Final = 0.01
LATE_S: Final = 0.01
SHED_RISE_S: Final = 0.25  # the loop as late as that turns away everybody who may be
SHED_FALL: Final = 0.005  # of that share is let in again with each tick in time: half of it within a second and a half
SHED_MIN: Final = 0.01
STUCK_S: Final = 30.0
"""A place whose application has not begun to answer for so long is given to somebody else: were it lost, as many
requests that never end as there are places would shut out all strangers until a restart."""


class Line(Protocol):
    """Those who wait for places in one way: runs behind a step-up, or callers themselves."""

    def start_next(self, in_application: Counts) -> bool:
        """Let in the one whose network and address have the fewest there. False where nobody waits, or may go in."""
        ...


@final
class Admission:
    """Belongs to one event loop.

    Args:
        limit: how many places there are.
        clock_s: time that never goes back, finer than a loop's own.
        soon: calls a function in the loop's next turn (`call_soon`).
        later: calls a function after so many seconds (`call_later`).

    Attributes:
        held: the places, by whatever holds them: since when, beside how many, whose.
        places: how many there are now.
        lines: who may wait for a place. They take turns, so that none of them stands before the other.
        waiting: how many there are in all lines; newcomers stand behind them.
        is_late: the loop comes late, and nobody is let in for as long.
        shed_share: of strangers who could not even wait, how many are to be turned away unread; 0 to 1.
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
        self.lines: Final[list[Line]] = []
        self._leaving = 0  # answered in this turn of the loop, and free in the next
        self._shed_due = 0.0
        self._ticking = False

    def take(self, holder: object, whose: Whose | OriginDigests) -> bool:
        """Take a place if there is one and nobody waits for it."""
        # What every stranger's attempt runs, here and in `answered`: spelled out, and nothing computed in advance.
        held = self.held
        beside = len(held) + self._leaving + 1
        if self.waiting or self.is_late or (beside > self.places and not self._drops_stuck()):
            return False
        held[holder] = (self._clock_s(), beside, whose)
        return True

    def answered(self, holder: object, status: int) -> None:
        """The application begins to answer whoever holds a place; nothing, where this one holds none."""
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
        """Give a place back from which nothing is learnt: the application failed, or was never called."""
        if self.held.pop(holder, None) is not None:
            self.advance()

    @property
    def has_place(self) -> bool:
        return not self.is_late and (len(self.held) + self._leaving < self.places or self._drops_stuck())

    def hold(self, holder: object, whose: Whose | OriginDigests) -> None:
        """Take a place, whether there is one or not."""
        self.held[holder] = (self._clock_s(), len(self.held) + self._leaving + 1, whose)

    def advance(self) -> None:
        """Let in whoever waits and has room: one of each line in turn."""
        while self.waiting and self.has_place:
            in_application = Counts([_whose(place[2]) for place in self.held.values()])
            started = next((line for line in self.lines if line.start_next(in_application)), None)
            if started is None:
                return
            self.lines.remove(started)
            self.lines.append(started)

    def sheds(self) -> bool:
        """Whether this one belongs to the share that is turned away: every second one, say, and not by chance."""
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

    # How late the loop comes. Watched while it matters: while strangers are in a slow application.

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
    return found if isinstance(found, Whose) else Whose(found.networks[-1], found.ip)
