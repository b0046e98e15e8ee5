"""Refuses attempts: which refusal is due, what is recorded of it, and when it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.answer import (
    challenge_required,
    denied,
    refuse_websocket,
    retry_after_s,
    send_answer,
    step_up_required,
    too_many_attempts,
    unavailable,
)
from sekisho.model import Action, Mode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sekisho.answer import Refusal, Renderer
    from sekisho.asgi.refusal_pace import RefusalPace
    from sekisho.asgi.request_context import RequestContext
    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.assessment import Assessment
    from sekisho.model import Decision, Door, Origin
    from sekisho.read import Callers
    from sekisho.record import Events, RefusalLog

CROWDED_US: Final = 2_000_000  # a stranger who waits has a turn within a second
CROWDED: Final = "as many strangers' attempts are under way as the application bears"
_ENFORCE: Final = Mode.ENFORCE  # the name alone is a call in Python 3.11


@final
class Refuser:
    """Belongs to one event loop.

    Args:
        callers: remembers refused clients, which retry immediately.
        renderer: renders refusals.
        events: counts decisions.
        log: takes a line of each refusal.
        pace: holds refusals back while they keep the event loop busy.
        jitter: uniform in [0, 1), for the time after which to try again.
        mode: `ENFORCE`, or `MONITOR` to refuse no attempt.

    Attributes:
        mode: as above. An operator may change it at run time.
    """

    def __init__(
        self,
        *,
        callers: Callers,
        renderer: Renderer,
        events: Events,
        log: RefusalLog,
        pace: RefusalPace,
        jitter: Callable[[], float],
        mode: Mode,
    ) -> None:
        self._callers: Final = callers
        self._renderer: Final = renderer
        self._events: Final = events
        self._log: Final = log
        self._pace: Final = pace
        self._jitter: Final = jitter
        self.mode = mode

    @property
    def enforces(self) -> bool:
        """Whether attempts are refused, and not only counted and judged."""
        return self.mode is _ENFORCE

    def refuses(self, context: RequestContext, decision: Decision, assessment: Assessment | None = None) -> bool:
        """Whether a decision is enforced. It is recorded in any case.

        `assessment`: of the attempt; None where it was refused unread.
        """
        door = context.door
        if assessment is None:
            self._events.decided(door, decision, self.mode, context.origin)
        else:
            self._events.decided(
                door, decision, self.mode, context.origin, assessment.attempt, assessment.device, assessment
            )
        if decision.passes:
            return False
        self.note_decision(door, decision)
        return self.enforces

    def note_decision(self, door: Door, decision: Decision) -> None:
        """Log that `door` refuses an attempt by a decision, or would refuse it."""
        self._log.decided(door.name, decision, enforced=self.enforces)

    def note(self, door: Door, code: str, reason: str, *, in_any_mode: bool = False) -> None:
        """Log that `door` answers `code` for a reason other than a decision, or would answer it.

        `in_any_mode`: it is answered whether attempts are refused or not.
        """
        self._log.answered(door.name, code, reason, enforced=in_any_mode or self.enforces)

    # Plain functions that return an awaitable: a flood of refusals pays for no coroutine in between.

    def refuse(self, context: RequestContext, decision: Decision) -> Awaitable[None]:
        """Answer with the refusal that a decision calls for."""
        self._callers.remember(context.caller)
        return self.answer(context, self.refusal(decision))

    def refuse_in_turn(self, context: RequestContext, decision: Decision) -> Awaitable[None]:
        """Refuse, at the pace that the event loop bears."""
        return self._refuse_later(context, decision) if self._pace.holds() else self.refuse(context, decision)

    async def _refuse_later(self, context: RequestContext, decision: Decision) -> None:
        await self._pace.hold()
        return await self.refuse(context, decision)

    def refusal(self, decision: Decision) -> Refusal:
        """The refusal that a decision calls for."""
        match decision.asked:
            case Action.DENY:
                return denied()
            case Action.STEP_UP:
                return step_up_required()
            case Action.CHALLENGE:
                return challenge_required()
            case _:
                return too_many_attempts(self._retry_after_s(decision.wait_us))

    def crowded(self, door: Door, scope: Scope, send: Send, origin: Origin | None = None) -> Awaitable[None]:
        """Answer a stranger for whom the application has no room. `origin`: None where the request was not read."""
        self._events.crowded(door, origin)
        self.note(door, "unavailable", CROWDED)
        refusal = unavailable(self._retry_after_s(CROWDED_US))
        return send_answer(send, self._renderer.render(refusal, scope["headers"]))

    async def crowded_in_turn(self, door: Door, scope: Scope, send: Send) -> None:
        """Answer as `crowded` does, at the pace that the event loop bears."""
        if self._pace.holds():
            await self._pace.hold()
        return await self.crowded(door, scope, send)

    def throttle(self, context: RequestContext, wait_us: int) -> Awaitable[None]:
        """Answer that there were too many attempts, and that there is room again in `wait_us` microseconds."""
        return self.answer(context, too_many_attempts(self._retry_after_s(wait_us)))

    def unavailable(self, context: RequestContext, wait_us: int) -> Awaitable[None]:
        """Answer that the attempt cannot be tried now, but perhaps in `wait_us` microseconds."""
        return self.answer(context, unavailable(self._retry_after_s(wait_us)))

    def websocket(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Refuse a WebSocket."""
        return refuse_websocket(scope, receive, send, self._renderer.render(denied(), scope["headers"]))

    def answer(self, context: RequestContext, refusal: Refusal, *, hang_up: bool = False) -> Awaitable[None]:
        """Answer with a refusal. `hang_up`: close the connection, where one can be closed by a header."""
        answer = self._renderer.render(refusal, context.scope["headers"])
        if hang_up and context.scope.get("http_version", "1.1").startswith("1"):
            answer = answer.adding((b"connection", b"close"))
        return send_answer(context.send, answer)

    def _retry_after_s(self, wait_us: int) -> int:
        return retry_after_s(wait_us, self._jitter())
