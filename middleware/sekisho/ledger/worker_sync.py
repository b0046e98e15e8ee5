"""What workers tell each other once a second: that they are there, what they shed, and what an operator has said.

One call a second and worker, whatever the traffic. What an operator says (`sekisho unblock`, `sekisho mode`) reaches
every worker within that second; what is lost with the store is only late.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from redis.exceptions import ResponseError

from sekisho.model import StoreUnavailable
from sekisho.store.refusals import explained

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.store import AnyStoreConnection

log = logging.getLogger("sekisho")

EVERY_S = 1.0
UNBLOCKED_MAX = 1_000  # digests an operator may free within a minute; older ones have long arrived


class News(NamedTuple):
    """What came back.

    Attributes:
        workers: how many have reported within the last seconds, this one included.
        mode: what an operator has switched to, or empty.
        unblocked: digests to be forgotten.
        anew: since the last time the store has lost what it held: emptied, or restarted without its data.
        rules: what is known of rules of success: `w` (wrong) or `p` (proved), and the rule's id.
        at_us: Unix time by the store's clock, in microseconds.
    """

    workers: int
    mode: str
    unblocked: tuple[bytes, ...]
    anew: bool = False
    rules: tuple[bytes, ...] = ()
    at_us: int = 0


class SyncKeys(NamedTuple):
    """Where it is kept; one hash tag, so that one script may touch all of it on a Cluster."""

    workers: bytes
    shed: bytes
    mode: bytes
    unblocked: bytes
    began: bytes
    rules: bytes

    @classmethod
    def of(cls, namespace: str) -> SyncKeys:
        return cls(*[f"{namespace}:{{exchange}}{name}".encode() for name in cls._fields])


class WorkerSync:
    """Exchanges news until it is cancelled.

    Args:
        line: the store.
        namespace: as the ledger's.
        worker: random, names this worker.
        take_shed: refusals from memory since the last call.
        hear: is told the news.
        rules: all that this worker has to say of rules of success; what is new in it is told.
    """

    def __init__(
        self,
        line: AnyStoreConnection,
        namespace: str,
        *,
        worker: bytes,
        take_shed: Callable[[], int],
        hear: Callable[[News], None],
        rules: Callable[[], frozenset[bytes]] = frozenset,
    ) -> None:
        self._line = line
        self._keys = SyncKeys.of(namespace)
        self._worker = worker
        self._take_shed = take_shed
        self._rules = rules
        self._hear = hear
        self._told: frozenset[bytes] = frozenset()
        self._owed = 0
        self._since_us = 0
        self._began = b""
        self._refusals: set[str] = set()
        self._script = resources.files(__package__).joinpath("worker_sync.lua").read_bytes()

    async def run(self) -> None:
        """Exchange now, and every second from now on."""
        while True:
            with contextlib.suppress(StoreUnavailable):
                await self._try()
            await asyncio.sleep(EVERY_S)

    async def _try(self) -> None:
        try:
            await self.once()
        except ResponseError as error:
            # Without it each worker grants the whole limits while the store is gone, and no operator is heard.
            self._tell(explained(error))

    def _tell(self, problem: str) -> None:
        if problem not in self._refusals:
            self._refusals.add(problem)
            log.error("the store refuses what workers tell each other: %s", problem)

    async def once(self) -> None:
        """One exchange. What could not be told is told the next time. Raises `StoreUnavailable`."""
        self._owed += self._take_shed()
        told = self._owed
        keys = self._keys
        rules = self._rules()
        arguments = (self._worker, b"%d" % told, b"%d" % self._since_us, b"%d" % UNBLOCKED_MAX, *(rules - self._told))
        now, workers, mode, began, known, *unblocked = await self._line.execute(
            b"EVAL", self._script, b"%d" % len(keys), *keys, *arguments
        )
        self._owed -= told
        self._since_us = int(now)
        anew = self._began not in {b"", began}
        self._began = began
        self._told = frozenset() if anew else rules  # what it held of rules is gone as well
        self._hear(News(int(workers), mode.decode(errors="replace"), tuple(unblocked), anew, tuple(known), int(now)))
