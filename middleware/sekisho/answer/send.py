"""Answers as ASGI messages."""

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

    With the answer itself where the server can send one (extension `websocket.http.response`), else by closing,
    which servers turn into a 403 during the handshake.
    """
    if (await receive())["type"] != "websocket.connect":
        return  # it hung up before it was let in
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await _send(send, answer, "websocket.http.response")
    else:
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ""})


async def _send(send: Send, answer: Answer, kind: str) -> None:
    # A fresh list: whoever stands outside of us may add headers in place, and these are shared by all answers.
    await send({"type": f"{kind}.start", "status": answer.status, "headers": list(answer.headers)})
    await send({"type": f"{kind}.body", "body": answer.body})
