"""Puts requests on a socket as they are, which no HTTP client would, and tells what a handler said of them."""

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


class Answered(NamedTuple):
    """Attributes:
    status: 0 where the server hung up.
    said: what the handler said; None where none ran.
    """

    status: int
    said: dict[str, Any] | None


NOTHING = Answered(0, None)


def http1(port: int, app: str, sent: Sent) -> Answered:
    """One request on a connection of its own, over HTTP/1.1."""
    with socket.create_connection(("127.0.0.1", port), SECONDS_MAX) as line:
        with contextlib.suppress(ConnectionError):
            line.sendall(_head(app, sent) + _body(sent))
        return _parsed(_all(line))


def _head(app: str, sent: Sent) -> bytes:
    headers = [("Host", "x"), ("X-App", app), ("Connection", "close"), *sent.headers]
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


def _parsed(answer: bytes) -> Answered:
    if not answer:
        return NOTHING
    first, *lines = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    return Answered(int(first.split()[1]), _said(headers.get(SAID)))


def _said(text: bytes | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)


class Http2:
    """One connection of HTTP/2 without TLS, by prior knowledge; a new one where a server has hung up."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._line: socket.socket | None = None

    def ask(self, app: str, sent: Sent) -> Answered:
        """One request; its length is not announced, and a body comes where the method has none."""
        for _ in range(2):  # servers hang up after a body that nobody read
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
        pairs = [(":method", sent.method), (":scheme", "http"), (":authority", "x"), (":path", sent.target)]
        pairs += [("x-app", app), *((name.lower(), value) for name, value in sent.headers)]
        connection.send_headers(stream, pairs, end_stream=not sent.body)
        if sent.body:
            connection.send_data(stream, sent.body, end_stream=True)
        line.sendall(connection.data_to_send())
        return self._answer(line, stream)

    def _answer(self, line: socket.socket, stream: int) -> Answered:
        answered = NOTHING
        while True:
            data = line.recv(65_536)
            events = self._connection.receive_data(data) if data else [ConnectionTerminated()]
            for event in events:
                if isinstance(event, DataReceived):
                    self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
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
