"""Reads the control record about once a second."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from sekisho.store.periodic import periodically

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sekisho.control.places import ControlPlace


class Hears(Protocol):
    """What reads are passed to; see `ControlState`."""

    def misses_acts(self, signed: bytes | None) -> bool: ...

    def hear(self, signed: bytes | None, earlier: bytes | None = None) -> object: ...

    def lost(self, signed: bytes | None) -> bytes | None: ...


EVERY_S: Final = 0.9
"""With a round trip, a change is in force within a second."""
REFUSED: Final = "the store refuses to read the control record: %s"


async def follow(
    place: ControlPlace,
    state: Hears,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Read the control record now and every 0.9 seconds, and pass it to `state`, until this is cancelled.

    A record that the place has lost is put back. A process that was paused, or cut off from the store, reads the acts
    that the record has lost meanwhile too. The state gets None where there is no record, and while the store is gone:
    then entries still end.
    """

    async def read() -> None:
        try:
            signed = await place.get()
            earlier = await place.earlier() if state.misses_acts(signed) else None
        except Exception:
            state.hear(None)
            raise
        state.hear(signed, earlier)
        if (newest := state.lost(signed)) is not None:
            await place.swap(signed, newest)

    await periodically(read, every_s=EVERY_S, refused=REFUSED, sleep=sleep)
