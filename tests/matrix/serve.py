"""Serves the applications behind uvicorn and Hypercorn, many servers in one process: `python -m tests.matrix.serve`.

Writes a line of JSON to stdout once it listens: the port of each server, by name and root path.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from typing import Any

import hypercorn
import uvicorn
from hypercorn.asyncio import serve

from tests.matrix.apps import app

ROOTS = ("", "/srv")


async def main() -> None:
    dispatcher: Any = app()
    await dispatcher.start()
    ports: dict[str, int] = {}
    serving = []
    for root in ROOTS:
        for name, run in SERVERS.items():
            listener = socket.create_server(("127.0.0.1", 0), backlog=256)
            ports[f"{name} {root}"] = listener.getsockname()[1]
            serving.append(run(dispatcher, listener, root))
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await asyncio.gather(*serving)


def on_uvicorn(http: str) -> Any:
    async def run(dispatcher: Any, listener: socket.socket, root: str) -> None:
        config = uvicorn.Config(
            dispatcher,
            http=http,
            root_path=root,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
        )
        server = uvicorn.Server(config)
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        await asyncio.Event().wait()

    return run


def on_hypercorn(*, raw: bool = False) -> Any:
    async def run(dispatcher: Any, listener: socket.socket, root: str) -> None:
        config = hypercorn.Config()
        config.bind = [f"fd://{listener.fileno()}"]
        config.root_path = root
        config.h11_pass_raw_headers = raw
        config.errorlog = None
        config.keep_alive_timeout = 60  # a busy machine needs time
        await serve(dispatcher, config, shutdown_trigger=asyncio.Event().wait)

    return run


SERVERS = {
    "uvicorn h11": on_uvicorn("h11"),
    "uvicorn httptools": on_uvicorn("httptools"),
    "hypercorn": on_hypercorn(),
    "hypercorn raw": on_hypercorn(raw=True),
}

if __name__ == "__main__":
    asyncio.run(main())
