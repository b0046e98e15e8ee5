"""What a fetch reports."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

from sekisho.corpus.fetch import SOURCE_URL, FetchError, FetchPace
from sekisho.corpus.fetch.folder import Folder
from tests.breach.fetching import NOW, ROWS, Told, a_service, get, names
from tests.breach.range_app import (
    status,
)
from tests.breach.ranges import Ranges

if TYPE_CHECKING:
    from pathlib import Path


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
