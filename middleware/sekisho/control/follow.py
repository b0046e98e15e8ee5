"""Reads the control record about once a second."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from sekisho.store.periodic import periodically

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sekisho.control.places import ControlPlace

EVERY_S: Final = 0.9
"""With a round trip, a change is in force within a second."""
REFUSED: Final = "the store refuses to read the control record: %s"


async def follow(
    place: ControlPlace,
    hear: Callable[[bytes | None], object],
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Read the control record now and every 0.9 seconds, and pass it to `hear`, until this is cancelled.

    `hear` gets None where there is no record, and while the store is gone: then entries still end.
    """

    async def read() -> None:
        try:
            signed = await place.get()
        except Exception:
            hear(None)
            raise
        hear(signed)

    await periodically(read, every_s=EVERY_S, refused=REFUSED, sleep=sleep)
