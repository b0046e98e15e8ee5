"""The server process of a simulation: an application under uvicorn that reports its password checks.

`service.ExampleService` starts it as `python -m sekisho.simulate.serve FACTORY LISTENING_FD LINE_FD`. It differs from
`uvicorn --factory FACTORY --no-proxy-headers --no-access-log` in two things: it reports the number of checked passwords
to its parent, over a private socket that no HTTP client can reach; and it ends when its parent ends or is killed.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import socket
import sys
import time
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from starlette.applications import Starlette


def main() -> None:
    factory, listening, line = sys.argv[1:4]
    module, _, name = factory.partition(":")
    app: Starlette = getattr(importlib.import_module(module), name)()
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        # uvicorn would trust X-Forwarded-For from 127.0.0.1 and hide the proxy from the guard.
        proxy_headers=False,
        access_log=False,
        log_level="warning",
        lifespan="on",
    )
    loop_factory = config.get_loop_factory()
    with socket.socket(fileno=int(listening)) as listener, asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_serve(uvicorn.Server(config), app, listener, socket.socket(fileno=int(line))))


async def _serve(server: uvicorn.Server, app: Starlette, listener: socket.socket, line: socket.socket) -> None:
    telling = asyncio.create_task(_tell_parent(server, app, line))
    try:
        await server.serve(sockets=[listener])
    finally:
        telling.cancel()
        await asyncio.wait([telling])


async def _tell_parent(server: uvicorn.Server, app: Starlette, line: socket.socket) -> None:
    """Answer every line with the counts. When the parent's end closes, even by a kill, stop the server."""
    reader, writer = await asyncio.open_unix_connection(sock=line)
    try:
        while await reader.readline():
            counts = {"password_checks": app.state.passwords.checks, "cpu_seconds": time.process_time()}
            writer.write(json.dumps(counts).encode() + b"\n")
    finally:
        writer.close()
    server.should_exit = True


if __name__ == "__main__":
    main()
