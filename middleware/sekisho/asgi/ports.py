"""The ports of the endpoint: what it needs of step-ups and of the pages below the mount.

`stepup/flow` implements them. The endpoint receives both when it is constructed and imports no module of a step-up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from sekisho.asgi.past_log_ins import PastLogIns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sekisho.asgi.keeper import AnsweredAttempt, Keeper
    from sekisho.asgi.request_context import RequestContext
    from sekisho.asgi.types import App, Receive, Scope, Send
    from sekisho.assessment import Assessment
    from sekisho.model import Attempt, Door, ProtectedRoute
    from sekisho.model.headers import Headers
    from sekisho.model.shown_proofs import ShownProofs


class Fresh(NamedTuple):
    """The session's owner has proved their identity recently enough for this route: at `proved_s`, Unix time."""

    route: ProtectedRoute
    account: str
    proved_s: int = 0

    def __repr__(self) -> str:
        return f"Fresh({self.route!r}, ...)"


class Stale(NamedTuple):
    """No proof is fresh enough. `account`: the account whose proof is needed; None where the session's is not known.

    Without an account no proof helps: the client must log in.
    """

    route: ProtectedRoute
    account: str | None

    def __repr__(self) -> str:
        return f"Stale({self.route!r}, ...)"


class StepUp(Protocol):
    """Asks for work or a second proof, and reads what a request shows of either."""

    async def shown(self, context: RequestContext, attempt: Attempt) -> ShownProofs:
        """Read the proofs that the request shows, and use them up: each is valid once. Raises `StoreUnavailable`."""
        ...

    def earns_look(self, context: RequestContext) -> bool:
        """Whether a request that would be refused unread brings work, and so is read.

        The client must have been charged for the request that was answered by asking for this work.
        """
        ...

    def wants_work(self, *, worked: bool) -> bool:
        """Whether the queue of escrowed runs is so full that a stranger must do work for a place.

        `worked`: it has done some.
        """
        ...

    def has_no_room(self) -> bool:
        """Whether a stranger's escrowed run would find no place in the queue, or one only for work."""
        ...

    def may_ask_work(self, *, worked: bool) -> bool:
        """Whether the client can be asked for work: the site asks for it, and `worked` is False."""
        ...

    def work(self, context: RequestContext, assessment: Assessment) -> Awaitable[None]:
        """Answer by asking for work, before the secret is checked."""
        ...

    def step_up(self, context: RequestContext, assessment: Assessment, keeper: Keeper) -> Awaitable[None]:
        """Answer by asking for a second proof, or as the application does where the decision releases its answer."""
        ...

    @property
    def proves(self) -> bool:
        """Whether the site has factors, so that an owner can show a second proof."""
        ...

    def hold(self, context: RequestContext, assessment: Assessment, keeper: Keeper) -> Awaitable[None]:
        """Run the application.

        If the secret is right and a factor is enrolled, ask for a second proof; else pass the answer on.
        """
        ...


class FreshProofs(Protocol):
    """Knows where a session needs a fresh proof, and asks for it."""

    def route(self, scope: Scope, *, has_body: bool = False) -> ProtectedRoute | None:
        """The protected route to which a request may lead; None for all others."""
        ...

    async def verdict(self, route: ProtectedRoute, scope: Scope) -> Fresh | Stale:
        """Whether this session may use a route now. Raises `SessionUnread`."""
        ...

    def counts(self, fresh: Fresh) -> Awaitable[bool]:
        """Whether the proof behind `fresh`, which is young enough, is still valid: no event has ended it since."""
        ...

    async def linking(self, scope: Scope, door: Door) -> Fresh | Stale | None:
        """Whether the session that links another account at this door has a fresh proof; the result names its account.

        None where the site has no factors. Raises `SessionUnread`.
        """
        ...

    def fresh_proof(self, scope: Scope, send: Send, stale: Stale) -> Awaitable[None]:
        """Answer by asking for a proof of the session's account, or for a log-in where the account is not known."""
        ...


