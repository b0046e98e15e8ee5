"""Asks for a second proof: issues the ticket that names a step-up, and answers with it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sekisho.answer import retry_after_s, send_answer, unavailable
from sekisho.ledger.receipt import pack_receipt
from sekisho.model import DoorKind, StoreUnavailable
from sekisho.stepup.escrow import Purpose, Ticket
from sekisho.stepup.flow.browser_key import browser_key_of
from sekisho.stepup.flow.escrowed_runs import IssuedStepUp
from sekisho.stepup.flow.sealed_request import key_line, sealed_form

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.asgi.request_context import RequestContext
    from sekisho.assessment import Assessment
    from sekisho.model import Door
    from sekisho.record import Events
    from sekisho.stepup.flow.parts import Parts

FULL_US: Final = 5_000_000


class Questions:
    """Belongs to one event loop.

    Args:
        parts: the parts of a step-up.
        events: records what is asked.
        jitter: uniform in [0, 1), for the time after which to try again.
    """

    def __init__(self, parts: Parts, events: Events, jitter: Callable[[], float]) -> None:
        self._parts = parts
        self._events = events
        self._jitter = jitter

    async def issue(self, context: RequestContext, assessment: Assessment) -> tuple[IssuedStepUp, str]:
        """Issue a ticket for an attempt; return the step-up and the text of its ticket."""
        attempt, browser_key = assessment.attempt, browser_key_of(context.by_name)
        ticket, text = self._parts.escrow.issue(
            Ticket(
                b"",
                Purpose.LOGIN if _is_escrowed(attempt.door) else Purpose.DOOR,
                attempt.door.name,
                attempt.account,
                self._parts.account_digest(attempt.account),
                pack_receipt(assessment.charge, assessment.verdict),
            ),
            browser_key.key,
        )
        if assessment.work_receipt:
            with suppress(StoreUnavailable):  # without the store that charge stands
                await self._parts.escrow.keep_work_receipt(ticket, browser_key.key, assessment.work_receipt)
        return IssuedStepUp(context, assessment, ticket, browser_key), text

    async def ask(self, issued: IssuedStepUp, text: str) -> None:
        """Answer with the question. `text`: of the ticket."""
        context, _, ticket, browser_key = issued
        self._events.step_up_issued(ticket.door, ticket.purpose.value, ticket.account, context.origin)
        is_escrowed_run = ticket.purpose is Purpose.LOGIN
        form = "" if is_escrowed_run else sealed_form(self._parts, context, browser_key, int(self._parts.clock_s()))
        answer = self._parts.responses.step_up(context.scope["headers"], text, form=form)
        return await send_answer(context.send, answer.adding(key_line(self._parts, context, browser_key)))

    async def refuse(self, context: RequestContext) -> None:
        """Answer that nothing can be asked now: the store does not answer, or no place is free."""
        refusal = unavailable(retry_after_s(FULL_US, self._jitter()))
        await send_answer(context.send, self._parts.responses.refusal(context.scope["headers"], refusal))


def _is_escrowed(door: Door) -> bool:
    """Whether the application may run before the proof: only where a session is the only effect (R2).

    A door that reads only a header leads to a route with an effect of its own.
    """
    return door.kind is DoorKind.LOGIN and door.reads_body
