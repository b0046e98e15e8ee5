"""Reads the control record about once a second."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from redis.exceptions import ResponseError

from sekisho.model import StoreUnavailable
from sekisho.store.refusals import explained

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sekisho.control.places import ControlPlace

log = logging.getLogger("sekisho")

EVERY_S: Final = 0.9
"""With a round trip, a change is in force within a second."""


async def follow(
    place: ControlPlace,
    hear: Callable[[bytes | None], object],
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Read now, and every 0.9 seconds, until it is cancelled. While the store is gone, entries still end."""
    said: set[str] = set()
    while True:
        signed = None
        try:
            with contextlib.suppress(StoreUnavailable):
                signed = await place.get()
        except ResponseError as error:
            problem = explained(error)
            if problem not in said:
                said.add(problem)
                log.error("the store refuses to read the control record: %s", problem)  # noqa: TRY400 - it is all said
        hear(signed)
        await sleep(EVERY_S)
