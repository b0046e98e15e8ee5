"""A proxy between client and server that can misbehave: hold, reset, refuse, or cut a reply short."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Self

from tests.talking import server_tls

if TYPE_CHECKING:
    from tests.servers import RedisServer

AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset, and pending data is lost


class Server:
    """Listens on a loopback port and leaves nothing open. Belongs to the test's event loop.

    `secure`: speaks TLS, under `CERTIFICATE`.
    """

    def __init__(self, *, secure: bool = False) -> None:
        self._secure = secure
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.url = ""

    async def __aenter__(self) -> Self:
        tls = server_tls() if self._secure else None
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=tls)
        self.port = self._listener.sockets[0].getsockname()[1]
        self.url = f"redis{'s' * self._secure}://127.0.0.1:{self.port}/0"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        self.reset()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._listener.wait_closed()
        await asyncio.sleep(0)  # a transport closes its socket one turn after it was aborted

    def reset(self) -> None:
        """Reset every open connection, on both sides."""
        for writer in tuple(self._writers):
            _reset(writer)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        raise NotImplementedError

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self.serve(reader, writer)
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            _reset(writer)


class Proxy(Server):
    """Forwards bytes to a Redis on loopback, unless told otherwise."""

    def __init__(self, server: RedisServer, *, secure: bool = False) -> None:
        super().__init__(secure=secure)
        self._server = server
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._refusing = False
        self._reply_bytes_left: int | None = None

    def flow(self) -> None:
        """Forward normally."""
        self._refusing = False
        self._reply_bytes_left = None
        self._flowing.set()

    def hold(self) -> None:
        """A black hole: connections are accepted and stay open, but no byte arrives in either direction."""
        self._flowing.clear()

    def refuse(self) -> None:
        """Reset open connections and every later one."""
        self._refusing = True
        self.reset()

    def cut(self, reply_bytes: int) -> None:
        """Pass so many more reply bytes, then reset the connection that would get the next."""
        self._reply_bytes_left = reply_bytes

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            return
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        self._writers.add(inner_writer)
        try:
            await asyncio.gather(self._requests(reader, inner_writer), self._replies(inner_reader, writer))
        finally:
            self._writers.discard(inner_writer)
            _reset(inner_writer)

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._flowing.wait()
            writer.write(data)
        raise ConnectionResetError

    async def _replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._flowing.wait()
            if self._reply_bytes_left is not None:
                data, cut = data[: self._reply_bytes_left], len(data) > self._reply_bytes_left
                self._reply_bytes_left -= len(data)
                writer.write(data)
                if cut:
                    await writer.drain()
                    raise ConnectionResetError
            else:
                writer.write(data)
        raise ConnectionResetError


class Odd(Server):
    """Speaks enough of Redis's protocol to accept a connection, then answers `odd`."""

    def __init__(self, odd: bytes | None) -> None:
        super().__init__()
        self.odd = odd
        """None: it answers as the echoing script would."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            words = await _words(reader)
            if words[0] == b"PING":
                writer.write(b"+PONG\r\n")
            elif self.odd is None:
                writer.write(b"$8\r\n" + words[-1] + b"\r\n")
            elif self.odd:
                writer.write(self.odd)
            else:
                return


class Said(Server):
    """A Sentinel that reports a given primary and sends given news to its listeners."""

    def __init__(self, port: int, *, secure: bool = False) -> None:
        super().__init__(secure=secure)
        self.named = port
        self.confirmed = 0
        """How often the primary was named while a client listened: a client asks once more after it has subscribed."""
        self._listeners: list[asyncio.StreamWriter] = []

    @property
    def service_url(self) -> str:
        """The URL in the form of the settings."""
        return f"redis{'s' * self._secure}+sentinel://127.0.0.1:{self.port}/ledger"

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    def publish(self, news: bytes) -> None:
        for writer in self._listeners:
            writer.write(_list(b"message", b"+switch-master", news))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            words = await _words(reader)
            if words[0] == b"SUBSCRIBE":
                self._listeners.append(writer)
                writer.write(_list(b"subscribe", b"+switch-master", b"1"))
            else:
                self.confirmed += bool(self._listeners)
                writer.write(_list(b"127.0.0.1", b"%d" % self.named))


def _list(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


async def _words(reader: asyncio.StreamReader) -> list[bytes]:
    return [await _word(reader) for _ in range(int((await reader.readuntil(b"\r\n"))[1:]))]


async def _word(reader: asyncio.StreamReader) -> bytes:
    size = int((await reader.readuntil(b"\r\n"))[1:])
    return (await reader.readexactly(size + 2))[:-2]


def _reset(writer: asyncio.StreamWriter) -> None:
    held = writer.get_extra_info("socket")
    if held is not None and held.fileno() >= 0:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    writer.transport.abort()
