"""`sekisho posture` shows what is estimated, and forces a posture on every worker, for a time."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from sekisho.control.record import posture_text
from sekisho.detect.written import PostureMac, encode_state
from sekisho.judge.posture import PostureState, advance
from sekisho.model.posture import Posture, StrangerOutcome, ToldOutcome
from sekisho.record import replay
from sekisho.testing import SECRET
from tests.asgi.driving import OPEN, Shop, guarded, log_in
from tests.cli.operating import command, run, serve_with, stop
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.wiring import LoginGuard
    from tests.servers import RedisServer


def forced(guard: LoginGuard) -> Posture | None:
    assert guard._loops is not None
    watch = guard._loops.process.watch
    assert watch is not None
    return watch.forced


async def test_a_forced_posture_reaches_every_worker_and_says_who_forced_it(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    serve_with(monkeypatch, store=redis_url, step_up="attack")
    paths = [tmp_path / "first", tmp_path / "second"]
    guards = [guarded(Shop(), store=None, workers=2, step_up=None, events_file=str(path), **OPEN) for path in paths]
    for guard in guards:
        await log_in(guard)

    said = await command("posture", "set", "elevated", "--for", "2h", "--because", "a list is for sale")
    await until(lambda: [forced(guard) for guard in guards] == [Posture.ELEVATED] * 2)
    shown = await command("posture", "--json")
    ended = await command("posture", "reset")
    await until(lambda: [forced(guard) for guard in guards] == [None] * 2)
    await stop(*guards)

    assert (said.code, ended.code) == (0, 0)
    assert "forced: elevated until " in said.out
    assert ": a list is for sale" in said.out
    assert "forced" not in ended.out
    found = json.loads(shown.out)
    assert (found["forced"], found["why"], found["step_up"]) == ("elevated", "a list is for sale", "attack")
    assert 7_100 < found["until"] - time.time() <= 7_200
    for path in paths:
        with path.open("rb") as file:
            events = list(replay(file))
        turns = [event for event in events if event.kind == "posture_changed"]
        assert [(event.reasons, event.before, event.result) for event in turns] == [
            (("forced",), "calm", "elevated"),
            (("estimated",), "elevated", "calm"),
        ]
        assert [event.command for event in events if event.kind == "commanded"] == ["posture", "posture"]


async def test_a_forced_posture_ends_by_itself(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    serve_with(monkeypatch, store=redis_url, step_up="attack")
    guard = guarded(Shop(), store=None, workers=1, step_up=None, **OPEN)
    await log_in(guard)
    await command("posture", "set", "calm", "--for", "3s")
    await until(lambda: forced(guard) is Posture.CALM)
    await until(lambda: forced(guard) is None)
    await stop(guard)


async def test_with_memory_it_goes_through_the_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    serve_with(monkeypatch, control_socket=str(tmp_path / "control"), step_up="attack")
    guard = guarded(Shop(), step_up=None, **OPEN)
    await log_in(guard)
    await until((tmp_path / "control").exists)
    said = await command("posture", "set", "attack")
    found = forced(guard)
    await stop(guard)
    assert (said.code, found) == (0, Posture.ATTACK)


async def test_with_memory_the_estimate_comes_through_the_socket(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The process has no store to look into, so it is asked."""
    serve_with(monkeypatch, control_socket=str(tmp_path / "control"), step_up="attack")
    guard = guarded(Shop(), step_up=None, **OPEN)
    await log_in(guard)
    await until((tmp_path / "control").exists)
    assert guard._loops is not None
    postures = guard._loops.process.postures
    assert postures is not None
    tags = [at.to_bytes(4, "little") for at in range(80)]
    failures = [StrangerOutcome("POST /login", ToldOutcome.FAILED, tag, 4, tag) for tag in tags]
    assert await postures.put(postures._number, advance(PostureState(), failures, int(time.time())))
    shown = await command("posture", "--json")
    await stop(guard)

    assert json.loads(shown.out)["doors"]["POST /login"]["posture"] == "attack"


async def test_the_estimate_of_each_door_is_shown(
    redis_server: RedisServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_with(monkeypatch, store=redis_url, step_up="attack")
    at_s = int(time.time())
    tags = [at.to_bytes(4, "little") for at in range(80)]
    failures = [StrangerOutcome("POST /login", ToldOutcome.FAILED, tag, 4, tag) for tag in tags]
    signed = PostureMac([SECRET], "sekisho").sign(encode_state(advance(PostureState(), failures, at_s)))
    redis_server.cli("HSET", "sekisho:{posture}state", "number", "1", "text", signed.decode())

    shown = await command("posture")
    listed = await command("posture", "--json")

    assert "POST /login: attack since 2" in shown.out
    assert "about 80 hostile attempts in the last hour" in shown.out
    door = json.loads(listed.out)["doors"]["POST /login"]
    assert (door["posture"], door["hostile"], door["raised_networks"]) == ("attack", 80, 0)


@pytest.mark.parametrize(
    "line",
    [
        ["set"],
        ["calm"],
        ["set", "panic"],
        ["set", "calm", "--for", "25h"],
        ["set", "attack", "--for", "8d"],
        ["reset", "--for", "1h"],
        ["--because", "x"],
    ],
)
def test_a_wrong_line_changes_nothing(line: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A forced calm is at most a day long."""
    serve_with(monkeypatch, store="redis://127.0.0.1:1/0")
    assert run("posture", *line).code == 2


def test_a_record_holds_a_posture_in_32_characters() -> None:
    """Workers of earlier versions keep the record's posture as it is, and refuse a longer one."""
    assert posture_text(Posture.ELEVATED, 4_000_000_000) == "elevated 4000000000"
