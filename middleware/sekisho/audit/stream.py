"""The audit in Redis: a stream of bounded length, which any reader follows with `XREAD`.

The lines are written by a thread, and the store's connection belongs to an event loop: the thread hands each command
to the loop, and waits for it.
"""

from __future__ import annotations

import asyncio
import errno
from concurrent.futures import CancelledError
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, final

from redis.exceptions import ResponseError

from sekisho.model import StoreUnavailable
from sekisho.store.refusals import explained

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sekisho.store import AnyStoreConnection

AWAY: Final = "the store does not work: its own line in the log says why"
SECONDS_MAX: Final = 2.0
LINES_MAX: Final = 100_000
"""Lines that the stream keeps, some 50 MB."""
CHECKPOINTS_MAX: Final = 10_000
BLOCK_LINES_MAX: Final = 100

_APPEND: Final = b"""
for i = 2, #ARGV do redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'line', ARGV[i]) end
return #ARGV - 1
"""


def lines_key(namespace: str) -> bytes:
    return f"{namespace}:{{audit}}".encode()


def checkpoints_key(namespace: str) -> bytes:
    return f"{namespace}:{{audit}}:checkpoints".encode()


@final
class StoreBridge:
    """From a thread to the store's connections, of which each belongs to an event loop of this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._lines: dict[asyncio.AbstractEventLoop, AnyStoreConnection] = {}

    def join(self, loop: asyncio.AbstractEventLoop, line: AnyStoreConnection) -> None:
        with self._lock:
            self._lines[loop] = line

    def leave(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._lines.pop(loop, None)

    def ask(self, *command: bytes) -> Any:
        """Run a command on the store, and return its answer. Call it from a thread, never on an event loop.

        Raises `OSError` if the store is away, is too slow, or refuses the command.
        """
        with self._lock:
            found = next(((loop, line) for loop, line in self._lines.items() if loop.is_running()), None)
        if found is None:
            raise OSError(errno.ENOTCONN, AWAY)
        loop, line = found
        asked = asyncio.run_coroutine_threadsafe(line.execute(*command), loop)
        try:
            return asked.result(SECONDS_MAX)
        except (StoreUnavailable, TimeoutError, CancelledError):
            asked.cancel()
            problem = OSError(errno.ENOTCONN, AWAY)
        except ResponseError as error:  # the rights of its user, or its memory
            problem = OSError(errno.EACCES, f"the store refuses them: {explained(error)}")
        raise problem


@final
class RedisStream:
    """A place of lines in Redis.

    Args:
        bridge: to the store.
        key: of the stream.
        lines_max: older lines are removed beyond about so many.
    """

    def __init__(self, bridge: StoreBridge, key: bytes, lines_max: int = LINES_MAX) -> None:
        self._bridge: Final = bridge
        self._key: Final = key
        self._lines_max: Final = b"%d" % lines_max

    def open(self) -> bool:
        return False

    def write(self, lines: Iterable[bytes]) -> Iterator[int]:
        waiting = [line.rstrip(b"\n") for line in lines]
        for start in range(0, len(waiting), BLOCK_LINES_MAX):
            block = waiting[start : start + BLOCK_LINES_MAX]
            self._bridge.ask(b"EVAL", _APPEND, b"1", self._key, self._lines_max, *block)
            yield len(block)
