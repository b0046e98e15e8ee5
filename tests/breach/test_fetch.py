"""Fetching all ranges from an HTTP/2 server of the range API that fails in every common way."""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
import signal
import sqlite3
import sys
from collections import Counter
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from sekisho.breach.corpus_file import Corpus
from sekisho.corpus.build import Ranges as RangesSource
from sekisho.corpus.build import build
from sekisho.corpus.fetch import SOURCE_URL, Failure, FetchError, FetchPace, FetchReport, Surroundings, fetch
from sekisho.corpus.fetch.folder import INDEX_NAME, Folder
from tests.breach.fetcher import REQUESTS
from tests.breach.range_app import (
    Fault,
    RangeApp,
    Reply,
    cut_gzip,
    cut_short,
    dead,
    held,
    instead,
    range_service,
    rewritten,
    status,
    trusting,
    wrong_checksum,
)
from tests.breach.ranges import Ranges, digest, prefix
from tests.store.proxy import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

ROWS = 40
NOW = 1_700_000_000.0


class Time:
    """A clock that advances only when a task sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.naps: list[float] = []

    @property
    def surroundings(self) -> Surroundings:
        return Surroundings(self.now, self.clock, self.sleep, lambda: 0.5)

    def now(self) -> float:
        return NOW + self.seconds

    def clock(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        end = self.seconds + seconds
        await asyncio.sleep(0)
        self.seconds = max(self.seconds, end)


class StoppedTime(Time):
    """A clock that advances when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self._moved = asyncio.Condition()

    async def sleep(self, seconds: float) -> None:
        end = self.seconds + seconds
        async with self._moved:
            self.naps.append(seconds)
            self._moved.notify_all()
            await self._moved.wait_for(lambda: self.seconds >= end)

    async def asleep(self, sleepers: int) -> None:
        """Wait until so many tasks sleep."""
        async with self._moved:
            await self._moved.wait_for(lambda: len(self.naps) >= sleepers)

    async def go_to(self, seconds: float) -> None:
        async with self._moved:
            self.seconds = seconds
            self._moved.notify_all()


class Wire(Server):
    """A proxy before a service, whose first connection may fall silent after so many bytes to the client."""

    def __init__(self, url: str, silent_after_bytes: int | None = None) -> None:
        super().__init__()
        self._port = urlsplit(url).port
        self._there = url
        self._silent_after_bytes = silent_after_bytes

    @property
    def service(self) -> str:
        """The service's URL through this proxy."""
        return self._there.replace(str(self._port), str(urlsplit(self.url).port))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = self._silent_after_bytes if self.connections == 1 else None
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        sending = asyncio.ensure_future(self._carry(reader, there_writer, None))
        try:
            await self._carry(there_reader, writer, left)
        finally:
            sending.cancel()
            there_writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None) -> None:
        while data := await reader.read(4096):
            if left is not None and (left := left - len(data)) < 0:
                await asyncio.Event().wait()
            writer.write(data)
            await writer.drain()


class Told:
    """The reported progress."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int | None, str]] = []
        self.steps: list[int] = []

    def begin(self, stage: str, total: int | None, unit: str) -> None:
        self.stages.append((stage, total, unit))

    def advance(self, amount: int) -> None:
        self.steps.append(amount)


def names(amount: int) -> list[str]:
    return [prefix(number) for number in range(amount)]


def landed(folder: Path) -> dict[str, bytes]:
    """The text of each range that has a file."""
    return {path.stem: gzip.decompress(path.read_bytes()) for path in folder.glob("*.gz")}


def stats(folder: Path) -> list[tuple[str, int, int]]:
    """Name, size and modification time (ns) of each range's file."""
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.glob("*.gz*"))]


def served(ranges: Ranges, wanted: Iterable[str]) -> dict[str, bytes]:
    """The text of each range as the service means it."""
    return {name: ranges.body(name) for name in wanted}


async def get(folder: Path, url: str, wanted: Iterable[str], *, time: Time | None = None, **how: Any) -> FetchReport:
    surroundings = (time or Time()).surroundings
    return await fetch(folder, url=url, prefixes=wanted, tls=trusting(), surroundings=surroundings, **how)


