"""A fetch from a server that fails in every common way."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING

import pytest

from sekisho.corpus.fetch import Failure, FetchError, FetchPace
from tests.breach.fetching import ROWS, Wire, a_service, as_it_is, get, landed, names, served
from tests.breach.range_app import (
    Fault,
    RangeApp,
    Reply,
    cut_gzip,
    cut_short,
    dead,
    held,
    instead,
    rewritten,
    status,
    wrong_checksum,
)
from tests.breach.ranges import Ranges

if TYPE_CHECKING:
    from pathlib import Path


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

        planned: list[Fault] = [*[as_it_is] * 15, cut]
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
