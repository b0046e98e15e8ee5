"""Reads a request at a door: who sent it, and the attempt in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.asgi.body_reader import BodyReader
from sekisho.asgi.proof_headers import CARRIED, Carried
from sekisho.asgi.request_context import DEVICE_HEADER, NOTHING, PresentedToken, RequestContext, presented
from sekisho.model import UNKNOWN, Attempt, DoorKind, Exposure, Unreadable
from sekisho.read import declared_too_large, decoded, exposed, is_rewritten, read_credentials, read_operation

if TYPE_CHECKING:
    from sekisho.asgi.body_reader import Patience
    from sekisho.asgi.reading import Reading
    from sekisho.asgi.session_account import SessionAccounts
    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.model import Credentials, Door
    from sekisho.record import Events

UNTRUSTED_PROXY = (
    "a forwarding header came from a peer that SEKISHO_TRUSTED_PROXIES does not name: if that is your proxy, all its "
    "clients share one address here [SEK050]"
)
# A client can write any address into the header: each forged line would count as a new client.
REWRITTEN_PEER = (
    "the server puts addresses of X-Forwarded-For in the place of the peer's, so that a client may choose its own: let "
    "it keep the peer's, and name your proxies in SEKISHO_TRUSTED_PROXIES. Start it with `uvicorn --no-proxy-headers`, "
    "`fastapi run --no-proxy-headers` or `gunicorn --forwarded-allow-ips=` [SEK051]"
)
NOT_OUTERMOST = (
    "LoginGuard stands inside a session middleware: make it the outermost but for CORS, by the last call of "
    "add_middleware [SEK052]"
)


@final
class AttemptReader:
    """Args:
    reading: the readers of single parts.
    events: counts anomalies.
    patience: how long a body may take.
    cookie_start: how the device token's cookie begins.
    sessions: know the account of a session that tries a code, or changes its password.
    carries: whether a door may receive a work page's form.
    """

    def __init__(
        self,
        reading: Reading,
        events: Events,
        *,
        patience: Patience,
        cookie_start: bytes,
        sessions: SessionAccounts,
        carries: bool,
    ) -> None:
        self._reading: Final = reading
        self._events: Final = events
        self._patience: Final = patience
        self._cookie_start: Final = cookie_start
        self._sessions: Final = sessions
        self._carries: Final = carries

    def context(
        self, door: Door, as_sent: Scope, scope: Scope, by_name: dict[bytes, bytes], receive: Receive, send: Send
    ) -> RequestContext:
        """Make the context of a request at a door. `as_sent`, `scope`: see `RequestContext`."""
        caller = self._reading.callers.read(scope, by_name)
        if caller.origin.forwarded_by_stranger:
            self._events.anomaly(REWRITTEN_PEER if is_rewritten(scope, by_name) else UNTRUSTED_PROXY)
        if "session" in scope:
            self._events.anomaly(NOT_OUTERMOST)
        return RequestContext(door, caller, self.presented(by_name), by_name, as_sent, scope, BodyReader(receive), send)

    def presented(self, by_name: dict[bytes, bytes]) -> PresentedToken:
        """The device token that a request shows in a cookie or header; an empty one if it shows none."""
        return presented(by_name, self._cookie_start) if b"cookie" in by_name or DEVICE_HEADER in by_name else NOTHING

    async def read(self, context: RequestContext) -> Attempt | None:
        """Read the attempt in a request; None where no account or secret was tried.

        Raises:
            Unreadable: the door's fields could not be read.
            HungUp: the client is gone.
            Carried: the body is a work page's form, which carries another request.
            SessionUnread: whose session tries a code is unknown.
        """
        reading, headers, bytes_max = self._reading, context.scope["headers"], self._reading.body_bytes_max
        body = raw = b""
        if context.door.reads_body:
            # Limits start at a kilobyte; few log-ins are longer.
            if len(context.by_name.get(b"content-length", b"")) > 3 and declared_too_large(headers, bytes_max):
                raise Unreadable(413, "body_too_large")
            body = raw = await context.body_reader.read(bytes_max=bytes_max, patience=self._patience)
            if raw.startswith(CARRIED) and self._carries:
                raise Carried(raw)
            if b"content-encoding" in context.by_name:
                body = decoded(headers, raw, bytes_max)
        door, credentials = context.door, None
        if not door.operation:
            credentials = read_credentials(door, context.scope, body, raw=raw, by_name=context.by_name)
        elif (call := read_operation(reading.doors.operations(door), context.scope, body)) is not None:
            door, credentials = call.door, call.credentials
        if credentials is None:
            return None
        account, secret = credentials.account, credentials.secret
        # By a stolen session a thief would guess codes, and the old password, from thousands of addresses.
        if not account and self._sessions.are_told and (door.secret_is_small or door.kind is DoorKind.CHANGE):
            account = await self._sessions.of(context.scope) or ""
        canonical = reading.accounts.canonical(account) if account else ""
        return Attempt(
            door,
            context.origin,
            account,
            canonical,
            secret,
            context.presented.token,
            secret if door.secret_is_new else credentials.new_secret,
            self._reported_exposure(context) if reading.exposed_header else UNKNOWN,
            reading.accounts.limit_key(canonical),
            credentials.address,
        )

    def of_session(self, context: RequestContext, credentials: Credentials, account: str) -> Attempt:
        """Return the attempt at a secret whose account the session tells, because the request names none."""
        reading = self._reading
        canonical = reading.accounts.canonical(account)
        return Attempt(
            context.door,
            context.origin,
            account,
            canonical,
            credentials.secret,
            context.presented.token,
            credentials.new_secret,
            self._reported_exposure(context) if reading.exposed_header else UNKNOWN,
            reading.accounts.limit_key(canonical),
            credentials.address,
        )

    def _reported_exposure(self, context: RequestContext) -> Exposure:
        # Only a trusted proxy is believed: a client could send an owner to a second factor or to a new password.
        return exposed(context.by_name.get(self._reading.exposed_header, b"")) if context.origin.vouched else UNKNOWN
