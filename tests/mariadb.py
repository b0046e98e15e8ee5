"""A private MariaDB: found or installed, never skipped or shared; on loopback, with a password."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Self

import pymysql  # type: ignore[import-untyped] # it brings no types

from tests.servers import DatabaseServer, on_path_or_from_apt

# Written at each commit, as a killed server would lose acknowledged data; never flushed.
_FAST = (
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-buffer-pool-size=16M",
    "--innodb-flush-method=nosync",
    "--skip-innodb-doublewrite",
    "--sync-frm=0",
    "--skip-name-resolve",
)
_PEM = Path(__file__).with_name("loopback.pem")

PASSWORD = "hunter2:sécret"
PASSWORD_IN_URL = "hunter2%3As%C3%A9cret"


class MariaServer(DatabaseServer):
    """Its socket's users are its root. `sekisho` may do all but grant rights, with a password, from loopback.

    Speaks TLS on request, for `127.0.0.1` and `localhost`.
    """

    start_seconds_max = 60.0

    def __init__(self) -> None:
        super().__init__("maria")
        self._server, self._installer = find_mariadb()
        # It refuses to run as root.
        self._user = "mysql" if os.geteuid() == 0 else None

    def __enter__(self) -> Self:
        super().__enter__()
        self.execute(
            f"create user sekisho@127.0.0.1 identified by '{PASSWORD}'", "grant all on *.* to sekisho@127.0.0.1"
        )
        return self

    @property
    def socket(self) -> Path:
        return self._folder / "socket"

    @property
    def certificate(self) -> Path:
        """Its certificate, and the authority for it."""
        return _PEM

    def url(self, database: str) -> str:
        return f"mysql://sekisho:{PASSWORD_IN_URL}@127.0.0.1:{self._port}/{database}"

    def connect(self) -> pymysql.Connection:
        """As root."""
        return pymysql.connect(unix_socket=str(self.socket), user="root", charset="utf8mb4")

    def execute(self, *statements: str, database: str = "mysql") -> list[tuple[object, ...]]:
        """As root, on a separate connection. Returns the last one's rows, bytes as text."""
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            connection.select_db(database)
            for statement in statements:
                cursor.execute(statement)
            connection.commit()
            return [tuple(one.decode() if isinstance(one, bytes) else one for one in row) for row in cursor.fetchall()]

    def _install(self) -> None:
        pem = self._folder / _PEM.name
        shutil.copy(_PEM, pem)
        if self._user:
            for path in (self._folder, pem):
                shutil.chown(path, self._user)
        command = [self._installer, "--no-defaults", f"--datadir={self._data}", "--skip-test-db"]
        command += ["--auth-root-authentication-method=normal", *([f"--user={self._user}"] if self._user else [])]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._folder)

    def _launch(self) -> subprocess.Popen[bytes]:
        command = [self._server, "--no-defaults", f"--datadir={self._data}", f"--socket={self.socket}", *_FAST]
        command += [f"--port={self._port}", "--bind-address=127.0.0.1"]
        command += [f"--ssl-cert={self._folder / _PEM.name}", f"--ssl-key={self._folder / _PEM.name}"]
        # Not /tmp: a server that starts removes every `#sql…` file there, those of running servers too.
        command += [f"--tmpdir={self._folder}"]
        command += [f"--user={self._user}"] if self._user else []
        with self._log.open("ab") as file:
            return subprocess.Popen(command, cwd=self._folder, stdout=file, stderr=file)

    def _is_ready(self) -> bool:
        # Asked without the client library, which leaves a socket open after a refusal.
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(self.socket))
            return True

    def _end(self) -> None:
        self._signal(signal.SIGKILL)


def find_mariadb() -> tuple[str, str]:
    """`mariadbd` and `mariadb-install-db`: on PATH, or from Debian's package (as root)."""
    return on_path_or_from_apt("MariaDB", "mariadb-server", _on_path)


def _on_path() -> tuple[str, str] | None:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    server, install = (shutil.which(name, path=path) for name in ("mariadbd", "mariadb-install-db"))
    return (server, install) if server and install else None
