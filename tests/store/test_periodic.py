from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import NoPermissionError, OutOfMemoryError

from sekisho.model import StoreUnavailable
from sekisho.store.periodic import periodically

if TYPE_CHECKING:
    from collections.abc import Iterator

FORBIDDEN, FULL = NoPermissionError("of a key"), OutOfMemoryError("of a key")


async def test_it_goes_on_through_outages_and_logs_each_refusal_once(caplog: pytest.LogCaptureFixture) -> None:
    """An outage is passed over, a refusal is logged once for each kind, and neither ends the calls."""
    ends: Iterator[Exception | None] = iter([None, StoreUnavailable(), FORBIDDEN, FULL, FORBIDDEN, FULL])
    slept: list[float] = []

    async def call() -> None:
        if (error := next(ends)) is not None:
            raise error

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 6:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await periodically(call, every_s=2.5, refused="the store refuses the post: %s", sleep=sleep)

    assert slept == [2.5] * 6
    assert [line.partition(": ")[2].partition(": ")[0] for line in caplog.messages] == ["NOPERM", "OOM"]
    assert all(line.startswith("the store refuses the post: ") for line in caplog.messages)


async def test_a_mistake_of_ours_ends_it() -> None:
    """Only what the store does is passed over: an error in the call itself must be seen."""

    async def call() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await periodically(call, every_s=0.0, refused="%s")
