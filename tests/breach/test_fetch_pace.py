"""Pauses of a fetch: rate limits, refusals and waits between tries."""

from __future__ import annotations

import asyncio
from collections import Counter
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from sekisho.corpus.fetch import FetchError, FetchPace, fetch
from tests.breach.fetching import NOW, ROWS, StoppedTime, Time, a_service, as_it_is, get, names
from tests.breach.range_app import (
    Fault,
    RangeApp,
    Reply,
    held,
    status,
)
from tests.breach.ranges import Ranges

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (status(429, retry_after="30"), 30),
        (status(503, retry_after="30"), 30),
        (status(429, retry_after=formatdate(NOW + 45, usegmt=True)), 45),
        (status(429), 5),
        (status(429, retry_after="soon"), 5),
        (status(429, retry_after="0"), 1),
        (status(429, retry_after=formatdate(NOW - 9, usegmt=True)), 1),
    ],
)
async def test_one_refusal_pauses_everybody(tmp_path: Path, fault: Fault, seconds: float) -> None:
    """After one refusal requests under way may finish; none starts before the stated time, and then half as many."""
    time = StoppedTime()
    app = RangeApp(Ranges(rows=ROWS), clock=time.clock)
    async with a_service(app) as (_, url):
        app.faults["*"] = [fault]
        fetching = asyncio.ensure_future(get(tmp_path, url, names(200), time=time, pace=FetchPace(requests=6)))
        await time.asleep(3)  # all that are allowed at once
        before = len(app.asked)
        await time.go_to(seconds)
        report = await fetching

    assert report.fetched == 200
    assert Counter(asked.at for asked in app.asked) == {0: before, seconds: 201 - before}


async def test_after_a_pause_as_many_come_back(tmp_path: Path) -> None:
    """After a pause the number of parallel requests recovers, so one refusal does not slow the whole fetch."""
    waiting: list[None] = []
    all_there, go = asyncio.Event(), asyncio.Event()

    def arrived() -> None:
        waiting.append(None)
        if len(waiting) == 6:
            all_there.set()

    async with a_service() as (app, url):
        app.faults["*"] = [status(429), *[as_it_is] * 80, *[held(go, arrived)] * 6]
        fetching = asyncio.ensure_future(get(tmp_path, url, names(200), pace=FetchPace(requests=6)))
        async with asyncio.timeout(20):
            await all_there.wait()
        go.set()
        report = await fetching

    assert report.fetched == 200


async def test_refusals_cost_a_range_none_of_its_tries(tmp_path: Path) -> None:
    """A refusal costs a range none of its tries, as it concerns the fetch."""
    async with a_service() as (app, url):
        app.faults["00001"] = [status(429, retry_after="9")] * 20
        report = await get(tmp_path, url, names(3), pace=FetchPace(tries=1, requests=1))

    assert report.fetched == 3


async def test_a_longer_pause_than_one_waits_ends_the_fetch(tmp_path: Path) -> None:
    """A pause that is too long ends the fetch with an error, and it can be continued: an hour's sleep looks like a
    hang.
    """
    time = Time()
    async with a_service() as (app, url):
        app.faults["*"] = [as_it_is] * 10 + [status(429, retry_after="3600")]
        with pytest.raises(FetchError, match=r"^the service asks to wait 3600 seconds \(HTTP 429\)\. Run it") as caught:
            await get(tmp_path, url, names(60), time=time, pace=FetchPace(requests=1))
        app.faults.clear()
        report = await get(tmp_path, url, names(60), time=time)

    assert time.naps == []
    assert caught.value.report is not None
    assert caught.value.report.fetched == 10
    assert (report.kept, report.fetched) == (10, 50)


async def test_endless_refusals_end_the_fetch(tmp_path: Path) -> None:
    """Endless refusals end the fetch."""
    async with a_service() as (app, url):
        app.lasting["*"] = status(429, retry_after="100")
        with pytest.raises(FetchError, match=r"^no range came for 900 seconds: HTTP 429\. Run it again later"):
            await get(tmp_path, url, names(60), pace=FetchPace(requests=3))

    assert len(app.asked) < 60


async def test_a_long_fetch_is_not_a_silent_one(tmp_path: Path) -> None:
    """The time limit counts from the last range, not from the first."""
    time = Time()

    async def ten_minutes_later(reply: Reply) -> Reply:
        time.seconds += 600
        return reply

    async with a_service() as (app, url):
        app.faults["*"] = [ten_minutes_later, ten_minutes_later, status(500)]
        report = await get(tmp_path, url, names(4), time=time, pace=FetchPace(requests=1))

    assert report.fetched == 4


async def test_a_service_that_fails_throughout_is_left_alone(tmp_path: Path) -> None:
    """Many failures in a row are the service's and end the fetch, instead of a million named ranges."""
    async with a_service() as (app, url):
        app.lasting["*"] = status(500)
        with pytest.raises(FetchError, match=r"^5 ranges failed one after the other, the last with: HTTP 500\. Run it"):
            await get(tmp_path, url, names(1_000), pace=FetchPace(failures_in_row=5, requests=5, tries=3))

    assert len(app.asked) <= 15


async def test_a_service_that_is_down_is_reported(tmp_path: Path) -> None:
    """A service that is down is reported as such."""
    async with a_service() as (_, url):
        pass
    with pytest.raises(FetchError, match="ConnectError"):
        await get(tmp_path, url, names(1_000), pace=FetchPace(failures_in_row=5, tries=2))


async def test_a_certificate_of_nobody_is_no_certificate(tmp_path: Path) -> None:
    """An untrusted certificate is refused: a man in the middle could remove victims' passwords from the list."""
    async with a_service(secure=True) as (app, url):
        with pytest.raises(FetchError, match="CERTIFICATE_VERIFY_FAILED"):
            await fetch(tmp_path, url=url, prefixes=["00000"], pace=FetchPace(tries=1))

    assert app.asked == []


async def test_waits_grow_between_tries(tmp_path: Path) -> None:
    """Waits between tries double up to a minute, with full jitter."""
    time = Time()
    async with a_service() as (app, url):
        app.lasting["00000"] = status(500)
        with pytest.raises(FetchError):
            await get(tmp_path, url, ["00000"], time=time, pace=FetchPace(tries=9))

    assert time.naps == [0.5, 1, 2, 4, 8, 16, 30, 30]
