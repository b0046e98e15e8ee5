"""Mail servers on loopback: a real one, and one that fails in the chosen way."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from aiosmtpd.smtp import SMTP, AuthResult

from tests.talking import server_tls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Received(NamedTuple):
    """A message as the server received it."""

    sender: str
    to: tuple[str, ...]
    options: tuple[str, ...]
    content: bytes
    encrypted: bool
    user: str | None
    called: str


class RealServer:
    """An aiosmtpd server that keeps its messages."""

    def __init__(self, login: tuple[str, str] | None) -> None:
        self.received: list[Received] = []
        self.port = 0
        self.offered: list[bytes] = []
        self._login = login
        self._news = asyncio.Event()

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        assert server.transport is not None
        self.received.append(
            Received(
                envelope.mail_from,
                tuple(envelope.rcpt_tos),
                tuple(envelope.mail_options),
                envelope.content,
                session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None,
                session.auth_data,
                session.host_name,
            )
        )
        self._news.set()
        return "250 taken"

    def check(self, server: SMTP, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        user, password = data.login.decode(), data.password.decode()
        self.offered.append(data.password)
        right = (user, password) == self._login
        return AuthResult(success=right, handled=right, auth_data=user)

    async def message(self) -> Received:
        """The first message."""
        return (await self.messages(1))[0]

    async def messages(self, count: int) -> list[Received]:
        """All messages, as soon as there are so many."""
        async with asyncio.timeout(60):
            while len(self.received) < count:
                self._news.clear()
                await self._news.wait()
        return self.received


@asynccontextmanager
async def real_server(
    *,
    starttls: bool = False,
    tls: bool = False,
    utf8: bool = True,
    login: tuple[str, str] | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[RealServer]:
    real = RealServer(login)
    loop = asyncio.get_running_loop()
    protocols: list[SMTP] = []

    def connection() -> SMTP:
        smtp = SMTP(
            real,
            enable_SMTPUTF8=utf8,
            hostname="relay.example",
            tls_context=server_tls() if starttls else None,
            authenticator=real.check,
            auth_require_tls=False,
            auth_required=False,
            loop=loop,
        )
        protocols.append(smtp)
        return smtp

    server = await loop.create_server(connection, host, port, ssl=server_tls() if tls else None)
    real.port = server.sockets[0].getsockname()[1]
    try:
        yield real
    finally:
        server.close()
        for protocol in protocols:
            if protocol.transport is not None:
                protocol.transport.close()
        await server.wait_closed()


SILENCE = b"<silence>"
HANG_UP = b"<hang up>"
RESET = b"<reset>"
DRIP = b"<drip>"  # a byte every few milliseconds, so that no single read is slow
FLOOD = b"<flood>"  # a line without end

MANNERS: dict[str, bytes] = {
    "greeting": b"220 relay.example ESMTP",
    "EHLO": b"250-relay.example\r\n250-8BITMIME\r\n250-AUTH PLAIN\r\n250 SIZE 1000000",
    "MAIL": b"250 ok",
    "RCPT": b"250 ok",
    "DATA": b"354 go on",
    "end": b"250 taken",
    "AUTH": b"235 welcome",
    "RSET": b"250 ok",
    "QUIT": b"221 bye",
}


class FaultyServer:
    """Speaks just enough SMTP to fail at any step."""

    def __init__(self, replies: dict[str, bytes | list[bytes]]) -> None:
        self.port = 0
        self.connections = 0
        self.reached = asyncio.Event()
        self.taken: list[bytes] = []
        self.commands: list[str] = []
        self._replies: dict[str, list[bytes]] = {step: [reply] for step, reply in MANNERS.items()}
        self._replies |= {step: list(r) if isinstance(r, list) else [r] for step, r in replies.items()}
        self._serving: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.reached.set()
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._converse(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            self._serving.discard(task)
            writer.transport.abort()

    async def aclose(self) -> None:
        serving = tuple(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        going = await self._say("greeting", writer)
        while going and (line := await reader.readline()):
            verb = line.split()[0].decode().upper()
            self.commands.append(verb)
            going = await self._say(verb, writer)
            if going and verb == "DATA" and self._last.startswith(b"354"):
                content = await reader.readuntil(b"\r\n.\r\n")
                self.taken.append(content)
                going = await self._say("end", writer)

    async def _say(self, step: str, writer: asyncio.StreamWriter) -> bool:
        replies = self._replies.get(step, [b"502 what?"])
        self._last = reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if reply == SILENCE:
            await asyncio.Event().wait()
        if reply in {HANG_UP, RESET}:
            if reply == RESET:
                writer.transport.abort()
            return False
        while reply == FLOOD:
            writer.write(b"220-" + b"x" * 60_000)
            await writer.drain()
        while reply == DRIP:
            writer.write(b"2")
            await writer.drain()
            await asyncio.sleep(0.005)
        writer.write(reply + b"\r\n")
        await writer.drain()
        return step != "QUIT"


@asynccontextmanager
async def faulty_server(replies: dict[str, bytes | list[bytes]]) -> AsyncIterator[FaultyServer]:
    faulty = FaultyServer(replies)
    server = await asyncio.start_server(faulty.serve, "127.0.0.1", 0)
    faulty.port = server.sockets[0].getsockname()[1]
    try:
        yield faulty
    finally:
        server.close()
        await faulty.aclose()
        await server.wait_closed()
