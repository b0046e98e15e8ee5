"""Sends requests as they are, which no HTTP client would, and returns the handler's report."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any, NamedTuple

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from tests.matrix.apps import SAID

if TYPE_CHECKING:
    from tests.matrix.targets import Sent

SECONDS_MAX = 20
HEAD_END = b"\r\n\r\n"
SWITCHING, OK = 101, 200
TEXT_FRAME = b"\x81"
HANDSHAKE = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
)


class Answered(NamedTuple):
    """Attributes:
    status: 0 if the server disconnected.
    said: the handler's report; None if none ran.
    """

    status: int
    said: dict[str, Any] | None


NOTHING = Answered(0, None)


def http1(port: int, app: str, sent: Sent) -> Answered:
    """One HTTP/1.1 request on its own connection."""
    with socket.create_connection(("127.0.0.1", port), SECONDS_MAX) as line:
        with contextlib.suppress(ConnectionError):
            line.sendall(_head(app, sent) + _body(sent))
        return _accepted(line) if sent.socket else _parsed(_all(line))


def _head(app: str, sent: Sent) -> bytes:
    headers = [
        ("Host", "x"),
        ("X-App", app),
        *(HANDSHAKE if sent.socket else (("Connection", "close"),)),
        *sent.headers,
    ]
    if sent.chunked:
        headers.append(("Transfer-Encoding", "chunked"))
    elif sent.body or sent.method == "POST":
        headers.append(("Content-Length", str(len(sent.body))))
    lines = [f"{sent.method} {sent.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def _body(sent: Sent) -> bytes:
    if not sent.chunked:
        return sent.body
    chunk = b"%x\r\n%b\r\n" % (len(sent.body), sent.body) if sent.body else b""
    return chunk + b"0\r\n\r\n"


def _all(line: socket.socket) -> bytes:
    chunks = []
    with contextlib.suppress(ConnectionError):
        while chunk := line.recv(65_536):
            chunks.append(chunk)
    return b"".join(chunks)


def _accepted(line: socket.socket) -> Answered:
    """The result of a handshake: the answer, and after an acceptance the first frame (RFC 6455 section 5.2)."""
    data = bytearray()
    with contextlib.suppress(ConnectionError):
        while not _is_told(data) and (chunk := line.recv(65_536)):
            data += chunk
    head, _, frame = bytes(data).partition(HEAD_END)
    answered = _parsed(head)
    return answered._replace(said=_of_frame(frame)) if answered.status == SWITCHING else answered


def _is_told(data: bytearray) -> bool:
    """Whether there is a frame, or a refusal, after which the connection may stay open."""
    head, end, frame = data.partition(HEAD_END)
    refused = bool(end) and head.split()[1] != b"101"
    return refused or (len(frame) > 1 and len(frame) >= 2 + frame[1])


def _of_frame(frame: bytes) -> dict[str, Any] | None:
    """The text of a short frame; None for any other, such as a close."""
    return json.loads(frame[2 : 2 + frame[1]]) if frame[:1] == TEXT_FRAME else None


def _parsed(answer: bytes) -> Answered:
    if not answer:
        return NOTHING
    first, *lines = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    return Answered(int(first.split()[1]), _said(headers.get(SAID)))


def _said(text: bytes | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)


class Http2:
    """An HTTP/2 connection without TLS, by prior knowledge; replaced when the server disconnects."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._line: socket.socket | None = None

    def ask(self, app: str, sent: Sent) -> Answered:
        """One request without a stated length, and with a body for any method."""
        for _ in range(2):  # servers disconnect after an unread body
            was_open = self._line is not None
            with contextlib.suppress(ConnectionError, ProtocolError):
                answered = self._ask(app, sent)
                if answered.status or not was_open:
                    return answered
            self.close()
        return NOTHING

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None

    def _ask(self, app: str, sent: Sent) -> Answered:
        line = self._line or self._connected()
        connection, stream = self._connection, self._connection.get_next_available_stream_id()
        method = "CONNECT" if sent.socket else sent.method
        pairs = [(":method", method), (":scheme", "http"), (":authority", "x"), (":path", sent.target)]
        pairs += [(":protocol", "websocket"), ("sec-websocket-version", "13")] if sent.socket else []  # RFC 8441
        pairs += [("x-app", app), *((name.lower(), value) for name, value in sent.headers)]
        connection.send_headers(stream, pairs, end_stream=not sent.body and not sent.socket)
        if sent.body:
            connection.send_data(stream, sent.body, end_stream=True)
        line.sendall(connection.data_to_send())
        answered = self._answer(line, stream, sent)
        if sent.socket and self._line is not None:
            connection.reset_stream(stream)
            line.sendall(connection.data_to_send())
        return answered

    def _answer(self, line: socket.socket, stream: int, sent: Sent) -> Answered:
        answered = NOTHING
        while True:
            data = line.recv(65_536)
            events = self._connection.receive_data(data) if data else [ConnectionTerminated()]
            for event in events:
                if isinstance(event, DataReceived):
                    self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    if sent.socket and answered.status == OK and event.stream_id == stream:
                        return answered._replace(said=_of_frame(event.data))
                if isinstance(event, ResponseReceived) and event.stream_id == stream:
                    headers = {bytes(name): bytes(value) for name, value in event.headers}
                    answered = Answered(int(headers[b":status"]), _said(headers.get(SAID)))
                if isinstance(event, ConnectionTerminated):
                    self.close()
                    return answered
                if isinstance(event, StreamEnded | StreamReset) and event.stream_id == stream:
                    line.sendall(self._connection.data_to_send())
                    return answered
            line.sendall(self._connection.data_to_send())

    def _connected(self) -> socket.socket:
        config = H2Configuration(
            client_side=True, header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self._connection = H2Connection(config)
        self._connection.initiate_connection()
        line = self._line = socket.create_connection(("127.0.0.1", self._port), SECONDS_MAX)
        line.sendall(self._connection.data_to_send())
        return line