class Consequences(PastLogIns, Protocol):
    """What log-ins, changes and log-outs lead to: for the account's step-ups, proofs, devices and sessions."""

    def let_in(self, context: RequestContext, attempt: Attempt, device: bytes) -> None:
        """Record, for the owner to see, that a device got in without a proof.

        `device`: its name; empty if it got none.
        """
        ...

    def binding(self, context: RequestContext, attempt: Attempt, headers: Headers, body: bytes) -> Headers:
        """The headers to add to a log-in's answer that bind the session, which had no proof, to its account."""
        ...

    def account_changed(self, change: AnsweredAttempt) -> None:
        """Tell the owner of a change, and end step-ups, proofs and devices where the secret was changed."""
        ...

    async def leaving(self, scope: Scope) -> None:
        """Learn whose session a log-out ends, before the application ends it."""
        ...

    async def logged_out(self, scope: Scope) -> Headers:
        """End this browser's step-ups; returns the headers that take away what names its session's account."""
        ...

    async def changing(self, scope: Scope, send: Send, attempt: Attempt) -> Send:
        """The `send` for an attempt that may change the account: its last message leaves after the owner's notice."""
        ...

    def breached(self, scope: Scope, attempt: Attempt, account: str) -> None:
        """Tell the owner that the password of this log-in has leaked."""
        ...


class Caps(Protocol):
    """Sums the amounts of protected routes."""

    def capped(self, scope: Scope, *, has_body: bool = False) -> bool:
        """Whether a request may lead to a route with a cap. Raises `Unreadable`."""
        ...

    def pass_on(self, as_sent: Scope, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Add the request's amount to its account's sums, and pass the request on; or refuse it at a cap."""
        ...


class Changes(Protocol):
    """Watches the answers of protected routes whose changes owners are told of."""

    async def watching(self, scope: Scope, send: Send, *, has_body: bool) -> Send:
        """Return `send` for a request, wrapped where the request may lead to a protected route with a notice.

        The wrapped one watches the answer for a change. Raises `Unreadable`.
        """
        ...


class OnFile(Protocol):
    """Answers requests for a reset whose address must be on file."""

    def answer(self, context: RequestContext, assessment: Assessment) -> Awaitable[None]:
        """Answer an attempt alike for every account, and run the application behind the answer."""
        ...


class Contacts(Protocol):
    """Answers sign-ups whose address must be proved first."""

    def ask(self, context: RequestContext, assessment: Assessment) -> Awaitable[None]:
        """Answer an attempt alike for every address, and mail a code to the address that it names."""
        ...


class ProvedLogIn(NamedTuple):
    """A log-in that a passkey began.

    Attributes:
        account: exactly as the application read it when it accepted that account.
        grants: the headers that a success adds, given the answer's headers and its body where it was held.
        send: the client's; an answer leaves after the notices to the owner.
    """

    account: str
    grants: Callable[[Headers, bytes], Headers]
    send: Send

    def __repr__(self) -> str:
        return "ProvedLogIn(...)"


class PasskeyLogIns(Protocol):
    """Proves log-ins that begin with a passkey."""

    async def prove(self, context: RequestContext, assessment: Assessment) -> ProvedLogIn | None:
        """Check the passkey of a log-in, and return the account that it proves.

        None where the request proved no account; the client has its answer then.
        """
        ...


class Routes(Protocol):
    """Serves the pages below the mount. `guarded`: the endpoint, through which a carried request goes again."""

    def finds(self, scope: Scope) -> bool:
        """Whether a request is for a page below the mount."""
        ...

    def serve(self, scope: Scope, receive: Receive, send: Send, *, guarded: App) -> Awaitable[None]:
        """Answer a request for one of the guard's own pages. `guarded`: the application behind the guard."""
        ...

    def unpack(self, context: RequestContext, body: bytes, *, guarded: App) -> Awaitable[None]:
        """Handle the request that a work page's form carries, as if it had been sent again."""
        ...
