"""Watches the application's answer on its way out: only the answer shows the outcome of the attempt.

Only a JSON answer whose body decides is held back, and of that a bounded part: streams are not delayed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final, final

from sekisho.model import Attempt, Basis, Decision, Device, Door, Exposure, Origin, Outcome
from sekisho.model.value import Value
from sekisho.read import ANSWER_BYTES_MAX, from_body, from_start, unpacked
from sekisho.read.response.head import readable

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sekisho.asgi.past_log_ins import PastLogIns
    from sekisho.asgi.request_context import RequestContext
    from sekisho.asgi.types import Message
    from sekisho.assessment import Assessment
    from sekisho.model.headers import Headers
    from sekisho.model.previous_log_in import PreviousLogIn


BODIES: Final = frozenset({"http.response.body", "http.response.pathsend", "http.response.zerocopysend"})


@final
class ReportedAttempt(Value):
    """An attempt as the application may see it: without its secrets and its device token.

    Attributes:
        door: where it was made.
        origin: the client.
        account: as the application reads it.
        canonical: the same for all spellings of the account.
    """

    __slots__ = ("account", "canonical", "door", "origin")

    def __init__(self, door: Door, origin: Origin, account: str, canonical: str) -> None:
        self.door: Final = door
        self.origin: Final = origin
        self.account: Final = account
        self.canonical: Final = canonical

    def __repr__(self) -> str:
        # Error reporters print it, and an account is personal data.
        return f"ReportedAttempt(door={self.door.name!r}, ...)"


class Report:
    """The object that the application finds in `scope["state"]["sekisho"]`.

    It refers to no secret and no token: error reporters send `scope["state"]` to other services.

    Attributes:
        door: where the attempt was made.
        decision: the judgement. `decision.change_password`: if the secret is right, ask its owner to choose another,
            because this one has leaked.
        exposure: whether the secret is in known leaks: `None` where no source could tell, which is not *clean*.
        device: `STRANGER`, `SEEN` or `PROVED` (see `sekisho.Device`), known before the secret is looked at. Serve known
            devices first if your own pool checks passwords.
        account: the application's own id of the account, once it has reported one.
        outcome: as the application has reported it; `None` until it does.
    """

    __slots__ = (
        "_canonical",
        "_origin",
        "_past",
        "_submitted",
        "account",
        "decision",
        "device",
        "door",
        "exposure",
        "outcome",
    )

    def __init__(
        self,
        attempt: Attempt,
        decision: Decision,
        exposure: Exposure,
        device: Device = Device.STRANGER,
        past: PastLogIns | None = None,
    ) -> None:
        self.door: Final = attempt.door
        self._origin: Final = attempt.origin
        self._submitted: Final = attempt.account
        self._canonical: Final = attempt.canonical
        self.decision = decision
        self.exposure = exposure
        self.device = device
        self.account: str | None = None
        self.outcome: Outcome | None = None
        self._past: Final = past

    async def previous_log_in(self) -> PreviousLogIn | None:
        """The account's log-in before this one; None where none is known, or nothing keeps log-ins.

        Call it once the secret was right. Where a proof is asked for, nobody sees the answer before that proof.
        """
        return None if self._past is None else await self._past.previous_log_in(self._submitted)

    def report(self, *, success: bool, account: str | None = None) -> None:
        """Report the outcome of the attempt where the response does not show it, preferably before the response begins.

        Args:
            success: whether the secret was right.
            account: the application's own id of the account.
        """
        self.outcome = Outcome.SUCCEEDED if success else Outcome.FAILED
        self.account = account

    @property
    def passkey_account(self) -> str | None:
        """The account whose passkey began this log-in, as the application read it when it accepted that account.

        None at all other doors. It is proved: log this account in, and ask for nothing more.
        """
        return self._submitted if self.door.shows_passkey else None

    @property
    def attempt(self) -> ReportedAttempt:
        """The attempt at this door as the guard has read it, without its secrets."""
        # Made on request: most applications never ask.
        return ReportedAttempt(self.door, self._origin, self._submitted, self._canonical)

    @property
    def basis(self) -> Basis:
        """How this attempt's outcome is known by now: by the application's report, the door's rule, or a guess."""
        if self.outcome is not None:
            return Basis.REPORT
        return Basis.RULE if self.door.success else Basis.GUESS


class Keeper(ABC):
    """Receives what an answer shows. A base class and no protocol: compiled, its methods are called directly."""

    @abstractmethod
    def started(self, context: RequestContext, status: int, headers: Headers, learned: Outcome | None) -> None:
        """Take status and headers of an answer, and the outcome that they show.

        `learned`: None where the body decides.
        """

    @abstractmethod
    def read(self, context: RequestContext, status: int, headers: Headers, body: bytes | None) -> None:
        """Take the body of an answer that was held until its outcome is known.

        `body`: None where it could not be unpacked.
        """

    @abstractmethod
    def unjudged(self, context: RequestContext, why: str) -> None:
        """Take the news that an answer's body could not be read. `why`: `large` or `file`."""

    @abstractmethod
    def success_headers(
        self, context: RequestContext, assessment: Assessment, status: int, headers: Headers, body: bytes, basis: Basis
    ) -> tuple[Headers, bool]:
        """Return the headers to add to a successful answer, and whether a device token is among them.

        `status`, `headers`: the answer's own. `body`: its body where the answer was held, else empty.
        """

    @abstractmethod
    def ended(
        self,
        context: RequestContext,
        assessment: Assessment,
        outcome: Outcome,
        basis: Basis,
        *,
        renewed: bool,
        account: str,
        status: int,
    ) -> None:
        """Take the outcome of the attempt: called exactly once, before the last message of the answer leaves.

        Args:
            context: of the request.
            assessment: of the attempt.
            outcome: of the attempt.
            basis: how the outcome is known.
            renewed: whether a device token was sent.
            account: the application's id of the account, or the name that was tried.
            status: of the answer; 0 for none.
        """


