"""The asker token of a browser that asks for a code: read from its requests, issued with the answer to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.answer.cookies import attributes
from sekisho.asgi.cookies import cookie
from sekisho.asgi.request_context import DEVICE_HEADER
from sekisho.devices.asker import SECONDS
from sekisho.model import DoorKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sekisho.asgi.session_account import SessionAccounts
    from sekisho.asgi.types import Message, Scope, Send
    from sekisho.devices.asker import Askers
    from sekisho.model import Attempt, Door

HEADER = b"sekisho-asker"
COOKIE_START = b"__Host-sekisho-asker="


class AskerCookie:
    """Carries the token in a `__Host-` cookie; for native apps in the header `Sekisho-Asker`.

    Args:
        askers: issues and verifies.
        doors: the service's doors. If one of them takes codes, a log-in may make the application send a code.
        sessions: the account of a request's session, for codes that are tried without naming an account.
        clock_s: Unix time in seconds.
        chance: `n -> n` random bytes.
    """

    def __init__(
        self,
        askers: Askers,
        doors: Iterable[Door],
        *,
        sessions: SessionAccounts,
        clock_s: Callable[[], float],
        chance: Callable[[int], bytes],
    ) -> None:
        self._askers: Final = askers
        self._after_login: Final = any(door.kind is DoorKind.CODE for door in doors)
        self._sessions: Final = sessions
        self._clock_s: Final = clock_s
        self._chance: Final = chance

    async def account_of(self, scope: Scope) -> str:
        """The session's account, for a request that names none; empty where the application tells of none.

        Raises:
            SessionUnread: it is unknown. Guesses would be counted by address alone, while a database is kept busy.
        """
        return await self._sessions.of(scope) or ""

    def of(self, by_name: Mapping[bytes, bytes], attempt: Attempt) -> bytes:
        """The browser's name, if this browser asked for the account's code; empty for all other browsers."""
        if not attempt.account:
            return b""
        shown = cookie(by_name.get(b"cookie", b""), COOKIE_START) or by_name.get(HEADER, b"")
        return self._askers.find(shown.decode("latin-1"), attempt.account, int(self._clock_s())) if shown else b""

    def asks(self, attempt: Attempt) -> bool:
        """Whether an attempt may make the application send a code."""
        if attempt.door.kind is DoorKind.LOGIN:
            return self._after_login and bool(attempt.account)
        return attempt.door.secret_is_small and bool(attempt.account) and not attempt.secret

    def marked(self, send: Send, by_name: Mapping[bytes, bytes], attempt: Attempt) -> Send:
        """Wrap `send` so that it adds an asker token to the answer; returned unchanged where the browser has a token,
        or did not show its own because another site sent the request.

        The token is added alike for accounts that exist and for others: a different answer would tell them apart.
        """
        by_header = DEVICE_HEADER in by_name or HEADER in by_name
        # Another site's form shows no cookies, and its answer would replace the token of its visitor (E47).
        is_planted = by_name.get(b"sec-fetch-site") == b"cross-site" and not by_header
        if is_planted or self.of(by_name, attempt):
            return send
        token = self._askers.issued(attempt.account, int(self._clock_s()), self._chance(8)).encode()
        line = _line(token, by_header=by_header)

        async def send_marked(message: Message) -> None:
            # A failed log-in asks for nothing.
            if message["type"] == "http.response.start" and message["status"] < 400:
                message = {**message, "headers": [*message.get("headers", ()), line]}
            await send(message)

        return send_marked


def _line(token: bytes, *, by_header: bool) -> tuple[bytes, bytes]:
    if by_header:
        return HEADER, token
    return b"set-cookie", COOKIE_START + token + attributes(SECONDS)
