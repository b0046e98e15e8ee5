"""`sekisho mode` switches every worker, and says who has switched."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from sekisho.control import ControlMac, StoredControl
from sekisho.model import Mode, StoreUnavailable
from sekisho.record import replay
from tests.asgi.driving import OPEN, Shop, guarded, log_in
from tests.cli.operating import command, run, serve_with, stop
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.wiring import LoginGuard
    from tests.servers import RedisServer


def mode(guard: LoginGuard) -> Mode:
    assert guard._loops is not None
    return guard._loops.process.mode


@pytest.mark.parametrize("kind", ["redis_url", "redis_cluster_url"])
async def test_a_mode_reaches_every_worker_and_is_an_event_of_each(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Both workers of a Redis or a Cluster follow; their events name the operator and the reason."""
    serve_with(monkeypatch, store=request.getfixturevalue(kind))
    paths = [tmp_path / "first", tmp_path / "second"]
    guards = [guarded(Shop(), store=None, workers=2, events_file=str(path), **OPEN) for path in paths]
    for guard in guards:
        await log_in(guard)

    switched = await command("mode", "monitor", "--because", "a trial")
    await until(lambda: [mode(guard) for guard in guards] == [Mode.MONITOR] * 2)
    shown = await command("mode", "--json")
    ended = await command("mode", "--reset")
    await until(lambda: [mode(guard) for guard in guards] == [Mode.ENFORCE] * 2)
    await stop(*guards)

    assert (switched.code, ended.code) == (0, 0)
    assert switched.out.startswith("monitor, by ")
    assert ended.out.startswith("enforce, as SEKISHO_MODE says")
    found = json.loads(shown.out)
    assert "(uid " in found.pop("by")
    assert found.pop("at") > 1_700_000_000
    assert found == {
        "mode": "monitor", "from": "command", "setting": "enforce", "why": "a trial", "earlier_workers": "monitor"
    }  # fmt: skip
    for path in paths:
        with path.open("rb") as file:
            events = [event for event in replay(file) if event.kind == "commanded"]
        assert [(event.command, event.mode, event.text) for event in events] == [
            ("mode", "monitor", "a trial"), ("mode", "", "")
        ]  # fmt: skip
        assert all("(uid " in event.by for event in events)


async def test_with_memory_it_goes_through_the_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One process without a store is switched at once."""
    serve_with(monkeypatch, control_socket=str(tmp_path / "control"))
    guard = guarded(Shop(), **OPEN)
    await log_in(guard)
    await until((tmp_path / "control").exists)

    said = await command("mode", "off")
    found = mode(guard)
    await stop(guard)

    assert (said.code, found) == (0, Mode.OFF)


async def test_workers_of_earlier_versions_are_told_by_their_key(
    redis_server: RedisServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their key is set and removed by the command; workers of this version do not obey it."""
    serve_with(monkeypatch, store=redis_url)
    guard = guarded(Shop(), store=None, workers=1, **OPEN)
    await log_in(guard)

    await command("mode", "monitor")
    key = redis_server.cli("GET", "sekisho:{exchange}mode")
    await command("mode", "--reset")
    gone = redis_server.cli("GET", "sekisho:{exchange}mode")
    redis_server.cli("SET", "sekisho:{exchange}mode", "off")
    said = await command("mode")
    assert guard._loops is not None
    await until(lambda: guard._loops.control.record.number > 0)  # type: ignore[union-attr]
    await stop(guard)

    assert (key, gone, mode(guard)) == ("monitor", None, Mode.ENFORCE)
    assert "workers of earlier versions: off" in said.out
    assert "not signed; workers of this version ignore it" in said.out


