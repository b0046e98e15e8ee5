"""The control record reaches every worker: through Redis, or through the socket of a single process."""

from __future__ import annotations

import asyncio
import socket
import stat
import struct
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.control import ControlMac, ControlRecord, ListEntry, StoredControl, change, follow
from sekisho.control import sockets as module
from sekisho.control.sockets import ControlServer, SocketControl
from sekisho.model import Mode, SettingsError, StoreUnavailable
from sekisho.record import replay
from sekisho.store.opening import open_to
from sekisho.store.options import LineOptions
from sekisho.store.script import Script
from sekisho.testing import SECRET
from tests.asgi.driving import HERE, OPEN, Shop, guarded, log_in
from tests.cli.operating import command, serve_with
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from sekisho.store import AnyStoreConnection
    from sekisho.wiring import LoginGuard
    from tests.servers import RedisServer

MAC = ControlMac([SECRET], "sekisho")
FAR_S = 4_000_000_000


def to(**changes: Any) -> Callable[[ControlRecord], ControlRecord]:
    return lambda record: replace(record, **changes)


def mode(guard: LoginGuard) -> Mode:
    assert guard._loops is not None
    return guard._loops.process.mode


async def stop(*guards: LoginGuard) -> None:
    for guard in guards:
        assert guard._loops is not None
        await guard._loops.stop()


@pytest.fixture
async def line(redis_url: str) -> AsyncIterator[AnyStoreConnection]:
    line = open_to(redis_url, LineOptions(Script("return ''", (), 1), deadline_us=1_000_000))
    yield line
    await line.aclose()


async def test_a_mode_reaches_two_workers(redis_url: str, line: AnyStoreConnection, tmp_path: Path) -> None:
    """An operator's mode is applied by both workers and is an event of each; the next one switches back."""
    paths = [tmp_path / "first", tmp_path / "second"]
    guards = [guarded(Shop(), store=redis_url, workers=2, events_file=str(path), **OPEN) for path in paths]
    for guard in guards:
        await log_in(guard)
    place = StoredControl(line, "sekisho")

    await change(place, MAC, to(mode=Mode.MONITOR), time.time)
    await until(lambda: [mode(guard) for guard in guards] == [Mode.MONITOR] * 2)
    await change(place, MAC, to(mode=None), time.time)
    await until(lambda: [mode(guard) for guard in guards] == [Mode.ENFORCE] * 2)
    await stop(*guards)

    for path in paths:
        with path.open("rb") as file:
            changes = [event.mode for event in replay(file) if event.kind == "mode_changed"]
        assert changes == ["monitor", "enforce"]


async def test_a_denied_network_is_refused_by_two_workers(redis_url: str, line: AnyStoreConnection) -> None:
    """A network on the deny list is refused beside those of the settings, and again let in when its time has ended."""
    guards = [guarded(Shop(), store=redis_url, workers=2, deny="198.51.100.0/24", **OPEN) for _ in range(2)]
    for guard in guards:
        assert (await log_in(guard, client=HERE)).status == 303
    place = StoredControl(line, "sekisho")

    await change(place, MAC, to(deny=(ListEntry("203.0.113.0/24", FAR_S),)), time.time)
    await until(lambda: all(guard._loops.control.applied.deny for guard in guards))  # type: ignore[union-attr]
    statuses = [(await log_in(guard, client=client)).status for guard in guards for client in (HERE, "198.51.100.1")]
    await change(place, MAC, to(deny=(ListEntry("203.0.113.0/24", 1),)), time.time)
    await until(lambda: not any(guard._loops.control.applied.deny for guard in guards))  # type: ignore[union-attr]
    after = [(await log_in(guard, client=client)).status for guard in guards for client in (HERE, "198.51.100.1")]
    await stop(*guards)

    assert statuses == [403, 403] * 2
    assert after == [303, 403] * 2


