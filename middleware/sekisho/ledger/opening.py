"""Which ledger counts in a store: by its URL, which the settings have checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.ledger.cluster import ClusterLedger
from sekisho.ledger.key_groups import ANSWER_BYTES
from sekisho.ledger.local_fallback import FallbackLedger
from sekisho.ledger.redis import VERDICT, RedisLedger, ledger_script, place_tags
from sekisho.store import LineOptions, is_cluster, open_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.ledger.memory import MemoryLedger
    from sekisho.model import Ledger, LimitSet
    from sekisho.store import AnyStoreConnection
    from sekisho.store.health import Health


def open_line(
    url: str,
    limits: LimitSet,
    *,
    deadline_us: int,
    on_change: Callable[[bool], None] = lambda _: None,
    health: Health | None = None,
    namespace: str = "",
    now_us: int = 0,
    bytes_max: int | None = None,
) -> AnyStoreConnection:
    """A line to the store whose script counts by these limits.

    Args:
        url: of the store.
        limits: what is counted, and how.
        deadline_us: what a caller waits at most.
        on_change: told whether the store answers.
        health: told why it does not.
        namespace: of the keys, where each new connection tries whether it may write; empty: none does.
        now_us: see `ledger_script`.
        bytes_max: see `LineOptions`.
    """
    reply_bytes = ANSWER_BYTES if is_cluster(url) else VERDICT.size
    script = ledger_script(limits, now_us=now_us, reply_bytes=reply_bytes)
    probes = probe_keys(namespace, url) if namespace else ()
    return open_to(url, LineOptions(script, deadline_us, on_change, health, probes, bytes_max))


def probe_keys(namespace: str, url: str) -> list[bytes]:
    """Keys for a probe: one, or on a Cluster one in each place where records live, of which each node has some."""
    tags = place_tags() if is_cluster(url) else ("probe",)
    return [f"{namespace}:{{{tag}}}probe".encode() for tag in tags]


def ledger_on(
    line: AnyStoreConnection,
    url: str,
    namespace: str,
    *,
    deadline_us: int,
    own: MemoryLedger | None = None,
    let_in: bool = False,
) -> Ledger:
    """The ledger that always answers, on a line that `open_line` has opened to `url`; see `FallbackLedger`."""
    if is_cluster(url):
        return ClusterLedger(line, namespace, deadline_us=deadline_us, own=own, let_in=let_in)
    return FallbackLedger(RedisLedger(line, namespace), own, let_in=let_in)
