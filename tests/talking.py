"""A test server on a real socket, with one client per connection, that can be made to answer badly."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# Self-signed, with its key; valid for 127.0.0.1 alone.
CERTIFICATE = Path(__file__).with_name("loopback.pem")


class Talker:
    """Subclasses serve one connection in `talk`. A client that disconnects is no error."""

    def __init__(self) -> None:
        self._talking: set[asyncio.Task[None]] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    async def leave(self, writer: asyncio.StreamWriter) -> None:
        """Close a finished connection."""
        writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talking.add(task)
        task.add_done_callback(self._talking.discard)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self.talk(reader, writer)
        await self.leave(writer)

    async def aclose(self) -> None:
        talking = tuple(self._talking)
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking)


@asynccontextmanager
async def listening(talker: Talker, *, secure: bool = False, port: int = 0) -> AsyncIterator[str]:
    """Serve on loopback; gives its address without a path."""
    server = await asyncio.start_server(talker.serve, "127.0.0.1", port, ssl=server_tls() if secure else None)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"http{'s' * secure}://{host}:{port}"
    finally:
        server.close()
        await talker.aclose()
        await server.wait_closed()


def server_tls() -> ssl.SSLContext:
    """A server's TLS context for `CERTIFICATE`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    return context