@asynccontextmanager
async def a_service(app: RangeApp | None = None, *, secure: bool = False) -> AsyncIterator[tuple[RangeApp, str]]:
    serving = app or RangeApp(Ranges(rows=ROWS))
    async with range_service(serving, secure=secure) as url:
        yield serving, url


# Received ranges.


async def test_every_range_lands_as_it_was_served(tmp_path: Path) -> None:
    """Every range is stored byte for byte, over HTTP/2, with no more connections than allowed."""
    wanted = names(64)
    async with a_service(secure=True) as (app, url):
        report = await get(tmp_path, url, wanted, pace=FetchPace(connections=2, requests=20))

    assert landed(tmp_path) == served(app.ranges, wanted)
    assert report._replace(bytes=0) == FetchReport(fetched=64, unchanged=0, kept=0, failed=(), bytes=0)
    assert report.bytes == sum(size for _, size, _ in stats(tmp_path))
    assert {asked.http_version for asked in app.asked} == {"2"}
    assert len({asked.port for asked in app.asked}) <= 2


async def test_a_server_without_http2_serves_too(tmp_path: Path) -> None:
    """A server without HTTP/2 works too: a local mirror may be any file server."""
    async with a_service() as (app, url):
        await get(tmp_path, url, names(40), pace=FetchPace(requests=8))

    assert landed(tmp_path) == served(app.ranges, names(40))
    assert {asked.http_version for asked in app.asked} == {"1.1"}
    assert len({asked.port for asked in app.asked}) <= 8


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("checksum", ["base64", "hex", ""])
async def test_padding_is_left_out(tmp_path: Path, compressed: bool, checksum: str) -> None:
    """Padding rows, with a count of 0, are left out: in a corpus they would be leaks."""
    app = RangeApp(Ranges(rows=ROWS), padding=30, compressed=compressed, checksum=checksum)
    async with a_service(app) as (_, url):
        await get(tmp_path, url, names(10))

    assert landed(tmp_path) == served(app.ranges, names(10))


async def test_what_came_compressed_is_kept_as_it_came(tmp_path: Path) -> None:
    """Compressed answers are stored as they came, so nothing is compressed twice."""
    async with a_service() as (app, url):
        await get(tmp_path, url, ["0BEEF"])

    assert (tmp_path / "0BEEF.gz").read_bytes() == gzip.compress(app.ranges.body("0BEEF"), mtime=0)


async def test_other_spellings_say_the_same(tmp_path: Path) -> None:
    """A mirror's line ends, a final one, and lower-case hex are accepted."""
    async with a_service() as (app, url):
        app.faults["00000"] = [rewritten(lambda text: text.replace(b"\r\n", b"\n") + b"\n")]
        app.faults["00001"] = [rewritten(bytes.lower)]
        await get(tmp_path, url, names(2))

    assert {name: text.split() for name, text in landed(tmp_path).items()} == {
        name: text.split() for name, text in served(app.ranges, names(2)).items()
    }


async def test_the_request_says_who_asks_and_nothing_else(tmp_path: Path) -> None:
    """A request has our name and version, so that the service can complain, and no cookie, though one is offered each
    time.
    """
    async with a_service() as (app, url):
        await get(tmp_path, url, names(30), pace=FetchPace(connections=1, requests=1))

    assert {name for asked in app.asked for name in asked.headers} == {
        "accept",
        "accept-encoding",
        "connection",
        "host",
        "user-agent",
    }
    assert app.asked[-1].headers["user-agent"].startswith("sekisho/")
    assert app.asked[-1].headers["accept-encoding"] == "gzip"


async def test_what_lands_becomes_a_corpus(tmp_path: Path) -> None:
    """The builder reads the folder as it is, and finds the leaked passwords alone."""
    ranges = Ranges(rows=ROWS)
    leaked = [ranges.plant(password, 3) for password in ("hunter2", "sakura", "correct horse")]
    folder = tmp_path / "ranges"
    async with a_service(RangeApp(ranges, padding=20)) as (_, url):
        await get(folder, url, {full.hex()[:5] for full in leaked} | set(names(20)))

    build([RangesSource(folder, partial=True)], tmp_path / "corpus")
    corpus = Corpus.open(tmp_path / "corpus")

    assert [corpus.find(full) for full in leaked] == [2, 2, 2]
    assert corpus.find(digest("Tr0ub4dor&3")) == 0
    assert all(corpus.find(bytes.fromhex(f"{name}{row.suffix}")) for name in names(20) for row in ranges.rows(name))


