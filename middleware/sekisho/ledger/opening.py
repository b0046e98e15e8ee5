"""Selects the ledger for a store by its URL, which the settings have checked."""

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
    """Open a store connection whose script counts by these limits.

    Args:
        url: the store's.
        limits: the limits by which the script counts.
        deadline_us: longest wait of a caller, in microseconds.
        on_change: called with whether the store answers, when that changes.
        health: learns why the store does not answer.
        namespace: prefix of the keys with which each new connection checks that it may write; empty: it does not check.
        now_us: see `ledger_script`.
        bytes_max: see `LineOptions`.
    """
    reply_bytes = ANSWER_BYTES if is_cluster(url) else VERDICT.size
    script = ledger_script(limits, now_us=now_us, reply_bytes=reply_bytes)
    probes = probe_keys(namespace, url) if namespace else ()
    return open_to(url, LineOptions(script, deadline_us, on_change, health, probes, bytes_max))


def probe_keys(namespace: str, url: str) -> list[bytes]:
    """Return the keys that a connection writes to test a store: one; on a Cluster one in each place of records."""
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
    """Return a ledger that answers even while the store does not, on a connection of `open_line` to `url`.

    `own` counts meanwhile; see `FallbackLedger`.
    """
    if is_cluster(url):
        return ClusterLedger(line, namespace, deadline_us=deadline_us, own=own, let_in=let_in)
    return FallbackLedger(RedisLedger(line, namespace), own, let_in=let_in)
