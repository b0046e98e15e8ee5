"""A PgBouncer in transaction mode before a PostgreSQL: each transaction may get another connection."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.owners.postgres import PASSWORD
from tests.servers import free_port, on_path_or_from_apt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.owners.postgres import PostgresServer

_START_SECONDS_MAX = 60.0
_CONNECTIONS = 3  # to the server, fewer than the clients': they change hands


@contextmanager
def pgbouncer(server: PostgresServer) -> Iterator[int]:
    """The port that it listens on."""
    folder = Path(tempfile.mkdtemp(prefix="sekisho-pgbouncer-"))
    port = free_port()
    (folder / "users").write_text(f'"sekisho" "{PASSWORD}"\n')
    (folder / "ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.port} user=sekisho password={PASSWORD}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = plain\nauth_file = {folder / 'users'}\npool_mode = transaction\n"
        f"default_pool_size = {_CONNECTIONS}\nserver_round_robin = 1\n"
        f"logfile = {folder / 'log'}\n"
    )
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    if user:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, user)
    process = subprocess.Popen(
        [find_pgbouncer(), str(folder / "ini")],
        user=user,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS_MAX
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise RuntimeError("PgBouncer did not start")


def find_pgbouncer() -> str:
    """The one on PATH, or Debian's package (as root)."""
    return on_path_or_from_apt("PgBouncer", "pgbouncer", _on_path)


def _on_path() -> str | None:
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
