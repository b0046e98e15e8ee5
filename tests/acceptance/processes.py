"""Services as processes with an environment, as operators run them; they end with the test."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, AnyStr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

START_SECONDS_MAX = 20
SECRET = secrets.token_urlsafe(48)


def environment(**settings: str) -> dict[str, str]:
    """This process's environment with these settings of ours alone."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SEKISHO_")}
    given = {f"SEKISHO_{name.upper()}": value for name, value in settings.items()}
    ours = {} if "secret_file" in settings else {"SEKISHO_SECRET": SECRET}
    return {**inherited, **ours, **given}


@contextmanager
def ended(process: subprocess.Popen[AnyStr]) -> Iterator[subprocess.Popen[AnyStr]]:
    """End a process with its test: left by a test that failed, it would fail the one under which it is collected."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def service_at(listening: int) -> list[str]:
    """The command line of `service` on a listening file descriptor."""
    return [sys.executable, "-m", "tests.acceptance.service", str(listening)]


@contextmanager
def worker(**settings: str) -> Iterator[str]:
    """One worker process of `service`; gives its URL once it answers."""
    with serving(service_at, settings) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def serving(
    command: Callable[[int], list[str]], settings: Mapping[str, str], folder: Path | None = None
) -> Iterator[int]:
    """A server's process; gives its port once it answers. See `served`."""
    with served(command, settings, folder) as (port, _):
        yield port


@contextmanager
def served(
    command: Callable[[int], list[str]], settings: Mapping[str, str], folder: Path | None = None
) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A server's process on a port of 127.0.0.1; gives the port once it answers, and the process.

    Args:
        command: makes its command line, with the file descriptor on which it listens.
        settings: of ours, by lower-case name.
        folder: its working directory; None for this process's.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            command(listener.fileno()),
            env=environment(**settings),
            cwd=folder,
            pass_fds=[listener.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    with ended(process):
        wait_for(port, process)
        yield port, process


def wait_for(port: int, process: subprocess.Popen[str]) -> None:
    """Wait until the service at a port answers. Raises `RuntimeError` with its output if it did not start."""
    deadline = time.monotonic() + START_SECONDS_MAX
    # The port is open from the start; an answer comes when the service has started.
    with socket.create_connection(("127.0.0.1", port), START_SECONDS_MAX) as connection:
        connection.settimeout(max(0.1, deadline - time.monotonic()))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
        started = connection.recv(12)
    if started != b"HTTP/1.1 200":
        process.kill()
        raise RuntimeError(f"the service did not start: {process.communicate()[1]}")
