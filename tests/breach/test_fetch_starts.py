"""Fetches that are refused at the start."""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from sekisho.corpus.fetch import FetchError, fetch
from sekisho.corpus.fetch.folder import INDEX_NAME
from tests.breach.fetching import a_service, get, names
from tests.breach.range_app import (
    held,
    status,
)

if TYPE_CHECKING:
    from pathlib import Path


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
