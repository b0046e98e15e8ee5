"""The process that serves a simulation: somebody's application under uvicorn, counting what it works for.

`service.Service` starts it as `python -m sekisho.simulate.serve FACTORY LISTENING_FD METER_SOCKET`. It differs from
`uvicorn --factory FACTORY --no-proxy-headers --no-access-log` in two things: it says over a unix socket, out of reach
of any HTTP client, how many passwords the application has checked; and it ends when its parent does, however that died.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import socket
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.applications import Starlette


def main() -> None:
    factory, listening, meter = sys.argv[1:4]
    module, _, name = factory.partition(":")
    app: Starlette = getattr(importlib.import_module(module), name)()
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        # uvicorn would believe X-Forwarded-For from 127.0.0.1 and hide the proxy from the guard.
        proxy_headers=False,
        access_log=False,
        log_level="warning",
        lifespan="on",
    )
    loop_factory = config.get_loop_factory()
    with socket.socket(fileno=int(listening)) as listener, asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_serve(uvicorn.Server(config), app, listener, meter))


async def _serve(server: uvicorn.Server, app: Starlette, listener: socket.socket, meter: str) -> None:
    async with _metered(app, meter):
        watch = asyncio.create_task(_end_with_parent(server))
        try:
            await server.serve(sockets=[listener])
        finally:
            watch.cancel()


async def _end_with_parent(server: uvicorn.Server) -> None:
    """The parent holds the other end of standard input, and lets go of it even when killed."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    server.should_exit = True


@asynccontextmanager
async def _metered(app: Starlette, meter: str) -> AsyncIterator[None]:
    async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counts = {"password_checks": app.state.passwords.checks, "cpu_seconds": time.process_time()}
        writer.write(json.dumps(counts).encode())
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_unix_server(tell, meter):
        yield


if __name__ == "__main__":
    main()
