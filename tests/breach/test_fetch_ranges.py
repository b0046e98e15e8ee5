"""Ranges that a fetch receives from an HTTP/2 server of the range API."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from sekisho.breach.corpus_file import Corpus
from sekisho.corpus.build import Ranges as RangesSource
from sekisho.corpus.build import build
from sekisho.corpus.fetch import FetchPace, FetchReport
from tests.breach.fetching import ROWS, a_service, get, landed, names, served, stats
from tests.breach.range_app import (
    RangeApp,
    rewritten,
)
from tests.breach.ranges import Ranges, digest

if TYPE_CHECKING:
    from pathlib import Path


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
