"""Calls the store again and again, in the background, for as long as the process serves."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from redis.exceptions import ResponseError

from sekisho.model import StoreUnavailable
from sekisho.once import Once
from sekisho.store.refusals import explained

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger("sekisho")


async def periodically(
    call: Callable[[], Awaitable[object]],
    *,
    every_s: float,
    refused: str,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Make a call to the store now, and again after each pause, until the task is cancelled.

    `StoreUnavailable` is passed over: `store.health` logs outages. Each kind of refusal is logged once.

    Args:
        call: may raise `StoreUnavailable` and `redis.exceptions.ResponseError`.
        every_s: the pause in seconds.
        refused: the line for the log, with one `%s` for the refusal and its remedy.
        sleep: waits for so many seconds.
    """
    once = Once()
    while True:
        try:
            with contextlib.suppress(StoreUnavailable):
                await call()
        except ResponseError as error:
            if once(problem := explained(error)):
                log.error(refused, problem)  # noqa: TRY400 - the problem is all that may be told
        await sleep(every_s)
