"""Exchanges messages between workers once a second: their presence, shed refusals and facts about success rules.

It takes one call a second for each worker, regardless of the traffic. If the store is lost, messages are only late. An
operator's commands come by the control record, which is signed: an attacker with write access to the store could forge
the messages here.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.store.periodic import periodically

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.store import AnyStoreConnection

EVERY_S = 1.0
REFUSED: Final = "the store refuses the exchange between workers: %s"


class News(NamedTuple):
    """The answer to an exchange.

    Attributes:
        workers: the number of workers that have reported within the last seconds, this one included.
        anew: whether the store has lost its data since the last exchange (emptied, or restarted without them).
        rules: facts about rules of success: `w` (wrong) or `p` (proved), and the rule's id.
        at_us: Unix time by the store's clock, in microseconds.
    """

    workers: int
    anew: bool = False
    rules: tuple[bytes, ...] = ()
    at_us: int = 0


class SyncKeys(NamedTuple):
    """The keys of the exchange. One hash tag, so that one script may use all of them on a Cluster."""

    workers: bytes
    shed: bytes
    began: bytes
    rules: bytes

    @classmethod
    def of(cls, namespace: str) -> SyncKeys:
        return cls(*[f"{namespace}:{{exchange}}{name}".encode() for name in cls._fields])


class WorkerSync:
    """Exchanges messages until it is cancelled.

    Args:
        line: the store connection.
        namespace: the same as the ledger's.
        worker: random; names this worker.
        take_shed: returns the shed refusals since the last call.
        hear: called with the news.
        rules: returns all facts of this worker about rules of success; only new ones are sent.
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
        self._began = b""
        self._script = resources.files(__package__).joinpath("worker_sync.lua").read_bytes()

    async def run(self) -> None:
        """Exchange now, and every second from now on."""
        # Without the exchange, each worker grants the whole limits while the store is lost.
        await periodically(self.once, every_s=EVERY_S, refused=REFUSED)

    async def once(self) -> None:
        """Exchange messages once, and pass the news to `hear`. Raises `StoreUnavailable`; the next call sends all."""
        self._owed += self._take_shed()
        told = self._owed
        keys = self._keys
        rules = self._rules()
        arguments = (self._worker, b"%d" % told, *(rules - self._told))
        now, workers, began, known = await self._line.execute(
            b"EVAL", self._script, b"%d" % len(keys), *keys, *arguments
        )
        self._owed -= told
        anew = self._began not in {b"", began}
        self._began = began
        self._told = frozenset() if anew else rules  # its facts about rules are lost as well
        self._hear(News(int(workers), anew, tuple(known), int(now)))
