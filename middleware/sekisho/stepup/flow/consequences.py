"""What log-ins, changes and log-outs lead to: for the account's step-ups, proofs, devices and sessions."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sekisho.devices.token import browser_name
from sekisho.model import Attempt, Basis, DoorKind, Outcome, StoreUnavailable, Unreadable
from sekisho.read import credentials_set
from sekisho.read.request import headers_by_name
from sekisho.stepup.flow.browser_key import shown_key
from sekisho.stepup.flow.telling import LINK, sets_password
from sekisho.stepup.log_ins import KNOWN
from sekisho.stepup.session_binding import SessionBinding
from sekisho.tasks import TaskSet

if TYPE_CHECKING:
    from sekisho.asgi.keeper import AnsweredAttempt
    from sekisho.asgi.reading import Reading
    from sekisho.asgi.request_context import RequestContext
    from sekisho.asgi.types import Scope, Send
    from sekisho.assessment import Assessment
    from sekisho.model import Door
    from sekisho.model.headers import Headers
    from sekisho.model.previous_log_in import PreviousLogIn
    from sekisho.pipeline import Guard
    from sekisho.stepup.flow.browser_key import BrowserKey
    from sekisho.stepup.flow.parts import Parts
    from sekisho.stepup.flow.route_proofs import RouteProofs
    from sekisho.stepup.flow.telling import OwnerTelling


log = logging.getLogger("sekisho")

NAMES_NOBODY: Final = (
    "{}: a password was set, and nothing tells whose: proofs, step-ups and devices of that account go on, and its "
    'owner hears of nothing; call scope["state"]["sekisho"].report(success=True, account=…) there [SEK093]'
)


class AccountConsequences:
    """Belongs to one event loop.

    Args:
        guard: ends devices.
        reading: the doors, and how accounts are read.
        parts: the parts of a step-up.
        telling: tells owners; None where the site has no factors.
        proofs: forgets which proofs counted a moment ago, when proofs are ended.
    """

    def __init__(
        self, guard: Guard, reading: Reading, parts: Parts, telling: OwnerTelling | None, proofs: RouteProofs
    ) -> None:
        self._guard = guard
        self._accounts = reading.accounts
        self._sessions_change_secrets = any(map(_goes_by_session, reading.doors.all))
        self._parts = parts
        self._telling = telling
        self._proofs = proofs
        self._tasks = TaskSet()

    def let_in(self, context: RequestContext, attempt: Attempt, device: bytes) -> None:
        """Keep a log-in without a proof for its owner to see. A change of password ends the trust of `device`."""
        proving = self._parts.proving
        if proving is None or proving.log_ins is None:
            return
        browser, address = browser_name(context.by_name.get(b"user-agent", b"")), context.origin.address
        proving.log_ins.note(attempt.account, KNOWN, browser=browser, address=address, device=device)

    async def previous_log_in(self, account: str) -> PreviousLogIn | None:
        """The account's last completed log-in; None where none is known, or no database keeps them."""
        proving = self._parts.proving
        if proving is None or proving.log_ins is None:
            return None
        return await proving.log_ins.previous_log_in(account)

    def binding(self, context: RequestContext, attempt: Attempt, headers: Headers, body: bytes) -> Headers:
        """Return the headers that bind the session to its account after a log-in without a proof; often empty.

        The binding does not count as a fresh proof. It is issued only where it will be needed: with protected routes;
        with doors where a logged-in user changes a password without naming the account; or in a browser that the
        owner's page has just sent to log in. Otherwise every log-in of every known device would pay for it.
        """
        proving = self._parts.proving
        if proving is None:
            return []
        asked_for = proving.protection.has_routes or self._sessions_change_secrets
        if not (asked_for or proving.bindings.is_wanted(context.by_name)):
            return []
        by_header = context.presented.by_header
        credentials = credentials_set(attempt.door, headers, body)
        return proving.bindings.headers(
            SessionBinding(attempt.account), credentials, int(self._parts.clock_s()), by_header=by_header
        )

    def account_changed(self, change: AnsweredAttempt) -> None:
        """Tell the owner of a change. If it is the password, end step-ups and proofs under way (CVE-2026-9798).

        After a change that a rule or the application tells, no other device is known any more.

        `change`: its outcome is `SUCCEEDED` or `UNKNOWN`; at a `LINK` door `FAILED` as well.
        """
        scope, attempt, account = change.context.scope, change.assessment.attempt, change.account
        outcome, is_link = change.outcome, attempt.door.kind is DoorKind.LINK
        if attempt.door.kind is DoorKind.RESET and change.basis is Basis.GUESS:
            # Any client can show a made-up token, and have its owner written to as often as it likes.
            outcome = Outcome.UNKNOWN
        if not is_link:
            whose = self._whose(scope, attempt, outcome, account) - {b""}
            for one in whose:
                self.end_all(one)
            if not whose and outcome is Outcome.SUCCEEDED and change.basis is not Basis.GUESS:
                self._parts.anomaly(NAMES_NOBODY.format(attempt.door.name))
        if outcome is Outcome.SUCCEEDED and self._telling is not None:
            self._telling.changed(scope, attempt, account)
        elif is_link and self._telling is not None:
            self._telling.tried(LINK, scope, attempt.account, attempt.origin.address)
        # Of a guess a stranger could make one: an application that answers a made-up token as it does a right one.
        if outcome is Outcome.SUCCEEDED and change.basis is not Basis.GUESS and sets_password(attempt):
            self._end_devices(scope, change.assessment, account)

    def _end_devices(self, scope: Scope, changed: Assessment, account: str) -> None:
        """End the trust of the account's devices, except for the known device that changed the password.

        A device that a thief made known with the old password would still be known with the next that they steal.
        """
        attempt, verdict = changed.attempt, changed.verdict
        device = changed.token.device if changed.token is not None else b""
        charged_us = verdict.account_at_us or verdict.at_us
        name = account or next(iter(self._sessions(scope)), "")
        with suppress(Unreadable):  # no account has such a name
            nothing = Attempt(attempt.door, attempt.origin, name, self._accounts.canonical(name), "")
            if name:
                self._guard.devices.end_devices(nothing, device, charged_us)

    async def changing(self, scope: Scope, send: Send, attempt: Attempt) -> Send:
        """Return the `send` for an attempt that may change the account.

        The last message of an answer to a change leaves after the owner's notice is kept.
        """
        proving = self._parts.proving
        if proving is not None:  # now: a change may end the very session that this request shows
            await proving.protection.accounts(scope, int(self._parts.clock_s()))
        if self._telling is None:
            return send
        return await self._telling.changing(scope, send, attempt.door, attempt.account)

    def breached(self, scope: Scope, attempt: Attempt, account: str) -> None:
        """Tell the owner that the password of this log-in has leaked."""
        if self._telling is not None:
            self._telling.breached(scope, account, attempt.origin.address)

    def _whose(self, scope: Scope, attempt: Attempt, outcome: Outcome, account: str) -> set[bytes]:
        """The accounts whose step-ups end. A stranger who knows a name must end none: that could lock its owner out."""
        is_reset = attempt.door.kind is DoorKind.RESET
        if is_reset and not (attempt.secret or attempt.new_secret):
            return set()  # only a mail was requested, which any client can do
        if is_reset and outcome is not Outcome.SUCCEEDED:
            return set()  # any client can show an invalid token
        named = self._parts.account_digest(attempt.account) if attempt.account else b""
        if outcome is Outcome.SUCCEEDED and named:
            return {named, self._parts.account_digest(account)}
        # Forms for logged-in users often name no account: then it is the session's account.
        shown = {self._parts.account_digest(name) for name in self._sessions(scope)}
        if outcome is Outcome.SUCCEEDED:
            return shown | {self._parts.account_digest(account)}
        # An unknown outcome may be a change; the owner can start again.
        return shown & {named} if named else shown

    def _sessions(self, scope: Scope) -> set[str]:
        """The accounts that this request's session is bound to."""
        proving = self._parts.proving
        return proving.protection.accounts_learnt(scope, int(self._parts.clock_s())) if proving is not None else set()

    async def leaving(self, scope: Scope) -> None:
        """Learn whose session a log-out ends, before the application ends it: see `logged_out`."""
        proving = self._parts.proving
        if proving is not None and shown_key(headers_by_name(scope["headers"])) is not None:
            await proving.protection.accounts(scope, int(self._parts.clock_s()))

    async def logged_out(self, scope: Scope) -> Headers:
        """End this browser's step-ups; return headers with which the client drops its session binding and key."""
        proving, headers = self._parts.proving, scope["headers"]
        if proving is None:
            return []
        ended = proving.bindings.ended(headers)
        if (shown := shown_key(headers_by_name(headers))) is not None:
            ended.append(shown.deleted(elsewhere=self._parts.responses.is_elsewhere(headers)))
            # Only for sessions of ours: log-outs are not counted, so strangers must not write to the store by them.
            if await proving.protection.accounts(scope, int(self._parts.clock_s())):
                await self._end_browser(shown, proving.bindings.session(headers))
        return ended

    async def _end_browser(self, browser_key: BrowserKey, session: bytes) -> None:
        try:
            await self._parts.escrow.end_browser(browser_key.key, session)
        except StoreUnavailable:
            log.warning("step-ups of a browser that logged out could not be ended: the store does not answer")

    def end_all(self, account_digest: bytes) -> None:
        """End the step-ups under way for this account, and its proofs."""
        self._proofs.forget()
        self._tasks.start(self._end_all(account_digest))

    async def _end_all(self, account_digest: bytes) -> None:
        try:
            await self._parts.escrow.end_all(account_digest)
        except StoreUnavailable:
            log.warning("pending step-ups could not be ended: the store does not answer")

    async def aclose(self) -> None:
        await self._tasks.ended()
        if self._telling is not None:
            await self._telling.aclose()


def _goes_by_session(door: Door) -> bool:
    """Whether only the session shows whose password was changed here, or that the owner asked for the change."""
    names_nobody = not all(fields.account for fields in door.fields)
    return door.kind is DoorKind.CHANGE and (names_nobody or not door.success)
