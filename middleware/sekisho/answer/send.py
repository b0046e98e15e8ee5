"""Sends answers as ASGI messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    from sekisho.answer.render import Answer

    Message = MutableMapping[str, Any]
    Send = Callable[[Message], Awaitable[None]]
    Receive = Callable[[], Awaitable[Message]]

POLICY_VIOLATION = 1008  # RFC 6455 section 7.4.1


def send_answer(send: Send, answer: Answer) -> Awaitable[None]:
    """Send a whole response in two messages."""
    return _send(send, answer, "http.response")


async def refuse_websocket(scope: Mapping[str, Any], receive: Receive, send: Send, answer: Answer) -> None:
    """Refuse a WebSocket before it is open.

    Sends the answer itself where the server supports that (extension `websocket.http.response`). Otherwise closes the
    socket, which servers turn into a 403 in the handshake.
    """
    if (await receive())["type"] != "websocket.connect":
        return  # the client left before the handshake
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await _send(send, answer, "websocket.http.response")
    else:
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ""})


async def _send(send: Send, answer: Answer, kind: str) -> None:
    # A new list: outer middleware may add headers in place, and the original is shared by all answers.
    await send({"type": f"{kind}.start", "status": answer.status, "headers": list(answer.headers)})
    await send({"type": f"{kind}.body", "body": answer.body})
