"""The audit of a guard: by its settings, in a file, on standard output and in Redis; after a worker was killed."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.audit.chain import keys_of
from sekisho.audit.verify import Verifier, verify
from sekisho.testing import SECRET
from tests.asgi.driving import OPEN, Shop, address, guarded, log_in
from tests.cli.operating import command, run, serve_with, stop
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import RedisServer


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def counted(lines: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for line in lines:
        counts[line["kind"], line.get("action", line.get("result", ""))] += line.get("times", 1)
    return counts


async def test_every_attempt_is_in_the_audit(tmp_path: Path) -> None:
    """Who, when, where, what and why: the refusal has its reasons, the outcome its account, and nothing names Hana."""
    path = tmp_path / "audit.jsonl"
    app = guarded(Shop(), audit=f"file:{path}", limit_account="2/hour", **OPEN)
    for secret in ("wrong", "wrong", "wrong", "right"):
        await log_in(app, "hana", secret)
    await stop(app)

    lines = read(path)
    assert counted(lines) == {
        ("audit_opened", ""): 1, ("decided", "allow"): 2, ("settled", "failed"): 2,
        ("decided", "throttle"): 2, ("audit_closed", ""): 1,
    }  # fmt: skip
    refused = next(line for line in lines if line.get("action") == "throttle")
    assert refused["reasons"] == ["account_rate"]
    assert {line["account"] for line in lines if line["kind"] == "settled"} == {refused["account"]}
    assert b"hana" not in path.read_bytes()
    verifier = Verifier(keys_of([SECRET]), {})
    with path.open("rb") as file:
        assert verify(verifier, [("", file)]).problems == []


async def test_a_sprayed_secret_has_one_name_in_the_audit(tmp_path: Path) -> None:
    """From the sixteenth account on, where it was wrong; the account whose password it is does not show it."""
    path = tmp_path / "audit.jsonl"
    app = guarded(Shop({"hana": "123456"}), audit=f"file:{path}", **OPEN)
    for number in range(18):
        await log_in(app, f"owner{number}", "123456", client=address(number))
    await log_in(app, "hana", "123456", client=address(99))
    await log_in(app, "owner1", "another", client=address(98))
    await stop(app)

    settled = [line for line in read(path) if line["kind"] == "settled"]
    assert [("secret" in line) for line in settled] == [False] * 15 + [True] * 3 + [False] * 2
    assert len({line["secret"] for line in settled[15:18]}) == 1
    assert not any("counted" in line for line in read(path))


async def test_without_the_setting_nothing_is_done() -> None:
    """No thread, no queue, no event: an attempt costs its counts."""
    app = guarded(Shop(), **OPEN)
    await log_in(app, "hana", "wrong")

    assert app._loops is not None
    process = app._loops.process
    assert (process.audit, process.writers, process.events._wanted) == (None, [], frozenset())


async def test_what_an_operator_did_is_in_the_audit(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each act is a line of each worker: who, what, whom and why."""
    path = tmp_path / "audit.jsonl"
    serve_with(monkeypatch, store=redis_url)
    app = guarded(Shop(), store=None, audit=f"file:{path}", **OPEN)
    await log_in(app, "hana", "wrong")

    async def act(*line: str) -> None:
        assert (await command(*line, "--because", "a trial")).code == 0
        acts = app.counts["", "command", line[0]]
        await until(lambda: app.counts["", "command", line[0]] > acts or acts > 0)

    await act("mode", "enforce")
    await act("deny", "198.51.100.0/24", "--for", "1h")
    await act("allow", "192.0.2.0/28", "--for", "1h")
    await act("unblock", "account", "hana")
    await stop(app)

    lines = read(path)
    commanded = [line for line in lines if line["kind"] == "commanded"]
    assert [(line["command"], line["text"]) for line in commanded] == [
        (word, "a trial") for word in ("mode", "deny", "allow", "unblock")
    ]
    assert all("(uid " in line["by"] for line in commanded)
    (failed,) = {line["account"] for line in lines if line["kind"] == "settled"}
    assert commanded[3]["account"] == failed