async def test_an_allowed_network_is_under_no_address_limit(redis_url: str, line: AnyStoreConnection) -> None:
    """A network on the allow list is free of the address limits."""
    guard = guarded(Shop(), store=redis_url, workers=1, limit_ip="1/hour")
    await log_in(guard, "one", "guess")
    await change(StoredControl(line, "sekisho"), MAC, to(allow=(ListEntry("203.0.113.0/24", FAR_S),)), time.time)
    await until(lambda: bool(guard._loops.control.applied.allow))  # type: ignore[union-attr]
    statuses = [(await log_in(guard, f"owner {n}", "guess")).status for n in range(3)]
    await stop(guard)

    assert statuses == [401] * 3


async def test_a_forged_record_switches_nothing(
    redis_server: RedisServer, redis_url: str, line: AnyStoreConnection, caplog: pytest.LogCaptureFixture
) -> None:
    """An attacker with write access to Redis does not switch the guard off, nor by the record of before."""
    guard = guarded(Shop(), store=redis_url, workers=1, **OPEN)
    await log_in(guard)
    place = StoredControl(line, "sekisho")
    await change(place, MAC, to(mode=Mode.MONITOR), time.time)
    await until(lambda: mode(guard) is Mode.MONITOR)
    before = await place.get()
    assert before is not None
    await change(place, MAC, to(mode=Mode.ENFORCE), time.time)
    await until(lambda: mode(guard) is Mode.ENFORCE)

    redis_server.cli("SET", "sekisho:{control}", ControlMac([b"guess" * 9], "sekisho").sign(b'{"v":1}').decode())
    await until(lambda: "is not signed with SEKISHO_SECRET" in caplog.text)
    redis_server.cli("SET", "sekisho:{control}", before.decode())
    await until(lambda: "it is older than the one" in caplog.text)

    assert mode(guard) is Mode.ENFORCE
    await stop(guard)


async def test_what_operators_set_outlives_the_stores_data(
    own_redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis comes back empty, or with an older record as a late replica has: a worker puts the newest back.

    Without it, commands would show other settings than workers obey, and a worker that starts would not know them.
    """
    serve_with(monkeypatch, store=own_redis_server.url, mode="enforce")
    guard = guarded(Shop(), store=None, workers=1, **OPEN)
    await log_in(guard)
    await command("mode", "off")
    await until(lambda: mode(guard) is Mode.OFF)
    older = own_redis_server.cli("GET", "sekisho:{control}")
    await command("mode", "monitor")
    await until(lambda: mode(guard) is Mode.MONITOR)
    newest = own_redis_server.cli("GET", "sekisho:{control}")

    for loss in (["FLUSHALL"], ["SET", "sekisho:{control}", older]):
        own_redis_server.cli(*loss)
        await until(lambda: own_redis_server.cli("GET", "sekisho:{control}") == newest)
    said = await command("mode")
    await stop(guard)

    assert (mode(guard), said.out.partition(",")[0]) == (Mode.MONITOR, "monitor")


async def test_one_get_a_second() -> None:
    """A worker reads once for each pause, also while the store is gone; with a round trip that is within a second."""
    heard: list[bytes | None] = []
    slept: list[float] = []

    class Place:
        async def get(self) -> bytes | None:
            if len(slept) == 1:
                raise StoreUnavailable
            return b"record"

    class Heard:
        def misses_acts(self, signed: bytes | None) -> bool:
            return False

        def hear(self, signed: bytes | None, earlier: bytes | None = None) -> None:
            heard.append(signed)

        def lost(self, signed: bytes | None) -> bytes | None:
            return None

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await follow(Place(), Heard(), sleep)  # type: ignore[arg-type]

    assert heard == [b"record", None, b"record"]
    assert slept == [0.9, 0.9, 0.9]


# The socket of a single process.


async def test_the_socket_takes_the_same_records(tmp_path: Path) -> None:
    """With memory://, the record is changed through the socket; the mode is switched at once."""
    path = str(tmp_path / "control")
    guard = guarded(Shop(), control_socket=path, **OPEN)
    await log_in(guard)
    await until((tmp_path / "control").exists)
    place = SocketControl(path)

    await change(place, MAC, to(mode=Mode.MONITOR), time.time)
    first = mode(guard)
    await change(place, MAC, to(mode=Mode.ENFORCE), time.time)
    second = mode(guard)
    await stop(guard)

    assert (first, second) == (Mode.MONITOR, Mode.ENFORCE)
    assert not (tmp_path / "control").exists()


class Memory:
    """A place that takes all records."""

    def __init__(self) -> None:
        self.signed: bytes | None = None

    async def get(self) -> bytes | None:
        return self.signed

    async def swap(self, old: bytes | None, new: bytes, earlier: bytes = b"") -> bool:
        self.signed = new
        return True

    async def earlier(self) -> bytes | None:
        return None


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ControlServer]:
    server = ControlServer(str(tmp_path / "control"), Memory(), b"".join)
    await server.start()
    yield server
    await server.aclose()


