"""The control socket of a process that keeps everything in memory: a local operator changes the record through it.

A connection sends lines: `get` is answered by the signed record (or an empty line), `swap OLD NEW` by `ok` or
`refused`, `look KEY…`, with keys of counters in hex, by these counters as JSON, and `posture` and `campaigns` by what
the process recognises, as JSON.
Records are signed as in a store, so reaching the socket is not enough to change anything; OLD is the MAC of the record
that was read, or `-`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import socket
import stat
import struct
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sekisho.control.follow import follow
from sekisho.control.record import SIGNED_BYTES_MAX
from sekisho.model import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sekisho.control.follow import Hears
    from sekisho.control.places import ControlPlace

log = logging.getLogger("sekisho")

LINE_BYTES_MAX: Final = SIGNED_BYTES_MAX + 200
SECONDS_MAX: Final = 5.0
ANSWER_BYTES_MAX: Final = 1 << 20
CONNECTIONS_MAX: Final = 8
_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid
_MAC_CHARS: Final = 64
KEYS_MAX: Final = 16  # of counters in one question
NOTHING_TOLD: Final[Mapping[bytes, Callable[[], bytes]]] = MappingProxyType({})
_KEY: Final = re.compile(rb"[0-9a-f]{2,64}")


class SocketTakenError(OSError):
    """Another process listens at the path, or something there is no socket."""


class ControlServer:
    """Listens until it is closed. Belongs to one event loop.

    Args:
        path: of the socket. One that was left behind is replaced; anything else that is there is left alone.
        place: keeps the record.
        look: maps keys of counters to the answer about them.
        told: answers to further words, each a line of bytes.
    """

    def __init__(
        self,
        path: str,
        place: ControlPlace,
        look: Callable[[Sequence[bytes]], bytes],
        told: Mapping[bytes, Callable[[], bytes]] = NOTHING_TOLD,
    ) -> None:
        self._path = Path(path)
        self._place = place
        self._look = look
        self._told = told
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self) -> None:
        """Listen at the path. Raises `SocketTakenError` if another process uses it, `OSError` if it cannot be used."""
        listening = _bound(self._path)
        try:
            self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=LINE_BYTES_MAX)
        except BaseException:
            listening.close()
            raise

    async def aclose(self) -> None:
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(OSError):
                self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= CONNECTIONS_MAX and _may_talk(writer.get_extra_info("socket")):
                await asyncio.wait_for(self._talk(reader, writer), SECONDS_MAX)
        except (OSError, ValueError):
            pass  # it hung up, was too slow, or sent a line that is too long
        finally:
            self._open -= 1
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(await self._answer(line.rstrip(b"\n")) + b"\n")
            await writer.drain()

    async def _answer(self, line: bytes) -> bytes:
        there = await self._place.get()
        if line == b"get":
            return there or b""
        if (tell := self._told.get(line)) is not None:
            return tell()
        word, _, rest = line.partition(b" ")
        if word == b"look":
            keys = rest.split(b" ")
            known = len(keys) <= KEYS_MAX and all(_KEY.fullmatch(key) and len(key) % 2 == 0 for key in keys)
            return self._look([bytes.fromhex(key.decode()) for key in keys]) if known else b"refused"
        old, _, new = rest.partition(b" ")
        if word != b"swap" or old != _name(there):
            return b"refused"
        return b"ok" if await self._place.swap(there, new) else b"refused"


async def serve(
    path: str,
    place: ControlPlace,
    state: Hears,
    look: Callable[[Sequence[bytes]], bytes],
    told: Mapping[bytes, Callable[[], bytes]] = NOTHING_TOLD,
) -> None:
    """Serve the control socket at `path`, and pass the record to `state` (see `follow`), until this is cancelled.

    A path that cannot be used is logged.
    """
    server = ControlServer(path, place, look, told)
    try:
        await server.start()
    except OSError as error:
        log.error("SEKISHO_CONTROL_SOCKET: the socket cannot be used: %s", error.strerror or error)  # noqa: TRY400
    try:
        await follow(place, state)
    finally:
        await server.aclose()


class SocketControl:
    """The record of another process, through its control socket. See `ControlPlace`."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def get(self) -> bytes | None:
        return await self.ask(b"get") or None

    async def swap(self, old: bytes | None, new: bytes, earlier: bytes = b"") -> bool:  # noqa: ARG002
        return await self.ask(b"swap %b %b" % (_name(old), new)) == b"ok"

    async def earlier(self) -> bytes | None:
        return None  # see `MemoryControl`

    async def look(self, keys: Sequence[bytes]) -> bytes:
        """Return the other process's answer about its counters under these keys. Raises `StoreUnavailable`."""
        return await self.ask(b"look " + b" ".join([key.hex().encode() for key in keys]))

    async def ask(self, line: bytes) -> bytes:
        """Return the other process's answer; `refused` where it does not know the word, as an earlier version.

        Raises `StoreUnavailable`.
        """
        try:
            return await asyncio.wait_for(self._answer(line), SECONDS_MAX)
        except (OSError, ValueError):
            raise StoreUnavailable from None

    async def _answer(self, line: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(self._path, limit=ANSWER_BYTES_MAX)
        try:
            writer.write(line + b"\n")
            await writer.drain()
            answer = await reader.readline()
        finally:
            writer.close()
        if not answer.endswith(b"\n"):
            raise ConnectionResetError
        return answer[:-1]


def _name(signed: bytes | None) -> bytes:
    """How a line names a record: by its MAC."""
    return signed[:_MAC_CHARS] if signed else b"-"


def _bound(path: Path) -> socket.socket:
    """A socket at the path that only this user may connect to."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        _clear(path)
        made.bind(str(path))
        # Before it listens nobody can connect, so there is no moment with other rights.
        path.chmod(0o600)
        made.listen(CONNECTIONS_MAX)
    except BaseException:
        made.close()
        raise
    return made


def _clear(path: Path) -> None:
    """Remove a socket whose process has ended. Raises `SocketTakenError`."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise SocketTakenError("is there already, and is no socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(path))
            except (ConnectionRefusedError, FileNotFoundError):
                path.unlink(missing_ok=True)
                return
        raise SocketTakenError("is in use by another process")


def _may_talk(peer: socket.socket) -> bool:
    """Whether the peer runs as this user, or as root. Where nothing names a peer, the rights of the socket decide."""
    if not hasattr(socket, "SO_PEERCRED"):  # macOS: nobody connects without the right to write to the socket
        return True
    _, uid, _ = _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return uid in {0, os.geteuid()}