async def test_a_stream_in_redis_is_read_and_verified(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Lines and checkpoints in Redis: the commands print and verify them, and find a line that was removed there."""
    serve_with(monkeypatch, store=redis_url, audit="redis", audit_checkpoints="store")
    app = guarded(Shop(), store=None, audit=None, **OPEN)
    for _ in range(3):
        await log_in(app, "hana", "wrong")
    await stop(app)

    shown = await command("audit", "read")
    lines = [json.loads(line) for line in shown.out.splitlines()]
    assert counted(lines)["settled", "failed"] == 3
    assert lines[-1]["kind"] == "audit_closed"
    path = tmp_path / "stream.jsonl"
    path.write_text(shown.out)
    assert (await command("audit", "verify", str(path))).code == 0
    path.write_text("".join(shown.out.splitlines(keepends=True)[:2] + shown.out.splitlines(keepends=True)[3:]))
    assert (await command("audit", "verify", str(path))).code == 1


async def test_a_full_store_is_not_said_to_be_silent(
    own_redis_server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator who reads that it does not answer looks at the network; the line on the store has the remedy."""
    own_redis_server.cli("CONFIG", "SET", "maxmemory", "1")
    app = guarded(Shop(), store=own_redis_server.url, audit=f"file:{tmp_path}/audit", audit_checkpoints="store", **OPEN)
    await log_in(app, "hana", "wrong")
    await stop(app)

    (told,) = [line for line in caplog.messages if "[SEK024]" in line]
    assert told == (
        "SEKISHO_AUDIT_CHECKPOINTS: no checkpoint of the audit was kept (the store does not work: its own line in the "
        "log says why) [SEK024]"
    )
    assert "the store refuses to work: OOM: it is full: raise its maxmemory" in caplog.text


@pytest.mark.parametrize("cut", [False, True])
async def test_checkpoints_in_redis_tell_of_an_end_that_is_missing(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cut: bool
) -> None:
    """The file is cut on the service's own disk: the store's checkpoints show it."""
    path = tmp_path / "audit.jsonl"
    serve_with(monkeypatch, store=redis_url, audit=f"file:{path}", audit_checkpoints="store")
    app = guarded(Shop(), store=None, **OPEN)
    for _ in range(3):
        await log_in(app, "hana", "wrong")
    await stop(app)
    if cut:
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))

    verified = await command("audit", "verify", str(path))
    assert verified.code == int(cut)
    assert ("and a checkpoint says that it had" in verified.out) is cut


PROGRAM = """
import asyncio, sys
from tests.asgi.driving import OPEN, Shop, guarded, log_in

async def main():
    app = guarded(Shop(), audit=sys.argv[1], store=sys.argv[2], limit_account="100/day", **OPEN)
    for _ in range(40):
        await log_in(app, "hana", "wrong")
    await asyncio.sleep(300)

asyncio.run(main())
"""


def test_a_killed_worker_leaves_a_file_that_is_whole(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines before a SIGKILL are verified and add up to the ledger's; the chain is known not to be closed."""
    path = tmp_path / "audit.jsonl"
    with subprocess.Popen([sys.executable, "-c", PROGRAM, f"file:{path}", redis_url]) as worker:
        deadline = time.monotonic() + 60
        while not path.exists() or counted(read_whole(path))["decided", "allow"] < 40:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        worker.send_signal(signal.SIGKILL)
    serve_with(monkeypatch, store=redis_url, limit_account="100/day")
    looked = run("look", "account", "hana")

    counts = counted(read(path))
    verifier = Verifier(keys_of([SECRET]), {})
    with path.open("rb") as file:
        found = verify(verifier, [("", file)])
    assert found.problems == []
    assert [chain.is_closed for chain in found.chains.values()] == [False]
    assert (counts["decided", "allow"], counts["settled", "failed"]) == (40, 40)
    assert "40 of 100" in looked.out


def read_whole(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"}\n")]


def test_standard_output_has_whole_lines() -> None:
    """A log shipper reads lines of JSON from the service's standard output; the exit closes the chain."""
    program = PROGRAM.replace("await asyncio.sleep(300)", "")
    ran = subprocess.run(
        [sys.executable, "-c", program, "stdout", "memory://"], capture_output=True, timeout=60, check=True
    )

    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert counted(lines)["settled", "failed"] == 40
    assert lines[-1]["kind"] == "audit_closed"


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """The logger of the audit as a program has it that has set none up."""
    logger = logging.getLogger("sekisho.audit")
    yield logger
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


async def test_a_logger_has_whole_lines(logger: logging.Logger) -> None:
    """Handlers of OpenTelemetry and others get every line, at INFO, and the chain is that of a file."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    app = guarded(Shop(), audit="logging", **OPEN)
    await log_in(app)
    await stop(app)

    verifier = Verifier(keys_of([SECRET]), {})
    assert verify(verifier, [("", io.BytesIO("".join(f"{line}\n" for line in lines).encode()))]).problems == []
    kinds = sorted(json.loads(line)["kind"] for line in lines)
    assert kinds == ["audit_closed", "audit_opened", "decided", "settled"]


async def test_a_logger_that_no_handler_takes_is_told_of(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    """Lines must not vanish unnoticed: the events are counted as lost."""
    logger.propagate = False
    app = guarded(Shop(), audit="logging", **OPEN)
    await log_in(app)
    await stop(app)

    assert app.counts["", "events", "unwritable"] == 2
    assert "no handler of the logger sekisho.audit takes INFO" in caplog.text


async def test_a_log_in_goes_on_without_its_audit(tmp_path: Path) -> None:
    """A missing folder breaks no log-in; the lost events are in the counts."""
    app = guarded(Shop(), audit=f"file:{tmp_path}/gone/audit.jsonl", **OPEN)
    answer = await log_in(app)
    await stop(app)
    await asyncio.sleep(0)

    assert answer.status == 303
    assert app.counts["", "events", "unwritable"] == 2
