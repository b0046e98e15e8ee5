"""Show on a page of this machine what happens at the doors: charts, reasons, campaigns, what operators did.

  sekisho console                            the last day, from SEKISHO_AUDIT or SEKISHO_EVENTS_FILE, and what comes
  sekisho console --port 9000
  sekisho console --file events.jsonl.1 --file events.jsonl

It prints the address to open, with a key in it. The page is for this machine alone: from another one, forward the port
(`ssh -L 8899:127.0.0.1:8899 host`). It changes nothing; where something is to be done, it shows the command.

It shows the mode, the posture, the lists and the campaigns that the workers know (SEKISHO_CAMPAIGNS=on), as `sekisho
mode`, `posture`, `deny`, `allow` and `campaigns` do, and finds an account or an address as `sekisho look` does. Where
the service cannot be reached, as with a log that was copied here (--file), it shows the log alone. Up to 24 hours of
the log are counted, by the minute.

Exit code: 130 after Ctrl-C, which ends it; 1 if the log cannot be read; 2 if the command line is wrong.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import time
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Final

import uvicorn

from sekisho.cli import written
from sekisho.cli.console_service import DeskService, NoService
from sekisho.cli.environment import has_secret
from sekisho.cli.operator import Unreachable, desk
from sekisho.cli.usage import Misused, within
from sekisho.console import DAY_S, Console, Tally
from sekisho.console.logs import FileLog, Reading, StreamLog

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from sekisho.cli.operator import Desk
    from sekisho.console.logs import Log

__all__ = ["arguments", "run"]

PORT: Final = 8899
ELSEWHERE: Final = (
    "SEKISHO_SECRET is not set here: with the environment of the service, its mode and lists are shown too."
)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port", type=within(0, 65_535), metavar="N", help=f"the port (default: {PORT}, or another one if it is taken)"
    )
    written.add_file(parser)


def run(args: argparse.Namespace) -> int:
    paths = written.paths(args)
    asyncio.run(_run(args, paths))
    return 0


async def _run(args: argparse.Namespace, paths: list[Path] | None) -> None:
    async with AsyncExitStack() as stack:
        service, reached = await _service(stack, has_file=bool(args.file))
        log = _log(paths, reached, int(time.time() - DAY_S) * 1_000_000)
        if isinstance(log, FileLog):
            stack.callback(log.close)
        tally = Tally()
        reading = Reading(log, tally)
        listening = stack.enter_context(_listening(args.port))
        key = secrets.token_urlsafe(32)
        name = reached.settings.namespace if reached is not None else ""
        app = Console(tally, service, key, clock_s=time.time, reading=reading, name=name)
        _say(listening.getsockname()[1], key, as_json=args.json)
        async with asyncio.TaskGroup() as tasks:
            asking = [tasks.create_task(reading.run())]
            if isinstance(service, DeskService):
                asking.append(tasks.create_task(service.run()))
            await _serve(app, listening)
            for task in asking:
                task.cancel()


async def _service(stack: AsyncExitStack, *, has_file: bool) -> tuple[DeskService | NoService, Desk | None]:
    if has_file and not has_secret(os.environ):
        return NoService(ELSEWHERE), None
    try:
        reached = await stack.enter_async_context(desk())
    except Unreachable as unreachable:
        return NoService(str(unreachable)), None
    await reached.warn()
    return DeskService(reached), reached


def _log(paths: list[Path] | None, reached: Desk | None, since_us: int) -> Log:
    # The settings have ensured that a stream has its store.
    if paths is None and reached is not None and reached.line is not None:
        return StreamLog(reached.line, reached.settings.namespace, since_us)
    return FileLog(paths or [], since_us)


def _listening(port: int | None) -> socket.socket:
    """A socket of this machine alone. Raises `Misused` where the port that was asked for is taken."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with suppress(OSError):
        listening.bind(("127.0.0.1", PORT if port is None else port))
        return listening
    if port is not None:
        listening.close()
        raise Misused("--port names a port that is taken, or that this user may not use")
    listening.bind(("127.0.0.1", 0))
    return listening


def _say(port: int, key: str, *, as_json: bool) -> None:
    url = f"http://127.0.0.1:{port}/#{key}"
    print(json.dumps({"url": url}) if as_json else f"Open {url}\nCtrl-C ends it.", flush=True)


async def _serve(app: Console, listening: socket.socket) -> None:
    config = uvicorn.Config(
        app, lifespan="off", ws="none", access_log=False, log_level="warning", proxy_headers=False, server_header=False
    )
    await uvicorn.Server(config).serve(sockets=[listening])
