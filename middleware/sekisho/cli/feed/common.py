"""Shared by `sekisho feed …`: the options of all fronts, and following the feed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from typing import TYPE_CHECKING

from sekisho.cli.operator import desk
from sekisho.cli.output import many
from sekisho.cli.usage import Misused
from sekisho.feed.following import Following, change_between
from sekisho.feed.fronts.port import shown
from sekisho.model import Mode

if TYPE_CHECKING:
    import argparse

    from sekisho.cli.operator import Desk
    from sekisho.feed import FeedReader
    from sekisho.feed.entries import Network
    from sekisho.feed.fronts.port import Change, Front

NOT_PUBLISHED = "SEKISHO_FEED is not on: the service publishes no addresses. Set it here and in the service"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--once", action="store_true", help="bring the front in step once, and end")
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be sent to the front now, and send nothing"
    )


def run(args: argparse.Namespace, front: Front, *, is_output: bool = False) -> int:
    """Run the command of a front. `is_output`: the front is standard output, which has its lines and nothing else."""
    asyncio.run(_run(args, front, is_output=is_output))
    return 0


async def _run(args: argparse.Namespace, front: Front, *, is_output: bool) -> None:
    async with desk() as service:
        reader = service.feed
        if reader is None:
            raise Misused(NOT_PUBLISHED)
        await service.warn()
        if args.dry_run:
            change = change_between({}, await _wanted(service, reader), time.time())
            return _print(json.dumps(list(front.steps(change))) if args.json else "\n".join(front.steps(change)))
        following = Following(front, lambda: _wanted(service, reader), time.time, _tell)
        if not args.once:
            return await _follow(following)
        change = await following.once()
        done = f"the front refuses {many(len(change.wanted), 'address', 'addresses')}"
        return _print(_as_json(change)) if args.json else (_tell if is_output else _print)(done)


async def _follow(following: Following) -> None:
    """Follow until a signal, and release what the front would keep."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - this is a coroutine of `asyncio.run`
    # Signals reach the main thread alone, and on Windows no event loop.
    with contextlib.suppress(RuntimeError, ValueError, NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await following.run(asyncio.sleep)
    await following.end()


async def _wanted(service: Desk, reader: FeedReader) -> dict[Network, float]:
    settings, record = service.settings, await service.record()
    if (record.mode or settings.mode) is not Mode.ENFORCE:
        return {}
    allowed = [network for _, network in record.allowed(time.time())]
    return await reader.read((*settings.trusted_proxies, *settings.allow, *allowed))


def _as_json(change: Change) -> str:
    now_s = time.time()
    return json.dumps(
        [{"network": shown(network), "until": round(now_s + left_s, 3)} for network, left_s in change.wanted.items()]
    )


def _print(text: str) -> None:
    if text:
        print(text)


def _tell(text: str) -> None:
    sys.stderr.write(f"sekisho feed: {text}\n")
    sys.stderr.flush()
