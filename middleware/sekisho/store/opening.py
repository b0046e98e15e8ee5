"""Which kind of line leads to a store: by its URL, which the settings have checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sekisho.settings.store import CLUSTER, SENTINEL
from sekisho.store.cluster import ClusterLine
from sekisho.store.line import Line
from sekisho.store.sentinel import SentinelLine

if TYPE_CHECKING:
    from sekisho.store.options import LineOptions

AnyLine: TypeAlias = Line | ClusterLine
"""What all three have in common is what the ledger, the vault and the exchange use."""


def is_cluster(url: str) -> bool:
    """Whether keys live in slots, and what is asked at once must be of one."""
    return url.partition("://")[0] in CLUSTER


def open_to(url: str, options: LineOptions) -> AnyLine:
    """A line to whatever `url` names; see `Line`. It belongs to the running event loop."""
    kind: type[AnyLine] = Line
    if is_cluster(url):
        kind = ClusterLine
    elif url.partition("://")[0] in SENTINEL:
        kind = SentinelLine
    return kind(url, options)