async def test_only_the_user_may_connect(server: ControlServer, tmp_path: Path) -> None:
    """The socket's rights shut other users out."""
    assert stat.S_IMODE((tmp_path / "control").stat().st_mode) == 0o600
    assert await SocketControl(str(tmp_path / "control")).get() is None


async def test_another_user_is_not_answered(
    server: ControlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a folder's rights or an inherited descriptor let another user in, the peer's id shuts them out."""
    checked = module._may_talk
    monkeypatch.setattr(module, "_may_talk", lambda peer: checked(peer) and checked(Peer(12_345)))  # type: ignore[arg-type]
    with pytest.raises(StoreUnavailable):
        await SocketControl(str(tmp_path / "control")).get()


class Peer:
    """A connected socket of another user, as the kernel describes it."""

    def __init__(self, uid: int) -> None:
        self.uid = uid

    def getsockopt(self, *_: int) -> bytes:
        return struct.pack("3i", 1, self.uid, self.uid)


@pytest.mark.parametrize("sent", [b"put x\n", b"swap\n", b"\n", b"swap wrong record\n"])
async def test_other_lines_are_refused(server: ControlServer, tmp_path: Path, sent: bytes) -> None:
    """A line that is no request, or a swap of another record than the one there, changes nothing."""
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "control"))
    writer.write(sent)
    assert await reader.readline() == b"refused\n"
    writer.close()


async def test_a_line_that_is_too_long_ends_the_connection(server: ControlServer, tmp_path: Path) -> None:
    """A peer cannot fill the memory."""
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "control"))
    writer.write(b"x" * 500_000)
    with suppress(ConnectionResetError):  # the server has not read all of it
        assert await reader.read() == b""
    writer.close()


async def test_a_socket_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    """After a crash the path is there, and nobody listens: the next start takes it over."""
    path = tmp_path / "control"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    server = ControlServer(str(path), Memory(), b"".join)
    await server.start()

    assert await SocketControl(str(path)).get() is None
    await server.aclose()


async def test_a_socket_in_use_is_left_alone(server: ControlServer, tmp_path: Path) -> None:
    """A second process does not take the first one's socket away."""
    with pytest.raises(OSError, match="is in use by another process"):
        await ControlServer(str(tmp_path / "control"), Memory(), b"".join).start()
    assert await SocketControl(str(tmp_path / "control")).get() is None


async def test_a_file_is_never_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A path that names a file is a mistake: the file stays, the log says so, and log-ins go on."""
    path = tmp_path / "control"
    path.write_text("precious")
    guard = guarded(Shop(), control_socket=str(path), **OPEN)
    assert (await log_in(guard)).status == 303
    await until(lambda: "SEKISHO_CONTROL_SOCKET" in caplog.text)
    await stop(guard)

    assert path.read_text() == "precious"
    assert "is there already, and is no socket" in caplog.text


def test_the_socket_is_for_memory_alone(tmp_path: Path) -> None:
    """With a store the record is kept there: a socket would change one of many workers."""
    with pytest.raises(SettingsError, match="SEKISHO_CONTROL_SOCKET: is for memory:// alone"):
        guarded(Shop(), store="redis://127.0.0.1:1/0", control_socket=str(tmp_path / "control"))


async def test_without_a_socket_the_place_is_unavailable(tmp_path: Path) -> None:
    """A command that finds no service says so."""
    with pytest.raises(StoreUnavailable):
        await SocketControl(str(tmp_path / "gone")).get()
