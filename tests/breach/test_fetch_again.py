"""Ranges that are not fetched again: changes, interrupted and repeated fetches."""

from __future__ import annotations

import asyncio
import gzip
import signal
import sqlite3
import sys
from typing import TYPE_CHECKING

import pytest

from sekisho.corpus.fetch import FetchError, FetchPace, FetchReport, fetch
from sekisho.corpus.fetch.folder import INDEX_NAME
from tests.breach.fetcher import REQUESTS
from tests.breach.fetching import ROWS, Time, a_service, as_it_is, get, landed, names, served, stats
from tests.breach.range_app import (
    RangeApp,
    held,
    status,
)
from tests.breach.ranges import Ranges

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_second_fetch_asks_for_changes_only(tmp_path: Path) -> None:
    """A second fetch gets 304 for all, and changes no file."""
    async with a_service() as (app, url):
        await get(tmp_path, url, names(30))
        before = stats(tmp_path)
        again = await get(tmp_path, url, names(30))

    assert again == FetchReport(fetched=0, unchanged=30, kept=0, failed=(), bytes=0)
    assert stats(tmp_path) == before
    assert len(app.asked) == 60


@pytest.mark.parametrize(("validator", "fetched"), [("etag", 1), ("last-modified", 1), ("", 30)])
async def test_a_changed_range_is_fetched_again(tmp_path: Path, validator: str, fetched: int) -> None:
    """A changed range is fetched again: by ETag, else by date, else always."""
    ranges = Ranges(rows=ROWS)
    app = RangeApp(ranges, validator=validator)
    async with a_service(app) as (_, url):
        await get(tmp_path, url, names(30))
        ranges.plant_digest(bytes.fromhex("0000A" + "7" * 35), 12)
        again = await get(tmp_path, url, names(30))
        unchanged = await get(tmp_path, url, ["0000A"])

    assert (again.fetched, again.unchanged) == (fetched, 30 - fetched)
    assert landed(tmp_path) == served(ranges, names(30))
    assert unchanged.unchanged == bool(validator)


async def test_a_cancelled_fetch_goes_on_where_it_was(tmp_path: Path) -> None:
    """A cancelled fetch continues: stored ranges are not asked for again."""
    async with a_service() as (app, url):
        stuck = asyncio.Event()
        app.faults["*"] = [as_it_is] * 50
        app.lasting["*"] = held(asyncio.Event(), stuck.set)
        fetching = asyncio.ensure_future(get(tmp_path, url, names(120), pace=FetchPace(requests=4)))
        await stuck.wait()
        fetching.cancel()
        await asyncio.wait([fetching])
        there = set(landed(tmp_path))
        app.lasting.clear()
        app.asked.clear()
        report = await get(tmp_path, url, names(120))

    assert fetching.cancelled()
    assert report.kept == len(there) >= 46  # the last of 50 answers may not have been read
    assert sorted(app.prefixes) == sorted(set(names(120)) - there)
    assert landed(tmp_path) == served(app.ranges, names(120))


@pytest.mark.parametrize(("blow", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, -signal.SIGINT)])
async def test_a_killed_process_goes_on_where_it_was(tmp_path: Path, blow: signal.Signals, code: int) -> None:
    """A killed process repeats only requests not yet written down, and no half-written file is used."""
    async with a_service() as (app, url):
        waiting: list[None] = []
        all_wait = asyncio.Event()

        def arrived() -> None:
            waiting.append(None)
            if len(waiting) == REQUESTS:
                all_wait.set()

        app.faults["*"] = [as_it_is] * 60
        app.lasting["*"] = held(asyncio.Event(), arrived)
        command = [sys.executable, "-m", "tests.breach.fetcher", url, str(tmp_path), "100"]
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
        await all_wait.wait()
        process.send_signal(blow)
        ended = await process.wait()
        there = set(landed(tmp_path))
        (tmp_path / "0BEEF.gz.part").write_bytes(b"half of it")
        app.lasting.clear()
        app.asked.clear()
        report = await fetch(tmp_path, url=url, prefixes=names(100))

    assert ended == code
    assert len(there) == 60
    assert (report.kept, report.fetched) == (60, 40)
    assert sorted(app.prefixes) == sorted(set(names(100)) - there)
    assert landed(tmp_path) == served(app.ranges, names(100))
    assert len(stats(tmp_path)) == 100


async def test_a_day_later_it_begins_anew(tmp_path: Path) -> None:
    """After a day it starts anew: half a corpus from last month would claim to be of today."""
    time = Time()
    async with a_service() as (app, url):
        app.lasting["00004"] = status(404)
        with pytest.raises(FetchError):
            await get(tmp_path, url, names(8), time=time)
        app.lasting.clear()
        time.seconds += 24 * 3600
        report = await get(tmp_path, url, names(8), time=time)

    assert report == FetchReport(fetched=1, unchanged=7, kept=0, failed=(), bytes=report.bytes)


async def test_file_and_row_must_agree(tmp_path: Path) -> None:
    """A missing row, a missing file, and an empty or changed file are fetched again."""
    async with a_service() as (app, url):
        await get(tmp_path, url, names(6))
        (tmp_path / "00001.gz").unlink()
        (tmp_path / "00002.gz").write_bytes(b"")
        (tmp_path / "00004.gz").write_bytes(gzip.compress(b"0" * 35 + b":1"))
        with sqlite3.connect(tmp_path / INDEX_NAME) as index:
            index.execute("delete from ranges where number = 3")
        index.close()
        report = await get(tmp_path, url, names(6))

    assert (report.fetched, report.unchanged) == (4, 2)
    assert landed(tmp_path) == served(app.ranges, names(6))