class ForwardingKeeper(Keeper):
    """Hands everything on to another keeper; subclasses change what they must."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper: Final = keeper

    def started(self, context: RequestContext, status: int, headers: Headers, learned: Outcome | None) -> None:
        self._keeper.started(context, status, headers, learned)

    def read(self, context: RequestContext, status: int, headers: Headers, body: bytes | None) -> None:
        self._keeper.read(context, status, headers, body)

    def unjudged(self, context: RequestContext, why: str) -> None:
        self._keeper.unjudged(context, why)

    def success_headers(
        self, context: RequestContext, assessment: Assessment, status: int, headers: Headers, body: bytes, basis: Basis
    ) -> tuple[Headers, bool]:
        return self._keeper.success_headers(context, assessment, status, headers, body, basis)

    def ended(
        self,
        context: RequestContext,
        assessment: Assessment,
        outcome: Outcome,
        basis: Basis,
        *,
        renewed: bool,
        account: str,
        status: int,
    ) -> None:
        self._keeper.ended(context, assessment, outcome, basis, renewed=renewed, account=account, status=status)


class ResponseObserver:
    """An application's `send` that learns the outcome. The application's report overrules what the answer shows.

    `send` is a plain function that mostly returns the server's own awaitable: no coroutine stands in between.
    """

    def __init__(self, context: RequestContext, assessment: Assessment, report: Report, keeper: Keeper) -> None:
        self._context = context
        self._assessment = assessment
        self._report = report
        self._keeper = keeper
        self._held: list[Message] | None = None
        self._size = 0
        self._status = 0
        self._headers: Headers = []
        self._outcome = Outcome.UNKNOWN
        self._ended = False
        self._renewed = False

    @property
    def has_begun(self) -> bool:
        """Whether any part of the answer has been sent."""
        return bool(self._status) and not self._held

    def send(self, message: Message) -> Awaitable[None]:
        kind = message["type"]
        if kind == "http.response.start":
            return self._start(message)
        if self._held:
            if kind == "http.response.body":
                return self._hold(self._held, message)
            # An answer that ends in any other way (a file sent by path) has no body that could be read.
            if kind in BODIES:
                return self._let_go(message)
        return self._pass(kind, message)

    def _pass(self, kind: str, message: Message) -> Awaitable[None]:
        # Early hints, pushes and trailers are neither the answer nor its end.
        if kind in BODIES and not message.get("more_body", False):
            self._end()
        return self._context.send(message)

    def close(self) -> Awaitable[None] | None:
        """Note that the application has returned: an answer without an end is no success.

        Returns an awaitable that sends the messages that were held back; None if none were.
        """
        if self._held:
            return self._close_held()
        self.abandon()
        return None

    async def _close_held(self) -> None:
        await self._release()
        self.abandon()

    def abandon(self) -> None:
        """Note that the application has failed, or never finished its answer.

        An unfinished answer is a failed attempt.
        """
        if not self._ended:
            self._outcome = Outcome.FAILED
            self._report.outcome = None
            self._end()

    def _start(self, message: Message) -> Awaitable[None]:
        message = readable(message)
        status = self._status = message["status"]
        headers = self._headers = list(message.get("headers", ()))
        context = self._context
        learned = self._report.outcome or from_start(
            context.door, status, headers, context.scope, context.body_reader.whole
        )
        self._keeper.started(context, status, headers, learned)
        if learned is None:
            self._held = [message]
            return _nothing()
        self._outcome = learned
        return context.send(self._dressed(message))

    async def _let_go(self, message: Message) -> None:
        self._keeper.unjudged(self._context, "file")
        await self._release()
        await self._pass(message["type"], message)

    async def _hold(self, held: list[Message], message: Message) -> None:
        held.append(message)
        self._size += len(message.get("body", b""))
        if not message.get("more_body", False):
            await self._release(self._read(held), ends=True)
        elif self._size > ANSWER_BYTES_MAX:
            self._keeper.unjudged(self._context, "large")
            await self._release()

    def _read(self, held: list[Message]) -> bytes:
        """Judge the held body, and return it as it was judged; empty where it cannot be judged."""
        context, status, headers = self._context, self._status, self._headers
        if self._size > ANSWER_BYTES_MAX:
            self._keeper.unjudged(context, "large")
            return b""
        body = unpacked(headers, b"".join(bytes(part.get("body", b"")) for part in held[1:]))
        if body is not None:
            self._outcome = from_body(context.door, status, body, headers, context.scope, context.body_reader.whole)
        self._keeper.read(context, status, headers, body)
        return body or b""

    async def _release(self, body: bytes = b"", *, ends: bool = False) -> None:
        (start, *bodies), self._held = self._held or [], None
        start = self._dressed(start, body)
        if ends:
            self._end()
        for message in (start, *bodies):
            await self._context.send(message)

    def _dressed(self, start: Message, body: bytes = b"") -> Message:
        if (self._report.outcome or self._outcome) is not Outcome.SUCCEEDED:
            return start
        extra, self._renewed = self._keeper.success_headers(
            self._context, self._assessment, self._status, self._headers, body, self._report.basis
        )
        return {**start, "headers": [*self._headers, *extra]}

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            report = self._report
            account = report.account or self._assessment.attempt.account
            outcome = report.outcome or self._outcome
            self._keeper.ended(
                self._context,
                self._assessment,
                outcome,
                report.basis,
                renewed=self._renewed,
                account=account,
                status=self._status,
            )


async def _nothing() -> None: ...