async def test_a_forged_record_is_replaced(
    redis_server: RedisServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that another secret signed is not shown as the mode, and does not hinder the command."""
    serve_with(monkeypatch, store=redis_url)
    forged = ControlMac([b"guess" * 9], "sekisho").sign(b'{"v":1,"number":9,"mode":"off"}').decode()
    redis_server.cli("SET", "sekisho:{control}", forged)

    shown = await command("mode", "--json")
    switched = await command("mode", "monitor")

    assert json.loads(shown.out)["mode"] == "enforce"
    assert switched.code == 0


def test_a_service_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a way to the service nothing is pretended."""
    serve_with(monkeypatch)
    without = run("mode")
    monkeypatch.setenv("SEKISHO_STORE", "memory://")
    named = run("mode")
    serve_with(monkeypatch, control_socket=str(tmp_path / "gone"))
    gone = run("mode", "off")

    assert (without.code, gone.code) == (1, 1)
    assert "SEKISHO_STORE is not set here: run this with the environment of the service" in without.err
    assert "needs SEKISHO_CONTROL_SOCKET" in named.err
    assert "does not answer" in gone.err


def test_a_store_that_does_not_answer_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A lost store gives exit code 1 and no traceback; the log says why, and the command that it changed nothing."""
    serve_with(monkeypatch, store="redis://127.0.0.1:1/0")

    said = run("mode", "off")

    assert (said.code, said.out) == (1, "")
    assert said.err == "sekisho mode: SEKISHO_STORE cannot be used, for the reason above; nothing was done\n"
    assert [record.getMessage() for record in caplog.records] == [
        "the store does not answer: ConnectionRefusedError: nothing listens at the host and port of SEKISHO_STORE"
    ]


async def test_a_store_that_is_lost_at_the_change_is_said(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has answered once, so the change may have reached it."""
    serve_with(monkeypatch, store=redis_url)

    async def lost(*_: object) -> bool:
        raise StoreUnavailable

    monkeypatch.setattr(StoredControl, "swap", lost)
    said = await command("mode", "off")

    told = "sekisho mode: SEKISHO_STORE does not answer (`sekisho doctor` looks for the reason)"
    assert said.err == f"{told}; a change may or may not be done\n"


@pytest.mark.parametrize(
    "line",
    ["mode", "deny", "look address 203.0.113.7", "audit read", "feed json", "owners rewrap", "check --url http://a"],
)
def test_a_command_without_the_services_environment_says_so(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell without the service's variables: a new secret, which the start asks for, would be the next mistake."""
    for name in [name for name in os.environ if name.startswith("SEKISHO_")]:
        monkeypatch.delenv(name)

    said = run(*line.split())

    assert (said.code, said.out) == (2 if line.startswith("check") else 1, "")
    assert "SEKISHO_SECRET: is not set here. Run this with the environment of the service" in said.err
    assert "Make one" not in said.err


@pytest.mark.parametrize(
    "line",
    [
        ["mode", "hunter2"],
        ["mode", "off", "--reset"],
        ["mode", "--because", "no mode"],
        ["mode", "off", "--because", "a forged\nline"],
        ["mode", "off", "--because", "x" * 201],
    ],
)
def test_a_wrong_line_is_refused(line: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong line has exit code 2, and is not repeated."""
    serve_with(monkeypatch)
    said = run(*line)

    assert said.code == 2
    assert "hunter2" not in said.err


async def test_months_later_it_says_who_switched_and_who_denied(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A record has room for sixteen acts; a support desk has unblocked more since."""
    serve_with(monkeypatch, store=redis_url)
    await command("mode", "off", "--because", "refused owners")
    await command("deny", "203.0.113.0/24", "--because", "ticket 17")
    for number in range(17):
        await command("unblock", "address", f"198.51.100.{number}")

    guard = guarded(Shop(), store=None, workers=1, **OPEN)
    await log_in(guard)
    await until(lambda: mode(guard) is Mode.OFF)
    shown, denied, looked = (
        await command("mode"),
        await command("deny"),
        await command("look", "address", "203.0.113.7"),
    )
    await stop(guard)

    assert "(uid " in shown.out
    assert shown.out.splitlines()[0].endswith(": refused owners")
    assert "ticket 17" in denied.out
    assert "ticket 17" in looked.out
    said = "mode is now off, by an operator's command: `sekisho mode` says whose, and why [SEK003]"
    assert said in caplog.messages