# Ranges that are not fetched again.


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
        app.faults["*"] = [_as_it_is] * 50
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

        app.faults["*"] = [_as_it_is] * 60
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


# Failures.


async def _as_it_is(reply: Reply) -> Reply:
    return reply


def _without_a_middle_row(text: bytes) -> bytes:
    rows = text.split(b"\r\n")
    return b"\r\n".join([*rows[:7], rows[7][:-3] + b"x:1", *rows[8:]])


def _first_row_last(text: bytes) -> bytes:
    first, _, rest = text.partition(b"\r\n")
    return rest + b"\r\n" + first


def _twice(text: bytes) -> bytes:
    first = text.partition(b"\r\n")[0]
    return first + b"1\r\n" + text


NOT_A_ROW = "is not 35 hex digits, a colon and a count"
DAMAGE: dict[str, tuple[Fault, str]] = {
    "wrong checksum": (wrong_checksum, "wrong checksum"),
    "checksum that is none": (instead(b"", content_md5="about right"), "an invalid checksum"),
    "truncated gzip": (cut_gzip, "truncated gzip"),
    "damaged gzip": (instead(b"\x1f\x8b" + bytes(40), content_encoding="gzip"), "damaged gzip"),
    "gzip and more": (instead(gzip.compress(b"") + b"more", content_encoding="gzip"), "bytes after its end"),
    "brotli": (instead(b"\x8b\x00", content_encoding="br"), "a compression that was not requested"),
    "nothing": (instead(b""), "no rows"),
    "padding alone": (instead(b"0" * 35 + b":0"), "no rows"),
    "a page": (instead(b"<!doctype html><title>Log in to the network of Hotel Sekisho</title>"), f"line 1 {NOT_A_ROW}"),
    "another hash": (rewritten(lambda text: text.replace(b":", b"0:")), f"line 1 {NOT_A_ROW}"),
    "a bad row": (rewritten(_without_a_middle_row), f"line 8 {NOT_A_ROW}"),
    "cut in a row": (rewritten(lambda text: text[:-20], told=False), f"line {ROWS} {NOT_A_ROW}"),
    "order": (rewritten(_first_row_last), "rows out of order"),
    "a suffix twice": (rewritten(_twice), "rows out of order"),
    "bomb": (instead(gzip.compress(bytes(2**26)), content_encoding="gzip"), "more than 2097152 bytes"),
    "too long": (instead(b"0" * 3_000_000), "more than 2097152 bytes"),
    "server error": (status(502), "HTTP 502"),
    "unavailable": (status(503), "HTTP 503"),
    "failing application": (dead, "HTTP 500"),
}


@pytest.mark.parametrize("fault", [*(fault for fault, _ in DAMAGE.values()), cut_short], ids=[*DAMAGE, "cut short"])
@pytest.mark.parametrize("secure", [True, False], ids=["HTTP/2", "HTTP/1.1"])
async def test_a_passing_fault_costs_a_delay_and_no_range(tmp_path: Path, fault: Fault, secure: bool) -> None:
    """A passing fault costs a delay and no range, of the same connection too."""
    async with a_service(secure=secure) as (app, url):
        app.faults["00007"] = [fault] * 3
        report = await get(tmp_path, url, names(20), pace=FetchPace(connections=1, requests=8))

    assert (report.fetched, report.failed) == (20, ())
    assert landed(tmp_path) == served(app.ranges, names(20))
    assert app.prefixes.count("00007") >= 4


