"""A guarded service seen from outside: right and wrong passwords, a known device, a step-up."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import httpx

from tests.asgi.driving import address
from tests.real.client import Client
from tests.real.serve import L, code
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.real.catalogue import Service

ROOT = Path(__file__).parent.parent.parent
START_S = 60.0
DEVICE = "__Host-sekisho"


class Seen(NamedTuple):
    """Attributes:
    right: statuses of strangers with the right password, twice as many as the limit, each from elsewhere.
    known: whether each of them got a device token.
    wrong: statuses of wrong passwords until beyond the limit.
    device: status of the known device after that.
    asked: status of a stranger with the right password, with factors.
    released: status after the proof.
    kept: status after the same proof for a wrong password.
    learned: the guard's count of successes, by evidence.
    """

    right: list[int]
    known: list[bool]
    wrong: list[int]
    device: int
    asked: int
    released: int
    kept: int
    learned: dict[str, int]


@contextmanager
def served(module: str, said: set[str] | None = None) -> Iterator[str]:
    """A real uvicorn with a module's services behind their guards; gives its address.

    `said`: gets the numbers of all warnings in its log, once it has ended.
    """
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with tempfile.TemporaryFile() as log:
        command = [sys.executable, "-m", "tests.real.serve", module, str(port)]
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            _wait(server, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(10)
            if said is not None:
                log.seek(0)
                said |= set(re.findall(r"\[(SEK\d{3})\]", log.read().decode(errors="replace")))


def _wait(server: subprocess.Popen[bytes], port: int, log: IO[bytes]) -> None:
    """Wait until it listens. Raises `RuntimeError` with its log if it does not."""
    until = time.monotonic() + START_S
    while time.monotonic() < until and server.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    log.seek(0)
    raise RuntimeError(f"the service does not listen; its log:\n{log.read().decode(errors='replace')}")


async def tried(url: str, service: Service) -> Seen:
    """One service, from the first log-in to the last."""
    account, password = service.owner
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:

        def client(n: int, how: str) -> Client:
            return Client(http, service, address(n), f"{service.file}/{how}")

        owners = [client(n, "rule") for n in range(2 * L)]
        right = [(await owner.log_in(account, password)).status_code for owner in owners]
        guesses = [client(100 + n, "rule") for n in range(L + 2)]
        wrong = [(await guess.log_in(account, f"guess {n}")).status_code for n, guess in enumerate(guesses)]
        owner = owners[0]
        owner.jar = {DEVICE: owner.jar[DEVICE]} if DEVICE in owner.jar else {}
        device = (await owner.log_in(account, password)).status_code

        stranger, thief = client(1, "step"), client(2, "step")
        asked = await stranger.log_in(account, password)
        released = await stranger.prove(asked.json()["challenge"], code(-1))
        kept = await thief.prove((await thief.log_in(account, "a guess")).json()["challenge"], code())
        counts: dict[str, int] = (await owner.ask("GET", "/learned")).json()
    learned = {what: n for what, n in counts.items() if what.startswith(("success_by", "unjudged"))}
    return Seen(
        right, [DEVICE in one.jar for one in owners], wrong, device,
        asked.status_code, released.status_code, kept.status_code, learned,
    )  # fmt: skip
