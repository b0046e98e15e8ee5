"""Answers what is asked for at some doors before the application does, or in its place: accounts, passwords, resets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.answer import breached_password, disposable_address
from sekisho.asgi.proved_keeper import ProvedKeeper
from sekisho.model import Attempt, DoorKind
from sekisho.model.mail_domain import is_of_domains

if TYPE_CHECKING:
    from sekisho.asgi.asker import AskerCookie
    from sekisho.asgi.dispatch import Dispatcher
    from sekisho.asgi.endpoint_parts import StepUps
    from sekisho.asgi.keeper import Keeper
    from sekisho.asgi.reading import Reading
    from sekisho.asgi.refuser import Refuser
    from sekisho.asgi.request_context import RequestContext
    from sekisho.assessment import Assessment
    from sekisho.pipeline import Guard
    from sekisho.record import Events
    from sekisho.settler import Settler


@final
class OwnAnswers:
    """Belongs to one event loop.

    Args:
        guard: looks new passwords up.
        settler: refunds attempts that the application does not get.
        keeper: settles log-ins that a passkey begins.
        reading: knows disposable mail domains, and how accounts are spelled.
        events: counts new passwords.
        refuser: refuses.
        dispatcher: passes log-ins on that a passkey begins.
        step_ups: their ports.
        asker: marks the browser that asks for a code; None where no door takes codes.
    """

    def __init__(  # noqa: PLR0913 - all its parts arrive from outside
        self,
        guard: Guard,
        settler: Settler,
        keeper: Keeper,
        *,
        reading: Reading,
        events: Events,
        refuser: Refuser,
        dispatcher: Dispatcher,
        step_ups: StepUps,
        asker: AskerCookie | None,
    ) -> None:
        self._guard: Final = guard
        self._settler: Final = settler
        self._keeper: Final = keeper
        self._accounts: Final = reading.accounts
        self._disposable: Final = reading.disposable
        self._events: Final = events
        self._refuser: Final = refuser
        self._dispatcher: Final = dispatcher
        self._on_file: Final = step_ups.on_file
        self._contacts: Final = step_ups.contacts
        self._passkeys: Final = step_ups.passkeys
        self._asker: Final = asker

    def may_answer(self, attempt: Attempt) -> bool:
        """Whether `answers` must be asked about an attempt; False for log-ins by a password."""
        return bool(attempt.new_secret) or attempt.door.is_answered_first or bool(self._disposable)

    async def answers(self, context: RequestContext, assessment: Assessment, *, contacted: bool) -> bool:
        """Whether the attempt was answered here, because of what it asks for: an account, a password, a reset."""
        attempt = assessment.attempt
        if self._disposable and self._refuses_address(attempt):
            await self._refuser.answer(context, disposable_address())
            return True
        if attempt.new_secret and await self._refuses_choice(attempt):
            self._settler.give_back(assessment)
            await self._refuser.answer(context, breached_password())
            return True
        return attempt.door.is_answered_first and await self._answers_first(context, assessment, contacted=contacted)

    async def _answers_first(self, context: RequestContext, assessment: Assessment, *, contacted: bool) -> bool:
        """Whether the attempt was answered before the application, or instead of it."""
        attempt = assessment.attempt
        if attempt.door.shows_passkey:
            await self._by_passkey(context, assessment)
            return True
        if not self._refuser.enforces:
            return False
        if self._contacts is not None and attempt.door.contact and not contacted:
            await self._contacts.ask(context, assessment)
            return True
        if self._on_file is None or not attempt.door.on_file:
            return False
        if self._asker is not None:
            context = context.sending(self._asker.marked(context.send, context.by_name, attempt))
        await self._on_file.answer(context, assessment)
        return True

    async def _by_passkey(self, context: RequestContext, assessment: Assessment) -> None:
        """Pass a log-in on that a passkey begins, with the account that it proves: in monitor mode as well."""
        found = await self._passkeys.prove(context, assessment) if self._passkeys is not None else None
        if found is None:
            return None
        attempt, account = assessment.attempt, found.account
        canonical = self._accounts.canonical(account)
        proved = Attempt(attempt.door, attempt.origin, account, canonical, attempt.secret, attempt.token)
        keeper = ProvedKeeper(self._keeper, found.grants)
        return await self._dispatcher.pass_on(context.sending(found.send), assessment.proved(proved), keeper)

    async def _refuses_choice(self, attempt: Attempt) -> bool:
        """Whether to refuse the new password because it has leaked (NIST SP 800-63B-4, 3.1.1.2)."""
        breached = await self._guard.weigh_choice(attempt)
        self._events.chosen(attempt.door, breached=breached, attempt=attempt)
        if breached:
            self._refuser.note(attempt.door, "breached_password", "the new password has leaked")
        return bool(breached) and self._refuser.enforces

    def _refuses_address(self, attempt: Attempt) -> bool:
        """Whether a new account's mail address is of a provider that the operator does not accept."""
        address = attempt.address or attempt.account
        if attempt.door.kind is not DoorKind.SIGNUP or not is_of_domains(address, self._disposable):
            return False
        self._refuser.note(attempt.door, "disposable_address", "the address is of a disposable mail domain")
        return self._refuser.enforces
