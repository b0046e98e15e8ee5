"""Answers at addresses that many owners share, where an account that is spared must look like any other.

An account that succeeded from such an address lately is tried even though the address is over its limits. If only such
accounts were answered by the application, a guesser behind the address would learn who logs in there. So a wrong secret
gets the refusal that all others get, and all others get theirs as late as the application answers.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from sekisho.asgi.keeper import ForwardingKeeper
from sekisho.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sekisho.asgi.keeper import AnsweredAttempt, Keeper
    from sekisho.asgi.types import Message, Send

PLACES_MAX: Final = 256
"""Refusals that wait at once. Beyond it, all are sent at once, and no account is spared."""

KEPT: Final = 64  # of the application's latest durations
UNKNOWN_S: Final = 0.25  # of an application that has not been measured: about one password hash
SECONDS_MAX: Final = 2.0


class SharedAddresses:
    """How long refusals wait at shared addresses, for one event loop.

    Args:
        clock_s: a monotonic clock in seconds.
        sleep: waits for so many seconds.
        chance: uniform in [0, 1).
    """

    def __init__(
        self, *, clock_s: Callable[[], float], sleep: Callable[[float], Awaitable[None]], chance: Callable[[], float]
    ) -> None:
        self._clock_s = clock_s
        self._sleep = sleep
        self._chance = chance
        self._took = deque([UNKNOWN_S], maxlen=KEPT)
        self._waiting = 0

    def now_s(self) -> float:
        return self._clock_s()

    def took(self, since_s: float) -> None:
        """Remember how long the application took to answer an attempt.

        `since_s`: when the attempt began, by `now_s`.
        """
        self._took.append(min(SECONDS_MAX, self._clock_s() - since_s))

    def enter(self) -> bool:
        """Take a place among the requests that wait, for which `leave` must be called later.

        False: no place is free.
        """
        if self._waiting >= PLACES_MAX:
            return False
        self._waiting += 1
        return True

    def leave(self) -> None:
        self._waiting -= 1

    async def wait(self) -> None:
        """Wait as long as the application took with one of the latest attempts, drawn at random."""
        await self._sleep(self._took[int(self._chance() * len(self._took))])


class AnswerGate(ForwardingKeeper):
    """Lets an application's answer through only if it shows a success. The keeper learns of it in any case."""

    def __init__(self, send: Send, keeper: Keeper) -> None:
        super().__init__(keeper)
        self._send = send
        self.is_open = False

    def send(self, message: Message) -> Awaitable[None]:
        # The observer asks before it sends: a success is known before the answer's first message leaves.
        return self._send(message) if self.is_open else _nothing()

    def started(self, answered: AnsweredAttempt, learned: Outcome | None) -> None:
        self.is_open = learned is Outcome.SUCCEEDED
        super().started(answered, learned)

    def ended(self, answered: AnsweredAttempt) -> None:
        self.is_open = self.is_open or answered.outcome is Outcome.SUCCEEDED
        super().ended(answered)


async def _nothing() -> None: ...