@pytest.mark.parametrize(("fault", "reason"), DAMAGE.values(), ids=DAMAGE)
async def test_a_lasting_fault_is_named(tmp_path: Path, fault: Fault, reason: str) -> None:
    """A lasting fault is named with its reason after so many tries; the next fetch asks for that range alone."""
    async with a_service() as (app, url):
        app.lasting["00007"] = fault
        with pytest.raises(FetchError) as caught:
            await get(tmp_path, url, names(20), pace=FetchPace(tries=3))
        asked = app.prefixes.count("00007")
        there = set(landed(tmp_path))
        app.lasting.clear()
        report = await get(tmp_path, url, names(20))

    assert str(caught.value) == (
        f"1 range is missing: 00007 ({reason}). Run it again: stored ranges are not fetched twice."
    )
    assert caught.value.report is not None
    assert caught.value.report.failed == (Failure("00007", reason),)
    assert asked == 3
    assert there == {*names(20)} - {"00007"}
    assert (report.kept, report.fetched) == (19, 1)


@pytest.mark.parametrize("secure", [True, False], ids=["HTTP/2", "HTTP/1.1"])
async def test_an_answer_that_ends_early_is_none(tmp_path: Path, secure: bool) -> None:
    """A range shorter than announced does not count, however the transport reports it."""
    async with a_service(secure=secure) as (app, url):
        app.lasting["00007"] = cut_short
        with pytest.raises(FetchError, match=r"^1 range is missing: 00007 \(.+\)\. Run it again"):
            await get(tmp_path, url, ["00007"], pace=FetchPace(tries=2))

    assert landed(tmp_path) == {}


async def test_a_lost_tail_is_missed_without_a_checksum(tmp_path: Path) -> None:
    """A lost tail is found without a checksum (whole rows, right length, nine tenths of the range): its digests end
    early.
    """
    async with a_service(RangeApp(Ranges(rows=1_000))) as (app, url):
        app.lasting["00007"] = rewritten(lambda text: b"\r\n".join(text.split(b"\r\n")[:900]), told=False)
        with pytest.raises(FetchError, match=r"00007 \(the last rows are missing\)"):
            await get(tmp_path, url, ["00007"])


async def test_slow_is_given_up_after_a_while(tmp_path: Path) -> None:
    """An answer that never ends occupies its request for a limited time, and no other."""
    async with a_service(secure=True) as (app, url):
        app.lasting["00007"] = held(asyncio.Event())
        with pytest.raises(FetchError, match=r"00007 \((no whole answer within 0\.4 seconds|ReadTimeout)\)"):
            await get(tmp_path, url, names(40), pace=FetchPace(connections=1, requests=4, tries=2, try_seconds=0.4))

    assert len(landed(tmp_path)) == 39


@pytest.mark.parametrize("secure", [True, False], ids=["HTTP/2", "HTTP/1.1"])
async def test_a_connection_that_dies_costs_a_try(tmp_path: Path, secure: bool) -> None:
    """A dying connection fails all its requests together, repeatedly; each succeeds in the end."""
    async with a_service(secure=secure) as (app, url), Wire(url) as wire:

        async def cut(reply: Reply) -> Reply:
            wire.reset()
            return reply

        planned: list[Fault] = [*[_as_it_is] * 15, cut]
        app.faults["*"] = planned * 4
        report = await get(tmp_path, wire.service, names(80), pace=FetchPace(connections=2, requests=8))

    assert report.fetched == 80
    assert landed(tmp_path) == served(app.ranges, names(80))
    assert wire.connections >= 5


async def test_a_connection_that_falls_silent_is_replaced(tmp_path: Path) -> None:
    """A silent connection is replaced, as behind a firewall that dropped it without a reset."""
    async with a_service(secure=True) as (app, url), Wire(url, silent_after_bytes=30_000) as wire:
        pace = FetchPace(connections=1, requests=4, tries=2, try_seconds=1)
        report = await get(tmp_path, wire.service, names(80), pace=pace)

    assert report.fetched == 80
    assert landed(tmp_path) == served(app.ranges, names(80))
    assert wire.connections == 2


@pytest.mark.parametrize("code", [301, 307, 403, 404, 410])
async def test_what_another_try_will_not_change_is_asked_once(tmp_path: Path, code: int) -> None:
    """A wrong address is asked once, and a redirect to another host is not followed."""
    async with a_service() as (elsewhere, other_url), a_service() as (app, url):
        app.lasting["00003"] = status(code, location=f"{other_url}00003")
        with pytest.raises(FetchError, match=rf"00003 \(HTTP {code}\)"):
            await get(tmp_path, url, names(5))

    assert app.prefixes.count("00003") == 1
    assert elsewhere.asked == []


