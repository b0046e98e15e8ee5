"""Adds up the counts of all workers in the store.

A request for metrics reaches any one of the workers. Each adds its new counts to a hash in the store once a second, so
every worker answers with the same sums, and a worker that is killed takes the counts of its last second with it, and no
others.
"""

from __future__ import annotations

import asyncio
import json
import logging
from importlib import resources
from typing import TYPE_CHECKING, Final

from redis.exceptions import ResponseError

from sekisho.model import StoreUnavailable
from sekisho.store.refusals import explained

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.store import AnyStoreConnection

log = logging.getLogger("sekisho")

EVERY_S: Final = 1.0
SUMS_KEPT_S: Final = 90 * 86_400
NUMBER_KEPT_S: Final = 3_600  # an addition is sent again after an outage that is shorter
FIELDS_MAX: Final = 500  # in one call: a script must not hold the store for long

Key = tuple[str, str, str]


class SharedCounts:
    """The counts of all workers.

    Args:
        counts: of this process, by door, event and reason. They only grow.
        line: the store connection; None where the process counts alone.
        namespace: as the ledger's.
        worker: random; names this worker.
    """

    def __init__(
        self, counts: Mapping[Key, int], line: AnyStoreConnection | None, namespace: str, worker: bytes
    ) -> None:
        self._counts = counts
        self._line = line
        sums = f"{namespace}:{{metrics}}".encode()
        self._keys = sums + b"sums", sums + worker.hex().encode()
        self._added: dict[Key, int] = {}
        self._number = 0
        self._owed: dict[Key, int] = {}
        self._said: set[str] = set()
        self._script = resources.files(__package__).joinpath("sum_counts.lua").read_bytes()

    async def run(self) -> None:
        """Add this worker's counts every second, until it is cancelled."""
        while self._line is not None:
            try:
                await self.add()
            except StoreUnavailable:
                pass  # the next addition brings these counts too
            except ResponseError as error:
                self._tell(explained(error))
            await asyncio.sleep(EVERY_S)

    async def add(self) -> None:
        """Add the new counts once. Raises `StoreUnavailable`: the next call adds these counts."""
        if self._line is None:
            return
        if not self._owed:
            self._owed = self._fresh()
            self._number += 1
        if self._owed:
            pairs = [each for key, count in self._owed.items() for each in (_field(key), b"%d" % count)]
            numbers = (b"%d" % self._number, b"%d" % SUMS_KEPT_S, b"%d" % NUMBER_KEPT_S)
            await self._line.execute(b"EVAL", self._script, b"2", *self._keys, *numbers, *pairs)
            for key, count in self._owed.items():
                self._added[key] = self._added.get(key, 0) + count
            self._owed = {}

    async def sums(self) -> dict[Key, int]:
        """The counts of all workers, this one's newest included. Raises `StoreUnavailable`."""
        if self._line is None:
            return dict(self._counts)
        await self.add()
        found = await self._line.execute(b"HGETALL", self._keys[0])
        pairs = found.items() if isinstance(found, dict) else zip(found[::2], found[1::2], strict=True)
        return {key: int(count) for field, count in pairs if (key := _key(field)) is not None}

    def _fresh(self) -> dict[Key, int]:
        # Copied at once: other threads may count.
        fresh = {key: more for key, count in list(self._counts.items()) if (more := count - self._added.get(key, 0))}
        return dict(list(fresh.items())[:FIELDS_MAX])

    def _tell(self, problem: str) -> None:
        if problem not in self._said:
            self._said.add(problem)
            log.error("the store refuses the counts for SEKISHO_METRICS_TOKEN: %s", problem)


def _field(key: Key) -> bytes:
    return json.dumps(key, ensure_ascii=False, separators=(",", ":")).encode()


def _key(field: bytes) -> Key | None:
    """The key of a field; None for a field that no version of this has written."""
    try:
        place, what, why = json.loads(field)
    except (ValueError, TypeError):
        return None
    return str(place), str(what), str(why)
