"""Requests for a reset: answered here, all alike; the application runs behind the answer if the address is on file.

An application that sends the link to any address in the form gives every account away (7pay, 2019). And an answer that
depends on the address, or comes later for known ones, tells which accounts exist. So does an answer that depends on how
many runs are under way, since only runs for known addresses take long.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from typing import TYPE_CHECKING

from sekisho.answer import reset_requested, send_answer
from sekisho.model.mail_domain import recipient_key
from sekisho.once import Once
from sekisho.stepup.owner_counts import RESET_LETTERS
from sekisho.tasks import TaskSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.answer import Renderer
    from sekisho.asgi.request_context import RequestContext
    from sekisho.asgi.types import App, Message, Receive, Scope
    from sekisho.assessment import Assessment
    from sekisho.crypto.vault_keys import VaultKeys
    from sekisho.model import Attempt
    from sekisho.owners import Owners
    from sekisho.settler import Settler
    from sekisho.stepup.factors.address_book import AddressBook
    from sekisho.store.vault import Vault

log = logging.getLogger("sekisho")

RUNS_MAX = 64  # at once in a worker
PENDING_MAX = 320  # those under way and those that wait
RUN_S = 30.0
LETTERS_MAX = 5  # to one account's owner in an hour, as of codes
HOUR_S = 3_600
FULL = "%s: a request for a reset was answered and not carried out: %d others wait in this worker"


class OnFileResets:
    """Belongs to one event loop. `vault`: counts letters, under `keys`. `clock_s`: Unix time in seconds."""

    def __init__(
        self,
        app: App,
        settler: Settler,
        owners: Owners,
        renderer: Renderer,
        vault: Vault,
        keys: VaultKeys,
        *,
        clock_s: Callable[[], float],
        book: AddressBook | None = None,
    ) -> None:
        self._vault = vault
        self._keys = keys
        self._app = app
        self._settler = settler
        self._clock_s = clock_s
        self._owners = owners
        self._renderer = renderer
        self._book = book
        self._tasks = TaskSet()
        self._pending: set[tuple[str, str, str]] = set()
        self._places = asyncio.Semaphore(RUNS_MAX)
        self._once = Once()

    async def answer(self, context: RequestContext, assessment: Assessment) -> None:
        """Answer the request for a reset, alike for all; then run the application if the address is the account's.

        The attempt's charge stands for every address. Of requests for one account and address, one is pending at a
        time. With `PENDING_MAX` pending, no further request is carried out; it is answered alike. Of one account
        `LETTERS_MAX` are carried out in an hour.
        """
        self._settler.put_off(assessment)
        # First the answer: how long the rest takes depends on the account.
        await send_answer(context.send, self._renderer.render(reset_requested(), context.scope["headers"]))
        attempt = assessment.attempt
        asked = attempt.door.name, attempt.account, _address(attempt)
        if asked in self._pending:
            return
        if len(self._pending) >= PENDING_MAX:
            if self._once(attempt.door.name):
                log.warning(FULL, attempt.door.name, PENDING_MAX)
            return
        self._pending.add(asked)
        task = self._tasks.start(self._run(attempt, context.as_sent, context.body_reader.detached()), context=Context())
        task.add_done_callback(lambda _: self._pending.discard(asked))

    async def _run(self, attempt: Attempt, scope: Scope, receive: Receive) -> None:
        try:
            async with self._places, asyncio.timeout(RUN_S):
                if await self._is_on_file(attempt):
                    await self._app(scope, receive, _discard)
        except Exception as error:  # noqa: BLE001 - the client has its answer
            log.warning("%s: a reset failed behind its answer (%s)", attempt.door.name, type(error).__name__)

    async def _is_on_file(self, attempt: Attempt) -> bool:
        contact = await self._owners.contact(attempt.account)
        if contact is None or contact.email is None:
            return False
        if recipient_key(contact.email) != _address(attempt):
            return False
        # An address that was changed a moment ago recovers nothing: a thief may have changed it.
        book, now_s = self._book, int(self._clock_s())
        if book is not None and (await book.of(contact.account_id, contact, now_s)).is_held:
            return False
        # Threat 133: an owner is sent a thousand letters. Only those that are sent count: requests for other addresses
        # must not keep an owner from a reset.
        letters = self._keys.of(RESET_LETTERS, contact.owner)
        return await self._vault.count(letters, seconds=HOUR_S) <= LETTERS_MAX

    async def aclose(self) -> None:
        """Let the runs under way end. Those that wait for so long end unrun."""
        try:
            async with asyncio.timeout(RUN_S):
                await self._tasks.ended()
        except TimeoutError:
            await self._tasks.cancel()


def _address(attempt: Attempt) -> str:
    """The address that the request names. The application may send to it as it was typed: see `recipient_key`."""
    return recipient_key(attempt.address or attempt.account)


async def _discard(_: Message) -> None:
    """The answer has been given."""
