"""A MariaDB of our own: found or installed, never skipped, never borrowed; on a socket in a folder of its own."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import pymysql  # type: ignore[import-untyped] # it brings no types

from tests.servers import _alone, _apt_get

_START_SECONDS_MAX = 30.0
_FAST = ("--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M", "--skip-grant-tables")


class MariaServer:
    """Ends with the `with` block, files and all. Anybody who can open its socket is its root."""

    def __init__(self) -> None:
        self._server, self._install = find_mariadb()
        # It refuses to work as root.
        self._user = "mysql" if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="sekisho-maria-"))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        atexit.register(self.stop)
        if self._user:
            shutil.chown(self._folder, self._user)
        command = [self._install, "--no-defaults", f"--datadir={self._data}", "--skip-test-db"]
        command += [f"--user={self._user}"] if self._user else []
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._folder)
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(_START_SECONDS_MAX)
            self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)
        atexit.unregister(self.stop)

    def connect(self) -> pymysql.Connection:
        return pymysql.connect(unix_socket=str(self._socket), user="root", charset="utf8mb4")

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _socket(self) -> Path:
        return self._folder / "socket"

    def _start(self) -> None:
        command = [self._server, "--no-defaults", f"--datadir={self._data}", f"--socket={self._socket}"]
        command += ["--skip-networking", *_FAST]
        command += [f"--user={self._user}"] if self._user else []
        log = self._folder / "log"
        with log.open("ab") as file:
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=file, stderr=file)
        deadline = time.monotonic() + _START_SECONDS_MAX
        while self._process.poll() is None and time.monotonic() < deadline:
            # Asked without the client library, which leaves a socket open when it is refused.
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(self._socket))
                return
            time.sleep(0.02)
        raise RuntimeError(f"{self._server} did not start; its log:\n{log.read_text()}")


def find_mariadb() -> tuple[str, str]:
    """`mariadbd` and `mariadb-install-db`: on PATH, or from Debian's package (as root)."""
    return _on_path() or _from_apt() or _missing()


def _on_path() -> tuple[str, str] | None:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    server, install = (shutil.which(name, path=path) for name in ("mariadbd", "mariadb-install-db"))
    return (server, install) if server and install else None


def _from_apt() -> tuple[str, str] | None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    with _alone("sekisho-apt"):
        # Whoever held the lock before us may just have installed it.
        if not _on_path():
            _apt_get("update")
            _apt_get("install", "--yes", "--no-install-recommends", "mariadb-server")
        return _on_path()


def _missing() -> tuple[str, str]:
    raise RuntimeError("no MariaDB, and apt-get could not install it (or we are not root): install `mariadb-server`")
