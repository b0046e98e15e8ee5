"""Log-outs: after the application's own, the proofs and step-ups of the browser end as well.

On a shared machine the next person has the browser, and must find nothing in it that opens the account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sekisho.asgi.ports import Consequences
    from sekisho.asgi.types import Message, Scope, Send
    from sekisho.model.headers import Headers


class LogOut:
    """Passes the application's answer on; one below 400 gets the headers that end what the client showed.

    Args:
        scope: the request, at a `LOGOUT` door.
        send: the client's.
        consequences: None where the guard asks for nothing.
        forgotten: headers that end more.
    """

    def __init__(self, scope: Scope, send: Send, consequences: Consequences | None, forgotten: Headers) -> None:
        self._scope: Final = scope
        self._send: Final = send
        self._consequences: Final = consequences
        self._forgotten: Final = forgotten

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] < 400:
            ended = await self._consequences.logged_out(self._scope) if self._consequences is not None else []
            message = {**message, "headers": [*message.get("headers", ()), *ended, *self._forgotten]}
        await self._send(message)
