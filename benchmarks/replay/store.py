"""The Redis of a replay: it outlives the process that started it, and its records wait while nothing runs.

Records expire by Redis's own clock, which does not stop when a replay does. So before an orderly stop every record's
remaining life is stored, and the whole is dumped; a continued replay restores both. After a disorderly end Redis runs
on, and records that expire before the replay continues are forgotten, as in a service that stood still for as long.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import redis

from tests.servers import cpu_seconds, find_redis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_SECONDS_MAX = 300.0  # a dump of gigabytes takes a while to load
SAVE_SECONDS_MAX = 600.0
PAGE = 1_000
ICE_MS = 10 * 365 * 86_400_000

_SHIFT = """
for _, key in ipairs(KEYS) do
  local left = redis.call('PTTL', key)
  if left >= 0 then redis.call('PEXPIRE', key, left + ARGV[1]) end
end
"""


class KeptRedis:
    """A private Redis on a unix socket in `folder`. Start it, find it again, or start it from its dump."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "redis.sock"
        self._pid = 0
        self._process: subprocess.Popen[bytes] | None = None  # where it was started here, and not found

    @property
    def url(self) -> str:
        return f"redis+unix://{self._socket}"

    @property
    def pid(self) -> int:
        return self._pid

    @property
    def dump(self) -> Path:
        return self._folder / "dump.rdb"

    def is_running(self) -> bool:
        """Whether one still runs here."""
        try:
            self._pid = int(self.info("server")["process_id"])
        except redis.RedisError:
            return False
        return True

    def start(self) -> None:
        """From the dump, where there is one. In a session of its own: what ends a terminal's programs ends others."""
        settings = {"port": "0", "unixsocket": str(self._socket), "dir": str(self._folder), "save": "",
                    "appendonly": "no", "loglevel": "warning"}  # fmt: skip
        words = [word for name, value in settings.items() for word in (f"--{name}", value)]
        with (self._folder / "redis.log").open("wb") as log:
            self._process = subprocess.Popen([find_redis(), *words], stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS_MAX
        while self._process.poll() is None and time.monotonic() < deadline:
            if self.is_running() and self._loaded():
                return
            time.sleep(0.02)
        raise RuntimeError(f"redis-server did not start; see {self._folder / 'redis.log'}")

    def _loaded(self) -> bool:
        return not self.info("persistence")["loading"]

    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self._socket), socket_timeout=SAVE_SECONDS_MAX)

    def info(self, section: str) -> dict[str, Any]:
        with self.client() as client:
            found: dict[str, Any] = client.info(section)
            return found

    def sample(self) -> dict[str, float]:
        """What it holds and has spent: bytes by its own count and by the kernel's, keys, seconds on a core."""
        memory, keys, script = self.info("memory"), self.info("keyspace"), self.info("commandstats")
        calls = script.get("cmdstat_evalsha", {"calls": 0, "usec": 0, "failed_calls": 0})
        return {
            "used_bytes": memory["used_memory"],
            "rss_bytes": memory["used_memory_rss"],
            "keys": keys.get("db0", {"keys": 0})["keys"],
            "cpu_seconds": cpu_seconds(self._pid),
            "script_seconds": calls["usec"] / 1e6,
            "calls": calls["calls"],
            "failed_calls": calls["failed_calls"],
        }

    def put_on_ice(self) -> int:
        """Stop the lives of all records, dump, and end. When that was, in Unix milliseconds; for `thaw`."""
        now_ms = time.time_ns() // 1_000_000
        self._shift(ICE_MS)
        with self.client() as client:
            client.save()
        self.stop()
        return now_ms

    def thaw(self, since_ms: int) -> None:
        """Let the lives of all records go on where they stood at `since_ms`."""
        self._shift(time.time_ns() // 1_000_000 - since_ms - ICE_MS)

    def _shift(self, by_ms: int) -> None:
        with self.client() as client:
            script = client.register_script(_SHIFT)
            for keys in _pages(client):
                script(keys=keys, args=[by_ms])

    def stop(self) -> None:
        """End it, without a dump. Harmless where it has ended."""
        if self.is_running():
            os.kill(self._pid, signal.SIGTERM)
            deadline = time.monotonic() + START_SECONDS_MAX
            while self.is_running() and time.monotonic() < deadline:
                time.sleep(0.02)
        if self._process is not None:
            self._process.wait()
        self._pid, self._process = 0, None


def _pages(client: redis.Redis) -> Iterator[list[bytes]]:
    # A key may come twice while the table is resized, and would be shifted twice: so all of them first, each once.
    keys = list(set(client.scan_iter(count=PAGE)))
    for at in range(0, len(keys), PAGE):
        yield keys[at : at + PAGE]
