"""`sekisho console` in a process of its own, beside a service: what it prints, shows and needs."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

from sekisho.record import Event
from sekisho.record.lines import encode
from tests.acceptance.processes import ended
from tests.asgi.driving import OPEN, RULED, Shop, guarded, log_in
from tests.cli.operating import command, run, serve_with, stop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    import pytest

    from tests.servers import RedisServer

AT_US = 1_795_936_209_123_456


class Page:
    """The console's page, as its script sees it."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        origin, _, key = url.partition("#")
        self._origin = origin
        self._client = client
        self._headers = {"authorization": f"Bearer {key}"}

    async def state(self) -> dict[str, Any]:
        told: dict[str, Any] = (await self._client.get(f"{self._origin}state", headers=self._headers)).json()
        return told

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """What it is told once that holds. Raises `TimeoutError` after a minute."""
        async with asyncio.timeout(60):
            while not holds(told := await self.state()):  # noqa: ASYNC110 - another process sets no event
                await asyncio.sleep(0.1)
        return told

    async def look(self, kind: str, value: str) -> dict[str, Any]:
        asked = {"kind": kind, "value": value}
        told: dict[str, Any] = (
            await self._client.post(f"{self._origin}look", headers=self._headers, json=asked)
        ).json()
        return told


def started(words: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@asynccontextmanager
async def opened(*line: str) -> AsyncIterator[tuple[Page, subprocess.Popen[str]]]:
    """A console of this process's environment, on a free port."""
    words = [sys.executable, "-m", "tests.cli.shown", "console", "--port", "0", "--json", *line]
    with ended(started(words)) as process:
        assert process.stdout is not None
        said = await asyncio.to_thread(process.stdout.readline)
        async with httpx.AsyncClient() as client:
            yield Page(json.loads(said)["url"], client), process


async def test_it_shows_the_service_and_what_operators_do(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Mode, lists, workers and campaigns are those of the commands; the log goes on as attempts come."""
    audit = f"file:{tmp_path / 'audit.jsonl'}"
    serve_with(monkeypatch, store=redis_url, audit=audit, login=RULED, campaigns="on", challenges="none")
    guard = guarded(Shop(), store=None, **OPEN)
    await log_in(guard, "hana", "wrong")
    async with opened() as (page, _):
        first = await page.until(lambda told: told["sums"]["failed"] == 1 and "mode" in told["standing"])
        assert first["standing"]["problem"] == ""
        assert first["standing"]["mode"]["mode"] == "enforce"
        assert first["standing"]["campaigns"] == []
        assert first["standing"]["workers"] == 1
        await log_in(guard, "hana")
        assert (await command("mode", "monitor", "--because", "a trial")).code == 0
        assert (await command("deny", "192.0.2.0/24")).code == 0
        told = await page.until(
            lambda told: (
                told["standing"]["mode"]["mode"] == "monitor"
                and bool(told["standing"]["deny"]["listed"])
                and told["sums"]["succeeded"] == 1
            )
        )
        assert told["sums"]["allow"] == 2
        assert [entry["network"] for entry in told["standing"]["deny"]["listed"]] == ["192.0.2.0/24"]
        await page.until(lambda told: "commanded" in {event["kind"] for event in told["events"]})

        found = await page.look("account", "Hana")
        assert found["kind"] == "account"
        assert found["counters"][0]["limits"][0]["used"] == 1
        assert {event["kind"] for event in found["events"]} >= {"settled"}
        assert "no address" in (await page.look("address", "hana"))["problem"]
        assert (await page.look("account", "-"))["kind"] == "account", "standard input is not read"
    await stop(guard)


async def test_it_reads_the_audit_in_redis(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    serve_with(monkeypatch, store=redis_url, audit="redis", login=RULED, challenges="none")
    guard = guarded(Shop(), store=None, **OPEN)
    async with opened() as (page, _):
        await page.until(lambda told: told["log"]["done"] == 1.0)
        await log_in(guard, "hana", "wrong")
        await page.until(lambda told: told["sums"]["failed"] == 1)
    await stop(guard)


async def test_a_store_that_is_away_is_said(
    own_redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The page goes on with the log and with what was known, and finds the store again."""
    path = tmp_path / "events"
    path.write_text("")
    serve_with(monkeypatch, store=own_redis_server.url, events_file=str(path))
    async with opened() as (page, process):
        await page.until(lambda told: "mode" in told["standing"])
        own_redis_server.kill()
        told = await page.until(lambda told: bool(told["standing"]["problem"]))
        assert told["standing"]["problem"].startswith("SEKISHO_STORE does not answer")
        assert told["standing"]["mode"]["mode"] == "enforce"
        own_redis_server.start()
        await page.until(lambda told: told["standing"]["problem"] == "")
        process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(process.wait, 60) == 130


async def test_a_log_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the service keeps its counters in memory and has no socket, the log is shown, and what is missing."""
    path = tmp_path / "events"
    path.write_text(encode(Event("decided", AT_US, "POST /login", action="allow")) + "\n")
    serve_with(monkeypatch)
    async with opened("--file", str(path)) as (page, _):
        told = await page.until(lambda told: told["log"]["done"] == 1.0)
        assert (told["name"], told["standing"]["problem"]) == ("", "")
        assert "SEKISHO_STORE" in told["standing"]["note"]
        assert "SEKISHO_STORE" in (await page.look("account", "hana"))["problem"]


async def test_a_log_that_was_copied_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without any setting of the service, on another machine."""
    monkeypatch.delenv("SEKISHO_SECRET", raising=False)
    path = tmp_path / "events"
    path.write_text(encode(Event("commanded", int(time.time() * 1e6), command="mode", by="mari", mode="off")) + "\n")
    async with opened("--file", str(path)) as (page, _):
        told = await page.until(lambda told: bool(told["events"]))
        assert told["standing"]["note"].startswith("SEKISHO_SECRET is not set here")


async def test_ctrl_c_ends_it_with_a_tab_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A browser keeps its connection: the command does not wait for it, prints nothing, and says 130."""
    path = tmp_path / "events"
    path.write_text("")
    serve_with(monkeypatch, events_file=str(path))
    async with opened() as (page, process):
        await page.state()
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.to_thread(process.communicate, None, 60)
        assert (process.returncode, out) == (130, "")
        assert "Traceback" not in err


def test_what_it_says_where_it_cannot_begin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No log is named, another program's is, one that is not there, or the port is taken."""
    serve_with(monkeypatch)
    assert run("console").code == 2
    assert "neither SEKISHO_AUDIT (a file, or redis) nor SEKISHO_EVENTS_FILE is set here" in run("console").err

    path = tmp_path / "log"
    path.write_text("2026-11-29 GET / 200\n")
    other = run("console", "--file", str(path))
    assert (other.code, other.err) == (
        1, f"sekisho console: {path}: this is no file of events, and no audit in our own dialect\n"
    )  # fmt: skip
    absent = run("console", "--file", str(tmp_path / "absent"))
    assert (absent.code, absent.err) == (1, f"sekisho console: {tmp_path / 'absent'}: No such file or directory\n")

    path.write_text("")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = run("console", "--file", str(path), "--port", str(taken.getsockname()[1]))
    assert (said.code, said.err) == (
        2, "sekisho console: --port names a port that is taken, or that this user may not use\n"
    )  # fmt: skip
