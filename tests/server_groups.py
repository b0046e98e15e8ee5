"""Groups of servers, each a child of this process: a Cluster, and a primary watched by Sentinels.

They start knowing each other, by their own state files: meeting by gossip would cost each test seconds.
"""

from __future__ import annotations

import contextlib
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from tests.servers import RedisServer, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_READY_SECONDS_MAX = 30.0
_START_ATTEMPTS_MAX = 3  # a free port may be taken before it is bound
_AT_ONCE = ("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0")


class ClusterNode(RedisServer):
    """A primary or replica. Its id and bus port are known before it starts."""

    def __init__(self, number: int, *options: str) -> None:
        self.id = f"{number:040x}"
        self.bus_port = free_port()
        bus = ("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-port", str(self.bus_port))
        super().__init__(*bus, *_AT_ONCE, *options, port=free_port())

    def introduce(self, lines: Iterable[str]) -> None:
        """Write down the other nodes."""
        (self._folder / "nodes.conf").write_text("".join(f"{line}\n" for line in lines))

    @property
    def is_primary(self) -> bool:
        return bool(self.cli("ROLE")[0] == "master")


class Group:
    """Servers that start and end together, with the `with` block."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for attempt in range(1, _START_ATTEMPTS_MAX + 1):
            try:
                self._start()
            except BaseException as error:
                self.stop()
                if not isinstance(error, RuntimeError) or attempt == _START_ATTEMPTS_MAX:
                    raise
            else:
                break
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stack.close()

    @property
    def holders(self) -> Sequence[RedisServer]:
        """All data servers that answer."""
        raise NotImplementedError

    @property
    def primaries(self) -> Sequence[RedisServer]:
        """Those of them that accept writes."""
        raise NotImplementedError

    def each(self, *args: str | int | bytes) -> list[Any]:
        """See `Store.each`."""
        return [server.cli(*args) for server in self.primaries]

    def empty(self) -> None:
        """Delete everything, on replicas too, which may start following a second after the group is up."""
        self.each("FLUSHALL")
        _wait_for(self._is_replicated, "replicas did not follow")

    def _is_replicated(self) -> bool:
        written = {each.port: int(each.cli("INFO", "replication")["master_repl_offset"]) for each in self.primaries}
        read = [each.cli("ROLE") for each in self.holders if each.port not in written]
        return all(offset >= written[port] for _, _, port, _, offset in read)

    def _start(self) -> None:
        """Start every server within `_stack`. Raises `RuntimeError` if they do not connect."""
        raise NotImplementedError


class RedisCluster(Group):
    """Primaries that share all slots evenly, and as many replicas of each as wanted.

    Args:
        primaries: how many.
        replicas: of each primary.
        timeout_ms: after which a silent node counts as failed. Short ones belong to tests that let nodes fail: on a
            busy machine a node that is well may be silent for a moment, too.
        options: further arguments of every redis-server.
    """

    def __init__(
        self, primaries: int = 3, replicas: int = 1, *, timeout_ms: int = 15_000, options: tuple[str, ...] = ()
    ) -> None:
        super().__init__()
        self._sizes = (primaries, replicas)
        self._options = ("--cluster-node-timeout", str(timeout_ms), "--cluster-require-full-coverage", "no", *options)
        self.nodes: list[ClusterNode] = []

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    @property
    def holders(self) -> list[ClusterNode]:
        return [node for node in self.nodes if node.answers]

    @property
    def primaries(self) -> list[ClusterNode]:
        return [node for node in self.holders if node.is_primary]

    def owner(self, key: bytes) -> ClusterNode:
        """The primary of this key's slot, according to the first node that knows."""
        slot = key_slot(key)
        for node in self.holders:
            for first, last, (_, port, *_), *_ in node.cli("CLUSTER", "SLOTS"):
                if first <= slot <= last and (found := [each for each in self.holders if each.port == port]):
                    return found[0]
        raise AssertionError("nobody has that slot")

    def mend(self) -> None:
        """Restart all killed servers and resume paused ones."""
        for node in self.nodes:
            node.mend()
        self.wait_until_whole()

    def wait_until_whole(self) -> None:
        """Wait until each answering node sees all slots served and each answering replica follows."""
        _wait_for(self._is_settled, "the Cluster did not become whole")

    def _is_settled(self) -> bool:
        primaries, _ = self._sizes
        # A killed one claims to be a primary until it hears of its successor.
        return all(map(_is_settled, self.holders)) and len(self.primaries) == primaries

    def _start(self) -> None:
        primaries, replicas = self._sizes
        self.nodes = [ClusterNode(number, *self._options) for number in range(1, primaries * (1 + replicas) + 1)]
        for node in self.nodes:
            node.introduce([*(self._line(each, node) for each in self.nodes), "vars currentEpoch 99 lastVoteEpoch 0"])
            self._stack.enter_context(node)
        self.wait_until_whole()

    def _line(self, node: ClusterNode, reader: ClusterNode) -> str:
        primaries, _ = self._sizes
        place = self.nodes.index(node)
        primary = self.nodes[place % primaries]
        own = "myself," if node is reader else ""
        role = f"{own}master -" if node is primary else f"{own}slave {primary.id}"
        edges = [REDIS_CLUSTER_HASH_SLOTS * part // primaries for part in range(primaries + 1)]
        slots = f" {edges[place]}-{edges[place + 1] - 1}" if node is primary else ""
        return f"{node.id} 127.0.0.1:{node.port}@{node.bus_port} {role} 0 0 {place % primaries + 1} connected{slots}"


def _is_settled(node: ClusterNode) -> bool:
    state = node.cli("CLUSTER", "INFO").split()
    whole = {"cluster_state:ok", f"cluster_slots_ok:{REDIS_CLUSTER_HASH_SLOTS}"}.issubset(state)
    role, *about = node.cli("ROLE")
    return whole and (role == "master" or about[2] == "connected")


class SentinelServer(RedisServer):
    """A Sentinel; it keeps its state in its own file."""

    def __init__(self, number: int) -> None:
        self.id = f"{number:040x}"
        super().__init__(port=free_port())

    def introduce(self, lines: Iterable[str]) -> None:
        """Write down its primary and the other Sentinels."""
        own = f"sentinel myid {self.id}"
        (self._folder / "sentinel.conf").write_text("".join(f"{line}\n" for line in (own, *lines)))

    def _arguments(self) -> list[str]:
        return [str(self._folder / "sentinel.conf"), "--sentinel", *super()._arguments()]


class SentinelGroup(Group):
    """A primary, two replicas, and three Sentinels of which two must agree that the primary is gone."""

    service = "ledger"

    def __init__(self, *, timeout_ms: int = 15_000, options: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._timeout_ms = timeout_ms
        self._options = (*_AT_ONCE, *options)
        self.servers: list[RedisServer] = []
        self.sentinels: list[SentinelServer] = []

    @property
    def url(self) -> str:
        return f"redis+sentinel://{','.join(f'127.0.0.1:{each.port}' for each in self.sentinels)}/{self.service}"

    @property
    def holders(self) -> list[RedisServer]:
        return [server for server in self.servers if server.answers]

    @property
    def primaries(self) -> list[RedisServer]:
        return [self.primary]

    @property
    def primary(self) -> RedisServer:
        """The primary that most Sentinels name."""
        named = [self._named_by(sentinel) for sentinel in self.sentinels if sentinel.answers]
        port = max(named, key=named.count)
        return next(server for server in self.servers if server.port == port)

    def wait_until_whole(self) -> None:
        """Wait until all Sentinels name one primary, and both others follow it."""
        _wait_for(self._is_settled, "the Sentinels did not agree")

    def _named_by(self, sentinel: SentinelServer) -> int:
        return int(sentinel.cli("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service)[1])

    def _is_settled(self) -> bool:
        named = {self._named_by(sentinel) for sentinel in self.sentinels if sentinel.answers}
        if len(named) > 1:
            return False
        role, _, replicas = self.primary.cli("ROLE")
        return role == "master" and len(replicas) == sum(server.answers for server in self.servers) - 1

    def _start(self) -> None:
        primary = RedisServer(*self._options, port=free_port())
        following = (*self._options, "--replicaof", "127.0.0.1", str(primary.port))
        self.servers = [primary, *(RedisServer(*following, port=free_port()) for _ in range(2))]
        self.sentinels = [SentinelServer(number) for number in range(1, 4)]
        for sentinel in self.sentinels:
            sentinel.introduce(self._lines(sentinel))
        for server in (*self.servers, *self.sentinels):
            self._stack.enter_context(server)
        self.wait_until_whole()

    def _lines(self, reader: SentinelServer) -> list[str]:
        primary, *replicas = self.servers
        watched = f"sentinel monitor {self.service} 127.0.0.1 {primary.port} 2"
        patience = f"sentinel down-after-milliseconds {self.service} {self._timeout_ms}"
        again = f"sentinel failover-timeout {self.service} {4 * self._timeout_ms}"
        known = [f"sentinel known-replica {self.service} 127.0.0.1 {each.port}" for each in replicas]
        known += [
            f"sentinel known-sentinel {self.service} 127.0.0.1 {each.port} {each.id}"
            for each in self.sentinels
            if each is not reader
        ]
        return [watched, patience, again, *known]


def _wait_for(condition: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS_MAX
    while time.monotonic() < deadline:
        with contextlib.suppress(redis.RedisError):
            if condition():
                return
        time.sleep(0.02)
    raise RuntimeError(complaint)