async def test_many_failures_are_counted_and_ten_are_named(tmp_path: Path) -> None:
    """An error counts many failures and names ten; the report has all."""
    async with a_service() as (app, url):
        for name in names(30)[::2]:
            app.lasting[name] = status(404)
        with pytest.raises(FetchError, match=r"^15 ranges are missing: 00000 .* 00012 \(HTTP 404\) and 5 more\. ") as e:
            await get(tmp_path, url, names(30), pace=FetchPace(requests=1))

    assert e.value.report is not None
    assert [failure.prefix for failure in e.value.report.failed] == names(30)[::2]


async def test_a_full_disk_ends_the_fetch(tmp_path: Path) -> None:
    """A full disk ends the fetch with one error that names the folder, and is not taken for a fault of the service."""
    async with a_service() as (app, url):
        (tmp_path / "00003.gz").mkdir()  # no file can be created there: the nearest thing to a full disk
        with pytest.raises(FetchError, match=str(tmp_path)):
            await get(tmp_path, url, names(400), pace=FetchPace(requests=4))

    assert len(app.asked) < 20


# Rate limits.


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
        app.faults["*"] = [status(429), *[_as_it_is] * 80, *[held(go, arrived)] * 6]
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
        app.faults["*"] = [_as_it_is] * 10 + [status(429, retry_after="3600")]
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


# Refused starts.


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://api.pwnedpasswords.com/range/", "must begin with https://"),
        ("http://127.0.0.1.example/range/", "must begin with https://"),
        ("ftp://127.0.0.1/range/", "must begin with https://"),
        ("/range/", "must begin with https://"),
        ("https://hana:sakura@mirror.example/range/", "holds a user name"),
        ("https://mirror.example/range/?mode=ntlm", "a query"),
        ("https://mirror.example/range/#a", "a fragment"),
        ("https://[::1/range/", "is no URL"),
    ],
)
async def test_odd_sources_are_refused(tmp_path: Path, url: str, problem: str) -> None:
    """Odd sources are refused before anything is created or sent, and the error does not repeat the URL."""
    with pytest.raises(FetchError, match=problem) as caught:
        await fetch(tmp_path / "ranges", url=url)

    assert "sakura" not in str(caught.value)
    assert not (tmp_path / "ranges").exists()


@pytest.mark.parametrize("odd", ["0000", "000000", "0000G", "", "../00", "00000\n", "０００００"])
async def test_odd_prefixes_are_refused(tmp_path: Path, odd: str) -> None:
    """A prefix that is not five hex digits is refused: it would be another path on server and disk."""
    with pytest.raises(FetchError, match="a prefix is five hex digits"):
        await fetch(tmp_path, prefixes=["00000", odd])


async def test_one_fetch_a_folder(tmp_path: Path) -> None:
    """One folder allows one fetch at a time, or half-written files would be overwritten."""
    async with a_service() as (app, url):
        app.lasting["00000"] = status(404)
        with pytest.raises(FetchError):
            await get(tmp_path, url, names(3))  # the next one continues with this, and has nothing to write at first
        stuck = asyncio.Event()
        app.lasting["00000"] = held(asyncio.Event(), stuck.set)
        first = asyncio.ensure_future(get(tmp_path, url, names(3)))
        await stuck.wait()
        with pytest.raises(FetchError, match="another fetch is at work there"):
            await get(tmp_path, url, names(3))
        first.cancel()
        await asyncio.wait([first])


async def test_one_source_a_folder(tmp_path: Path) -> None:
    """One folder has one source: ETags of another server mean nothing, and half a mirror is no corpus."""
    async with a_service() as (_, one), a_service() as (app, other):
        await get(tmp_path, one, names(3))
        with pytest.raises(FetchError, match=f"holds ranges of {one}"):
            await get(tmp_path, other, names(3))

    assert app.asked == []


