"""Answers as ASGI messages, over HTTP and in place of a WebSocket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sekisho import answer

if TYPE_CHECKING:
    from starlette.types import Message

ANSWER = answer.Renderer(frozenset()).render(answer.denied(), [])


class Wire:
    """A server that keeps sent messages."""

    def __init__(self, *received: str) -> None:
        self.sent: list[Message] = []
        self._received = list(received)

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def receive(self) -> Message:
        return {"type": self._received.pop(0)}


async def test_an_answer_is_a_whole_response() -> None:
    """One start with every header, one body, no more to come."""
    wire = Wire()
    await answer.send_answer(wire.send, ANSWER)
    start, body = wire.sent

    assert (start["type"], start["status"]) == ("http.response.start", 403)
    assert [tuple(pair) for pair in start["headers"]] == list(ANSWER.headers)
    assert body == {"type": "http.response.body", "body": ANSWER.body}


async def test_headers_added_outside_do_not_leak_into_the_next_answer() -> None:
    """Headers that outer middleware adds to our list do not leak into the next client's answer."""
    first, second = Wire(), Wire()
    await answer.send_answer(first.send, ANSWER)
    first.sent[0]["headers"].append([b"set-cookie", b"session=a"])
    await answer.send_answer(second.send, ANSWER)

    assert b"set-cookie" not in dict(second.sent[0]["headers"])


async def test_a_websocket_is_refused_with_the_answer_where_the_server_can() -> None:
    """With the denial extension a WebSocket is refused with status, headers and body."""
    wire = Wire("websocket.connect")
    scope: dict[str, Any] = {"type": "websocket", "extensions": {"websocket.http.response": {}}}
    await answer.refuse_websocket(scope, wire.receive, wire.send, ANSWER)

    assert [message["type"] for message in wire.sent] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert wire.sent[0]["status"] == 403
    assert wire.sent[1]["body"] == ANSWER.body


async def test_a_websocket_is_closed_where_the_server_cannot() -> None:
    """Without the extension it is closed before acceptance as a policy violation."""
    for scope in ({"type": "websocket"}, {"type": "websocket", "extensions": None}):
        wire = Wire("websocket.connect")
        await answer.refuse_websocket(scope, wire.receive, wire.send, ANSWER)

        assert wire.sent == [{"type": "websocket.close", "code": 1008, "reason": ""}]


async def test_a_websocket_that_hung_up_is_left_alone() -> None:
    """Nothing is sent to a WebSocket client that has disconnected."""
    wire = Wire("websocket.disconnect")
    await answer.refuse_websocket({"type": "websocket"}, wire.receive, wire.send, ANSWER)

    assert wire.sent == []
