"""What a line to a store is opened with, whichever kind of store it leads to."""

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
    deadline_us: what a caller waits at most, wherever it is sent.
    on_change: told `True` when the store answers again and `False` when it stops to; on a Cluster of all slots.
    health: told why the store, or a node of it, does not answer; None for one of its own.
    bytes_max: what a server may hold until the script is told to remember less; None: four fifths of its maxmemory.
    probes: keys that a new connection may write to, to see whether it may; the first that its server has is used.
    """

    script: Script
    deadline_us: int
    on_change: Callable[[bool], None] = _nobody
    health: Health | None = None
    probes: Sequence[bytes] = ()
    bytes_max: int | None = None