@pytest.mark.parametrize("name", ["0BEEF.txt", "0BEEF", "0beef.gz", "0BEEF.txt.gz"])
async def test_ranges_of_another_program_are_not_mixed_with_ours(tmp_path: Path, name: str) -> None:
    """A folder with another program's ranges is refused: the builder would count them twice, and they are not ours to
    remove.
    """
    (tmp_path / name).write_text("")
    with pytest.raises(FetchError, match=f"{name} is another program's"):
        await fetch(tmp_path, prefixes=["00000"])

    assert (tmp_path / name).exists()


async def test_a_damaged_index_is_said(tmp_path: Path) -> None:
    """A damaged index is reported, with what to do."""
    (tmp_path / INDEX_NAME).write_bytes(b"no database" * 1_000)
    with pytest.raises(FetchError, match="Delete it and run again"):
        await fetch(tmp_path, prefixes=["00000"])


async def test_without_room_it_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without disk space it does not start, and states what is needed and free."""
    usage = shutil.disk_usage(tmp_path)._replace(free=20 * 2**30)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    async with a_service() as (app, url):
        with pytest.raises(FetchError, match=r"1048576 ranges need about 47\.3 GB there, 21\.5 GB are free"):
            await fetch(tmp_path, url=url)

    assert app.asked == []


async def test_a_million_files_need_a_million_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too few free inodes for a million files are reported too."""
    found = os.statvfs(tmp_path)
    scarce = os.statvfs_result((*found[:5], 10**6, 10**5, 10**5, *found[8:]))
    monkeypatch.setattr(os, "statvfs", lambda _: scarce)
    usage = shutil.disk_usage(tmp_path)._replace(free=2**40)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(FetchError, match="1048576 files are needed there, the file system has room for 100000"):
        await fetch(tmp_path, url="http://127.0.0.1:9/range/")


async def test_room_is_needed_for_what_is_missing_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Space is needed for missing ranges alone: a nearly full disk can hold a nearly complete folder."""
    async with a_service() as (app, url):
        await get(tmp_path, url, names(50))
        usage = shutil.disk_usage(tmp_path)._replace(free=10_000)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        report = await get(tmp_path, url, names(52))

    assert (report.unchanged, report.fetched) == (50, 2)
    assert len(app.asked) == 102


# Reports.


async def test_progress_is_told_in_ranges(tmp_path: Path) -> None:
    """Progress counts each range once: fetched, failed or present."""
    first, second = Told(), Told()
    async with a_service() as (app, url):
        app.lasting["00003"] = status(404)
        with pytest.raises(FetchError):
            await get(tmp_path, url, names(40), progress=first)
        app.lasting.clear()
        await get(tmp_path, url, names(40), progress=second)

    assert first.stages == second.stages == [("fetching", 40, "ranges")]
    assert sum(first.steps) == 40
    assert second.steps == [39, 1]


async def test_what_a_server_says_cannot_move_the_cursor(tmp_path: Path) -> None:
    """Errors shown on a terminal drop a server's escape sequences, and are short."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\x1b[2J\x07 220 mail.example ESMTP" + b"!" * 5_000 + b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        with pytest.raises(FetchError) as caught:
            await get(tmp_path, f"http://{host}:{port}/range/", ["00000"], pace=FetchPace(tries=1))

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


async def test_where_a_body_ends_must_be_said(tmp_path: Path) -> None:
    """A body must state its end: HTTP/1 may end it by closing, which looks like a crash."""
    ranges = Ranges(rows=ROWS)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + ranges.body("00000"))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        with pytest.raises(FetchError, match=r"00000 \(the end of the answer is not marked\)"):
            await get(tmp_path, f"http://{host}:{port}/range/", ["00000"], pace=FetchPace(tries=1))


def test_the_whole_service_is_the_default() -> None:
    """The default is the service itself with all 16^5 ranges."""
    assert SOURCE_URL == "https://api.pwnedpasswords.com/range/"


def test_a_new_folder_asks_for_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new folder asks for 16^5 ranges, and the second fetch knows those that came."""
    usage = shutil.disk_usage(tmp_path)._replace(free=2**40)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    folder = Folder.open(tmp_path, SOURCE_URL, lambda: NOW)
    try:
        assert list(folder.begin(range(16**5))) == list(range(16**5))
    finally:
        folder.close()
