"""A store that answers and refuses (its user lacks a right, it is full) is an error that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.asgi.driving import OPEN, Shop, guarded, log_in
from tests.cli.operating import command, run, serve_with, stop
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import RedisServer

PASSWORD = "a-password-of-the-store"
RIGHTS = "its ACL forbids its user what sekisho needs: see the rights in docs/production.md [SEK034]"


@pytest.fixture
def weak(redis_server: RedisServer, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The service's environment, with a user of the store who may only connect and read."""
    redis_server.cli("ACL", "SETUSER", "weak", "on", f">{PASSWORD}", "~*", "+ping", "+get", "+select")
    serve_with(monkeypatch, store=redis_url.replace("//", f"//weak:{PASSWORD}@"), feed="on")
    yield
    redis_server.cli("ACL", "DELUSER", "weak")


@pytest.mark.parametrize(
    "line",
    [
        "mode monitor", "mode --reset", "posture", "posture reset", "posture set attack", "deny 203.0.113.7",
        "allow 203.0.113.7", "look account hana", "look address 203.0.113.7", "unblock account hana",
        "unblock address 203.0.113.7", "takeover hana", "takeover hana --undo", "export hana", "forget hana --yes",
        "audit read", "feed json --dry-run",
    ],
)  # fmt: skip
@pytest.mark.parametrize("json", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.usefixtures("weak")
def test_a_missing_right_is_named(line: str, json: tuple[str, ...]) -> None:
    """Each command that reaches the store fails with the remedy, without a traceback and without the password."""
    said = run(*line.split(), *json)

    assert (said.code, said.out) == (1, "")
    assert said.err.endswith(f"SEKISHO_STORE refuses to work: NOPERM: {RIGHTS}\n")
    assert PASSWORD not in said.err


def test_a_store_without_that_database_is_named(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A number of a database that Redis does not have is no riddle."""
    serve_with(monkeypatch, store=redis_url.rpartition("/")[0] + "/99")

    assert run("mode").code == 1
    assert "it has no database of this number: SEKISHO_STORE ends in it, as in /0" in caplog.text


def test_another_secret_is_noticed(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands under a secret that is not the service's reach no worker: they say so, reading and changing."""
    serve_with(monkeypatch, store=redis_url)
    run("deny", "203.0.113.7")
    monkeypatch.setenv("SEKISHO_SECRET", "another secret of at least thirty-two bytes")

    read, changed = run("deny"), run("deny", "203.0.113.8")

    notice = "the store holds a control record that this SEKISHO_SECRET has not signed"
    assert [said.err.count(notice) for said in (read, changed)] == [1, 1]


async def test_settings_of_another_service_are_noticed(
    redis_server: RedisServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any control record, and after the service has stopped: a command names the setting that is wrong."""
    serve_with(monkeypatch, store=redis_url)
    guard = guarded(Shop(), store=None, workers=None, **OPEN)
    await log_in(guard)
    await until(lambda: redis_server.cli("EXISTS", "sekisho:{control}service") == 1)
    await stop(guard)
    redis_server.cli("DEL", "sekisho:{exchange}workers")
    lines = (
        "deny", "allow", "mode", "posture", "look address 203.0.113.7", "look account hana", "audit read",
        "export hana", "report --blast-radius --undo",
    )  # fmt: skip
    monkeypatch.setenv("SEKISHO_AUDIT", "redis")
    right = [(await command(*line.split())).err for line in lines]
    monkeypatch.setenv("SEKISHO_NAMESPACE", "another")
    elsewhere = [(await command(*line.split())).err for line in lines]
    redis_server.cli("ZADD", "another:{exchange}workers", 1, "of the last version")
    earlier = [(await command(*line.split())).err for line in lines]
    monkeypatch.setenv("SEKISHO_NAMESPACE", "sekisho")
    monkeypatch.setenv("SEKISHO_SECRET", "another secret of at least thirty-two bytes")
    foreign = [(await command(*line.split())).err for line in lines]

    assert right == earlier == [""] * len(lines)
    namespace = "no service has run at this SEKISHO_STORE under SEKISHO_NAMESPACE=another: set SEKISHO_NAMESPACE to "
    assert elsewhere == [f"{namespace}that of the service, which is among: sekisho\n"] * len(lines)
    secret = "the service at this SEKISHO_STORE and SEKISHO_NAMESPACE has another secret, and no worker believes this "
    undoing = "sekisho report: nothing was done: under this SEKISHO_SECRET no worker would follow\n"
    said = [f"{secret}command: set SEKISHO_SECRET to that of the service\n"] * len(lines)
    assert foreign == [*said[:-1], said[-1] + undoing]


@pytest.mark.parametrize(
    "line",
    [
        "deny 203.0.113.7", "deny 198.51.100.1 --remove", "allow 203.0.113.7", "mode off", "mode --reset",
        "posture set attack", "posture reset", "takeover hana", "takeover hana --undo", "unblock account hana",
        "forget hana --yes", "report --blast-radius --undo",
    ],
)  # fmt: skip
async def test_nothing_is_changed_under_another_secret(
    line: str, redis_server: RedisServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker would follow, and what operators had set would be lost: the command fails instead of promising it."""
    serve_with(monkeypatch, store=redis_url)
    guard = guarded(Shop(), store=None, workers=None, **OPEN)
    await log_in(guard)
    await until(lambda: redis_server.cli("EXISTS", "sekisho:{control}service") == 1)
    await command("deny", "198.51.100.1")
    before = redis_server.cli("GET", "sekisho:{control}")
    monkeypatch.setenv("SEKISHO_SECRET", "another secret of at least thirty-two bytes")
    refused = await command(*line.split())
    await stop(guard)

    assert (refused.code, refused.out) == (1, "")
    assert "nothing was done: under this SEKISHO_SECRET no worker would follow" in refused.err
    assert redis_server.cli("GET", "sekisho:{control}") == before


@pytest.mark.parametrize("line", ["deny 203.0.113.7", "mode monitor", "takeover hana", "unblock account hana"])
async def test_a_change_that_no_worker_hears_is_noticed(
    line: str, redis_server: RedisServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the namespace of no service a change is kept, and the command says that nobody follows."""
    serve_with(monkeypatch, store=redis_url)
    guard = guarded(Shop(), store=None, workers=None, **OPEN)
    await log_in(guard)
    await until(lambda: redis_server.cli("ZCARD", "sekisho:{exchange}workers") == 1)
    heard = await command(*line.split())
    monkeypatch.setenv("SEKISHO_NAMESPACE", "another")
    unheard = await command(*line.split())
    await stop(guard)

    assert (heard.code, unheard.code) == (0, 0)
    assert (heard.err.count("no worker was heard"), unheard.err.count("no worker was heard")) == (0, 1)
