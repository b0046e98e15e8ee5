"""Adds up the counts of all workers in the store.

A request for metrics reaches any one of the workers. Each adds its new counts to a hash in the store once a second, so
every worker answers with the same sums, and a worker that is killed takes the counts of its last second with it, and no
others.
"""

from __future__ import annotations

import json
from importlib import resources
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.store.periodic import periodically

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.store import AnyStoreConnection

EVERY_S: Final = 1.0
REFUSED: Final = "the store refuses the counts for SEKISHO_METRICS_TOKEN: %s"
SUMS_KEPT_MS: Final = 90 * 86_400_000
NUMBER_KEPT_S: Final = 3_600  # an addition is sent again after an outage that is shorter
FIELDS_MAX: Final = 500  # in one call: a script must not hold the store for long

Key = tuple[str, str, str]


class Addition(NamedTuple):
    """Counts that are not in the sums yet, and the number under which they are sent until an answer comes."""

    number: int
    counts: dict[Key, int]


class Additions:
    """What of this process's counts the sums contain. One for all event loops of a process: they share its counts.

    Args:
        counts: of this process, by door, event and reason. They only grow.
        worker: random; names this worker.
    """

    def __init__(self, counts: Mapping[Key, int], worker: bytes) -> None:
        self.counts = counts
        self.worker = worker
        self._added: dict[Key, int] = {}
        self._owed = Addition(0, {})
        self._lock = Lock()

    def owed(self) -> Addition:
        """Return the addition that the store has not confirmed yet, or else the next one.

        It is without counts where there are no new ones.
        """
        with self._lock:
            if not self._owed.counts and (fresh := self._fresh()):
                self._owed = Addition(self._owed.number + 1, fresh)
            return self._owed

    def added(self, addition: Addition) -> None:
        """Note that the store has this addition. Another event loop may have noted it before."""
        with self._lock:
            if addition.number == self._owed.number:
                for key, count in self._owed.counts.items():
                    self._added[key] = self._added.get(key, 0) + count
                self._owed = Addition(addition.number, {})

    def _fresh(self) -> dict[Key, int]:
        # Copied at once: other threads may count.
        fresh = {key: more for key, count in list(self.counts.items()) if (more := count - self._added.get(key, 0))}
        return dict(islice(fresh.items(), FIELDS_MAX))


class SharedCounts:
    """The counts of all workers, as one event loop adds and reads them.

    Args:
        additions: of this process.
        line: the store connection; None where the process counts alone.
        namespace: as the ledger's.
    """

    def __init__(self, additions: Additions, line: AnyStoreConnection | None, namespace: str) -> None:
        self._additions = additions
        self._line = line
        sums = f"{namespace}:{{metrics}}".encode()
        self._keys = sums + b"sums", sums + additions.worker.hex().encode()
        self._script = resources.files(__package__).joinpath("sum_counts.lua").read_bytes()

    async def run(self) -> None:
        """Add this worker's counts to the sums in the store every second, until this is cancelled."""
        if self._line is not None:
            # After an outage the next addition brings its counts too.
            await periodically(self.add, every_s=EVERY_S, refused=REFUSED)

    async def add(self) -> None:
        """Add the new counts to the sums in the store once. Raises `StoreUnavailable`: the next call adds them then."""
        if self._line is None:
            return
        owed = self._additions.owed()
        if owed.counts:
            pairs = [each for key, count in owed.counts.items() for each in (_field(key), b"%d" % count)]
            numbers = (b"%d" % owed.number, b"%d" % SUMS_KEPT_MS, b"%d" % NUMBER_KEPT_S)
            await self._line.execute(b"EVAL", self._script, b"2", *self._keys, *numbers, *pairs)
            self._additions.added(owed)

    async def sums(self) -> dict[Key, int]:
        """The counts of all workers, this one's newest included. Raises `StoreUnavailable`."""
        if self._line is None:
            return dict(self._additions.counts)
        await self.add()
        found = await self._line.execute(b"HGETALL", self._keys[0])
        pairs = found.items() if isinstance(found, dict) else zip(found[::2], found[1::2], strict=True)
        return {key: int(count) for field, count in pairs if (key := _key(field)) is not None}


def _field(key: Key) -> bytes:
    return json.dumps(key, ensure_ascii=False, separators=(",", ":")).encode()


def _key(field: bytes) -> Key | None:
    """The key of a field; None for a field that no version of this has written."""
    try:
        place, what, why = json.loads(field)
    except (ValueError, TypeError):
        return None
    return str(place), str(what), str(why)
