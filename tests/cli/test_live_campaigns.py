"""Two workers on one Redis recognise a campaign that neither sees alone, and tell of it where operators look."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from sekisho.wiring import MACHINE, on_clocks
from tests.asgi.driving import OPEN, RULED, Shop, log_in
from tests.cli.operating import command, serve_with, stop
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.servers import RedisServer

BOT = (b"user-agent", b"a program")


async def soon(seconds: float) -> None:
    """The workers' rest between two rounds."""
    await asyncio.sleep(min(seconds, 0.3))


async def test_two_workers_recognise_a_list(
    redis_url: str, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Fifteen wrong passwords at each worker, one right: both tell of the campaign, and of the account it entered."""
    path = tmp_path / "audit.jsonl"
    serve_with(monkeypatch, store=redis_url, campaigns="on", audit=f"file:{path}", login=RULED, challenges="none")
    guarded = on_clocks(MACHINE._replace(rest=soon))
    workers = [guarded(Shop(), **OPEN) for _ in range(2)]
    for number in range(30):
        await log_in(workers[number % 2], f"victim{number}", "leaked", headers=[BOT])
    await log_in(workers[0], "hana", "right", headers=[BOT])

    def is_told() -> bool:
        redis_server.cli("DEL", "sekisho:{campaigns}turn")  # or a worker would look again in 14 seconds only
        return all(worker.counts["", "campaign", "entered"] for worker in workers)

    await until(is_told)
    assert [worker.counts["", "campaign", "recognised"] for worker in workers] == [1, 1]

    said = await command("campaigns", "--json")
    (live,) = json.loads(said.out)["live"]
    assert (said.code, live["attempts"], live["accounts"], len(live["entered"])) == (1, 30, 30, 1)
    assert "now, as the workers see it:" in (await command("campaigns")).out

    await stop(*workers)
    told = [json.loads(line) for line in path.read_bytes().splitlines()]
    told = [line for line in told if line["kind"] == "campaign"]
    assert sorted(line["result"] for line in told) == ["entered", "entered", "recognised", "recognised"]
    assert all(line["text"].startswith(live["name"]) for line in told)
    assert {line["account"] for line in map(json.loads, path.read_bytes().splitlines()) if "account" in line} >= {
        live["entered"][0]
    }


async def test_with_memory_the_process_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It has no store to look into, so its control socket tells the campaigns that it recognises."""
    socket = tmp_path / "control"
    serve_with(monkeypatch, control_socket=str(socket), campaigns="on", login=RULED, challenges="none")
    guard = on_clocks(MACHINE._replace(rest=soon))(Shop(), **OPEN)
    for number in range(30):
        await log_in(guard, f"victim{number}", "leaked", headers=[BOT])
    await until(lambda: bool(guard.counts["", "campaign", "recognised"]))

    (live,) = json.loads((await command("campaigns", "--json")).out)["live"]
    await stop(guard)
    gone = await command("campaigns")

    assert (live["attempts"], live["accounts"]) == (30, 30)
    assert (gone.code, "the process at SEKISHO_CONTROL_SOCKET does not answer" in gone.err) == (1, True)


async def test_off_nothing_is_noted(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the setting there is neither a writer nor a key in the store."""
    serve_with(monkeypatch, store=redis_url, login=RULED)
    guarded = on_clocks(MACHINE)(Shop(), **OPEN)
    await log_in(guarded, "hana", "wrong")
    assert guarded._loops is not None
    assert (guarded._loops.process.campaigns, guarded._loops.process.writers) == (None, [])
    await stop(guarded)
