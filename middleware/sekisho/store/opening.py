"""Which kind of line leads to a store: by its URL, which the settings have checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sekisho.settings.store import CLUSTER, SENTINEL
from sekisho.store.cluster import ClusterLine
from sekisho.store.line import Line
from sekisho.store.sentinel import SentinelLine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.store.health import Health
    from sekisho.store.script import Script

AnyLine: TypeAlias = Line | ClusterLine
"""What all three have in common is what the ledger, the vault and the exchange use."""


def is_cluster(url: str) -> bool:
    """Whether keys live in slots, and what is asked at once must be of one."""
    return url.partition("://")[0] in CLUSTER


def open_to(
    url: str,
    script: Script,
    *,
    deadline_us: int,
    on_change: Callable[[bool], None] = lambda _: None,
    health: Health | None = None,
    probes: Sequence[bytes] = (),
) -> AnyLine:
    """A line to whatever `url` names; see `Line`. It belongs to the running event loop."""
    kind: type[AnyLine] = Line
    if is_cluster(url):
        kind = ClusterLine
    elif url.partition("://")[0] in SENTINEL:
        kind = SentinelLine
    return kind(url, script, deadline_us=deadline_us, on_change=on_change, health=health, probes=probes)
