"""The service under attack: a process of its own, on a free port of 127.0.0.1, ended with the simulation."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sekisho.model import SekishoError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Self

    from sekisho.simulate.population import Population

DATABASE = "shop.sqlite3"
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 5

# A cheap profile: one pass over 256 KiB. For demonstrations only: thousands of owners are added per second, and an
# attack of minutes represents one of days. The service's own default is OWASP's minimum.
CHEAP_ARGON2 = "1,256,1"


class SimulationError(SekishoError):
    """The simulation could not be set up; the text says what to do."""


class Meter(NamedTuple):
    """The service's own counts since its start."""

    password_checks: int
    cpu_seconds: float


def examples() -> Path:
    """The folder of the example services. Raises `SimulationError` outside a checkout."""
    found = Path(__file__).resolve().parents[3] / "examples"
    if not (found / "starlette_service").is_dir():
        raise SimulationError("the example services are not installed; run this from a checkout of sekisho")
    return found


def environment(directory: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a service process: this process's without its `SEKISHO_…`, with `extra` added."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("SEKISHO_")}
    return inherited | {
        "PYTHONPATH": str(examples()),
        "SHOP_DATABASE": str(directory / DATABASE),
        "SHOP_ARGON2": CHEAP_ARGON2,
        **extra,
    }


async def add_owners(population: Population, directory: Path) -> None:
    """Add an account for each owner to the service's database. Raises `SimulationError` if that fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "starlette_service.add_members",
        stdin=asyncio.subprocess.PIPE,
        env=environment(directory, {}),
        start_new_session=True,
    )
    try:
        await process.communicate(b"".join(_lines(population)))
    finally:
        await _end(process)
    if process.returncode:
        raise SimulationError("the service could not add its members")


def _lines(population: Population) -> Iterable[bytes]:
    for owner in range(population.owners):
        yield f"{population.account(owner)}\t{population.password(owner)}\n".encode()


class ExampleService:
    """The example service `factory` (`module:name` below `examples/`) on `directory`'s database; a context manager.

    Attributes:
        directory: of its files.
        port: on 127.0.0.1; connections are accepted, and wait, from the start.
    """

    def __init__(self, factory: str, directory: Path, settings: Mapping[str, str]) -> None:
        self._factory = factory
        self.directory = directory
        self._settings = settings
        self._log = directory / f"{factory.partition(':')[0]}.log"
        self._process: asyncio.subprocess.Process | None = None
        self._line: socket.socket | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        # Bound here and inherited: a port that was only probed could be taken by another process meanwhile.
        self._line, far_end = socket.socketpair()
        self._line.setblocking(False)
        try:
            with far_end, socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
                self.port = listener.getsockname()[1]
                self._process = await self._start(listener.fileno(), far_end.fileno())
            await self._ready()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def _stop(self) -> None:
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            await _end(self._process)

    async def _start(self, listener: int, line: int) -> asyncio.subprocess.Process:
        with self._log.open("wb") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "sekisho.simulate.serve",
                self._factory,
                str(listener),
                str(line),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(listener, line),
                env=environment(self.directory, self._settings),
                start_new_session=True,
            )

    async def _ready(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS_MAX):
                while self._process is not None and self._process.returncode is None:
                    if await self._greets():
                        return
                    await asyncio.sleep(0.05)
        raise SimulationError(f"the service did not start. It wrote:\n{self._wrote()}")

    def _wrote(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:].strip() or "(nothing)"

    async def _greets(self) -> bool:
        # A guard with wrong settings starts and answers 503: only 200 counts as ready.
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                writer.write(b"GET /login HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
                return (await reader.read(12)).endswith(b" 200")
            finally:
                writer.close()
        return False

    async def read_meter(self) -> Meter:
        """Return the service's own counts, past application and guard. Raises `SimulationError` if it has died."""
        loop = asyncio.get_running_loop()
        with suppress(OSError, ValueError):
            if self._line is not None:
                await loop.sock_sendall(self._line, b"?\n")
                return Meter(**json.loads(await loop.sock_recv(self._line, 4096)))
        raise SimulationError(f"the service died. It wrote:\n{self._wrote()}")


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the process by SIGTERM, then SIGKILL. The whole group: a remaining worker would keep the port."""
    for ask in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, ask)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS_MAX):
                await process.wait()
