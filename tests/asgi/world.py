"""A loop and a clock that the test controls: scheduled calls run when the test says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.asgi.admission import Admission
from sekisho.asgi.fair_turns import Whose
from sekisho.judge.gradient import GradientLimit

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.asgi.fair_turns import TurnCounts


class World:
    """Attributes:
    now_s: the time.
    """

    def __init__(self, places: int = 0) -> None:
        self.now_s = 100.0
        self._soon: list[Callable[[], object]] = []
        self._later: list[tuple[float, Callable[[], object]]] = []
        self.admission = Admission(
            GradientLimit(places), clock_s=lambda: self.now_s, soon=self._call_soon, later=self.call_later
        )

    def _call_soon(self, call: Callable[[], object]) -> None:
        self._soon.append(call)

    def call_later(self, seconds: float, call: Callable[[], object]) -> None:
        self._later.append((self.now_s + seconds, call))

    def turn(self) -> None:
        """Run the loop's next turn."""
        calls, self._soon = self._soon, []
        for call in calls:
            call()

    def advance(self, seconds: float, *, stands_still: bool = False) -> None:
        """Let time pass; timers run when due or, if the loop is blocked meanwhile, after it."""
        end = self.now_s + seconds
        if stands_still:
            self.now_s = end
        while due := [timer for timer in self._later if timer[0] <= end]:
            timer = min(due, key=lambda one: one[0])
            self._later.remove(timer)
            self.now_s = max(self.now_s, timer[0])
            timer[1]()
        self.now_s = end

    @property
    def timers(self) -> int:
        return len(self._later)

    def take(self, holder: str, network: bytes = b"n") -> bool:
        return self.admission.take(holder, Whose(network, network + holder[:1].encode()))


class Waiting:
    """A queue of names."""

    def __init__(self, world: World, *names: str) -> None:
        self._world = world
        self._names = list(names)
        self.started: list[str] = []
        world.admission.lines.append(self)
        world.admission.waiting += len(names)

    def start_next(self, _: TurnCounts) -> bool:
        if not self._names:
            return False
        self.started.append(self._names.pop(0))
        self._world.admission.waiting -= 1
        self._world.admission.hold(self.started[-1], Whose(b"n", b"a"))
        return True
