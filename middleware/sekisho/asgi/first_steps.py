"""Log-ins of two steps, at doors with `first=name`: requests with a name and no secret pass, and log nobody in.

Nothing is charged for them, because an owner needs two requests for each log-in. They have a limit of their own for
each address, and an answer that counts as a success is kept from the client. A second step with the secret alone is
counted at the account of its session.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sekisho.asgi.report import Report
from sekisho.model import UNKNOWN, Action, Attempt, Decision, Outcome
from sekisho.read import ANSWER_BYTES_MAX, from_body, from_start, read_credentials, unpacked
from sekisho.read.first_step import is_name_alone, is_secret_alone
from sekisho.read.response.head import readable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.asgi.attempt_reader import AttemptReader
    from sekisho.asgi.request_context import RequestContext
    from sekisho.asgi.session_account import SessionAccounts
    from sekisho.asgi.types import App, Message, Scope
    from sekisho.model import Door
    from sekisho.model.headers import Headers

STEPS_MAX: Final = 120  # of an address, at a worker: a flood of names is no log-in
PERIOD_US: Final = 600_000_000
ADDRESSES_MAX: Final = 8_192
LOGGED_IN: Final = (
    "{}: the answer to a request without a secret counts as a success by the door's success= rule, so it was withheld. "
    "Either the rule is met by the page for the password, or the application logs in by something else; write a rule "
    "that only a log-in meets, or leave first=name out"
)


class FirstSteps:
    """Belongs to one event loop.

    Args:
        app: the application.
        attempts: make the attempt of a second step.
        sessions: the accounts of requests' sessions.
        anomaly: told, in words, of each answer that counts as a success.
        clock_us: microseconds that never go back.
    """

    def __init__(
        self,
        app: App,
        attempts: AttemptReader,
        sessions: SessionAccounts,
        anomaly: Callable[[str], object],
        clock_us: Callable[[], int],
    ) -> None:
        self._app = app
        self._attempts = attempts
        self._sessions = sessions
        self._nameless: dict[str, Door] = {}
        self._anomaly = anomaly
        self._clock_us = clock_us
        self._period = 0
        self._steps: dict[bytes, int] = {}

    def finds(self, context: RequestContext) -> bool:
        """Whether a request in which no secret was found is a first step."""
        sent = context.body_reader.whole
        return context.door.name_first and is_name_alone(context.door, context.scope, context.by_name, sent)

    def may_be_second(self, context: RequestContext) -> bool:
        """Whether a request in which no account was found may be a second step, whose session tells the account."""
        sent = context.body_reader.whole
        door, is_told = context.door, self._sessions.are_told
        return door.name_first and is_told and is_secret_alone(door, context.scope, context.by_name, sent)

    async def second(self, context: RequestContext) -> Attempt | None:
        """Return the attempt of a second step; None where no session tells its account.

        Raises:
            Unreadable: the request cannot be read.
            SessionUnread: its session's account is unknown.
        """
        door, body = context.door, context.body_reader.whole
        if door.name not in self._nameless:
            fields = tuple(replace(fields, account=()) for fields in door.fields)
            self._nameless[door.name] = replace(door, fields=fields, tenant=())
        credentials = read_credentials(self._nameless[door.name], context.scope, body, by_name={**context.by_name})
        account = await self._sessions.of(context.scope)
        if credentials is None or not account or not credentials.secret:
            return None
        return self._attempts.of_session(context, credentials, account)

    def wait_us(self, context: RequestContext) -> int:
        """Count a first step at its address; the time until the next may pass, or 0 where this one may."""
        now_us = self._clock_us()
        if (period := now_us // PERIOD_US) != self._period or len(self._steps) >= ADDRESSES_MAX:
            self._period = period
            self._steps.clear()
        steps = self._steps[context.digests.ip] = self._steps.get(context.digests.ip, 0) + 1
        return (period + 1) * PERIOD_US - now_us if steps > STEPS_MAX else 0

    async def pass_on(self, context: RequestContext, *, withholds: bool) -> bool:
        """Have the application answer; return whether the answer was withheld, so that the client has none yet."""
        judged = _JudgedAnswer(context, withholds=withholds)
        context.as_sent.setdefault("state", {})["sekisho"] = judged.report
        await self._app(context.as_sent, context.body_reader.replay, judged.send)
        if judged.succeeded:
            self._anomaly(LOGGED_IN.format(context.door.name))
        return judged.is_withheld


class _JudgedAnswer:
    """An answer that leaves once it is certain that it is no success.

    Attributes:
        report: what the application says of it.
        succeeded: whether it counts as a success, or cannot be judged.
        is_withheld: whether the client was sent nothing of it, for that reason.
    """

    def __init__(self, context: RequestContext, *, withholds: bool) -> None:
        nothing = Attempt(context.door, context.origin, "", "", "")
        self.report: Final = Report(nothing, Decision(Action.ALLOW, Action.ALLOW, (), 0), UNKNOWN)
        self.succeeded = self.is_withheld = False
        self._has_begun = False
        self._context = context
        self._withholds = withholds
        self._held: list[Message] | None = None

    async def send(self, message: Message) -> None:
        if self._held is not None:
            self._held.append(message)
            if self._is_judged(self._held):
                held, self._held = self._held, None
                await self._pass_on(held)
            return
        if message["type"] == "http.response.start":
            message = readable(message)
            self._start(message)
        if self._held is None:
            await self._pass_on([message])

    async def _pass_on(self, messages: list[Message]) -> None:
        self.succeeded = self.succeeded or self.report.outcome is Outcome.SUCCEEDED
        self.is_withheld = self.succeeded and self._withholds and not self._has_begun
        if self.is_withheld:
            return
        self._has_begun = True
        for message in messages:
            await self._context.send(message)

    def _start(self, start: Message) -> None:
        learned = from_start(self._context.door, start["status"], _headers(start), *self._sent())
        self.succeeded = learned is Outcome.SUCCEEDED
        self._held = [start] if learned is None else None

    def _is_judged(self, held: list[Message]) -> bool:
        """Judge the held answer once it is whole; one that is too long or sent in another way counts as a success."""
        start, *bodies = held
        body = b"".join(bytes(part.get("body", b"")) for part in bodies)
        self.succeeded = len(body) > ANSWER_BYTES_MAX or any(part["type"] != "http.response.body" for part in bodies)
        if self.succeeded or bodies[-1].get("more_body", False):
            return self.succeeded
        plain, headers = unpacked(_headers(start), body), _headers(start)
        outcome = Outcome.SUCCEEDED  # as far as anybody can tell
        if plain is not None:
            outcome = from_body(self._context.door, start["status"], plain, headers, *self._sent())
        self.succeeded = outcome is Outcome.SUCCEEDED
        return True

    def _sent(self) -> tuple[Scope, bytes]:
        return self._context.scope, self._context.body_reader.whole


def _headers(start: Message) -> Headers:
    return list(start.get("headers", ()))
