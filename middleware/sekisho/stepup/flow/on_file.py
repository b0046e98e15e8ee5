"""Requests for a reset: answered here, all alike; the application runs behind the answer if the address is on file.

An application that sends the link to any address in the form gives every account away (7pay, 2019). And an answer that
depends on the address, or comes later for known ones, tells which accounts exist.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from typing import TYPE_CHECKING

from sekisho.answer import reset_requested, retry_after_s, send_answer, unavailable
from sekisho.tasks import TaskSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.answer import Renderer
    from sekisho.asgi.request_context import RequestContext
    from sekisho.asgi.types import App, Message, Receive, Scope
    from sekisho.assessment import Assessment
    from sekisho.model import Attempt
    from sekisho.owners import Owners
    from sekisho.pipeline import Guard
    from sekisho.stepup.factors.address_book import AddressBook

log = logging.getLogger("sekisho")

RUNS_MAX = 64  # at once in a worker; beyond it, every request is told to come again
RUN_S = 30.0
FULL_US = 5_000_000


class OnFileResets:
    """Belongs to one event loop."""

    def __init__(
        self,
        app: App,
        guard: Guard,
        owners: Owners,
        renderer: Renderer,
        *,
        jitter: Callable[[], float],
        book: AddressBook | None = None,
    ) -> None:
        self._app = app
        self._guard = guard
        self._owners = owners
        self._renderer = renderer
        self._jitter = jitter
        self._book = book
        self._tasks = TaskSet()

    async def answer(self, context: RequestContext, assessment: Assessment) -> None:
        """Answer the request for a reset, alike for all; then run the application if the address is the account's.

        The attempt's charge stands for every address. With `RUNS_MAX` runs under way, every request is refused for now.
        """
        self._guard.put_off(assessment)
        headers = context.scope["headers"]
        if len(self._tasks) >= RUNS_MAX:
            refusal = unavailable(retry_after_s(FULL_US, self._jitter()))
            return await send_answer(context.send, self._renderer.render(refusal, headers))
        # First the answer: how long the rest takes depends on the account.
        await send_answer(context.send, self._renderer.render(reset_requested(), headers))
        run = self._run(assessment.attempt, context.as_sent, context.body_reader.detached())
        self._tasks.start(run, context=Context())
        return None

    async def _run(self, attempt: Attempt, scope: Scope, receive: Receive) -> None:
        try:
            async with asyncio.timeout(RUN_S):
                if await self._is_on_file(attempt):
                    await self._app(scope, receive, _discard)
        except Exception as error:  # noqa: BLE001 - the client has its answer
            log.warning("%s: a reset failed behind its answer (%s)", attempt.door.name, type(error).__name__)

    async def _is_on_file(self, attempt: Attempt) -> bool:
        contact = await self._owners.contact(attempt.account)
        if contact is None or contact.email is None:
            return False
        address = attempt.address or attempt.account
        if contact.email.strip().casefold() != address.strip().casefold():
            return False
        # An address that was changed a moment ago recovers nothing: a thief may have changed it.
        book, now_s = self._book, int(self._guard.now_s())
        return book is None or not (await book.of(contact.account_id, contact, now_s)).is_held

    async def aclose(self) -> None:
        """Let the runs under way end: each has its deadline."""
        await self._tasks.ended()


async def _discard(_: Message) -> None:
    """The answer has been given."""
