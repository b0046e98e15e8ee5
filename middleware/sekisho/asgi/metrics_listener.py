"""A listener of its own for the page of metrics: plain HTTP/1.1, one GET for each connection.

All workers try to bind the address, and one can. The others try again, so one of them follows when it ends.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sekisho.asgi.metrics_page import MetricsPage
    from sekisho.asgi.types import Message, Scope

log = logging.getLogger("sekisho")

AGAIN_S: Final = 1.0
CONNECTIONS_MAX: Final = 8
HEAD_BYTES_MAX: Final = 8_192
SECONDS_MAX: Final = 10.0

_NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class MetricsListener:
    """Belongs to one event loop.

    Args:
        host, port: an IP address and the port to listen at.
        page: answers `GET /metrics`.
        again_s: seconds until the next try, while another process listens.
    """

    def __init__(self, host: str, port: int, page: MetricsPage, again_s: float = AGAIN_S) -> None:
        self._host, self._port = host, port
        self._page = page
        self._again_s = again_s
        self._open = 0
        self._said: set[int | None] = set()

    async def run(self) -> None:
        """Listen until it is cancelled. An address that cannot be used is logged once, and tried again."""
        listening = await self._held()
        server = await asyncio.start_server(self._serve, sock=listening, limit=HEAD_BYTES_MAX)
        try:
            await server.serve_forever()
        finally:
            server.close()

    async def _held(self) -> socket.socket:
        while True:
            try:
                return bound(self._host, self._port)
            except OSError as error:
                self._tell(error)
            await asyncio.sleep(self._again_s)

    def _tell(self, error: OSError) -> None:
        if error.errno in self._said:
            return
        self._said.add(error.errno)
        if error.errno == errno.EADDRINUSE:  # by another worker, as a rule
            log.info("SEKISHO_METRICS_LISTEN: another process listens there; this one follows when it ends")
        else:
            log.error("SEKISHO_METRICS_LISTEN: the address cannot be used: %s", os.strerror(error.errno or 0))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            # Bounded in number, bytes and seconds: idle connections must not use up the worker's files.
            if self._open <= CONNECTIONS_MAX:
                await asyncio.wait_for(self._answer(reader, writer), SECONDS_MAX)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            pass  # it hung up, was too slow, or sent no request that can be read
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        scope = _scope(await reader.readuntil(b"\r\n\r\n"))

        async def send(message: Message) -> None:
            writer.write(_head(message) if message["type"] == "http.response.start" else message["body"])

        if self._page.is_asked(scope):
            await self._page(scope, _nothing, send)
        else:
            writer.write(_NOT_FOUND)
        await writer.drain()


def ensure_usable(host: str, port: int) -> None:
    """Raise `OSError` for an address at which no worker of this machine can listen."""
    try:
        bound(host, port).close()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises `OSError`: the address is not this machine's, or another process has it.

    Never with `SO_REUSEPORT`, by which two workers could listen at once, and a stranger's process beside them.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def _scope(head: bytes) -> Scope:
    """A request as ASGI has it. Raises `ValueError`."""
    request, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = request.split(" ")
    pairs = [line.encode("latin-1").partition(b":") for line in lines]
    headers = [(name.lower(), value.strip(b" \t")) for name, _, value in pairs]
    return {"type": "http", "method": method, "path": target.partition("?")[0], "headers": headers}


async def _nothing() -> Message:
    return {"type": "http.request", "body": b""}


def _head(message: Message) -> bytes:
    status = message["status"]
    lines = [b"HTTP/1.1 %d %b" % (status, HTTPStatus(status).phrase.encode())]
    lines += [b"%b: %b" % header for header in message["headers"]]
    return b"\r\n".join([*lines, b"connection: close", b"", b""])
