"""The options of a line, the same for every kind of store."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.store.health import Health
    from sekisho.store.script import Script


def _nobody(_: bool) -> None:
    return None


class LineOptions(NamedTuple):
    """Attributes:
    script: the one script whose operations are batched; on a Cluster every operation's keys lie in one slot.
    deadline_us: the longest that a caller waits.
    on_change: called with `True` when the store answers again, with `False` when it ceases to; on a Cluster, all slots.
    health: reports why the store, or one of its nodes, does not answer; None: one of its own.
    bytes_max: the bytes above which the script is told to remember less; None: four fifths of the server's maxmemory.
    probes: keys that a new connection may write to, to test whether writes are allowed; the first one that its server
        holds is used.
    """

    script: Script
    deadline_us: int
    on_change: Callable[[bool], None] = _nobody
    health: Health | None = None
    probes: Sequence[bytes] = ()
    bytes_max: int | None = None
