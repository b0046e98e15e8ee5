"""HAProxy: a map of refused addresses, changed through the runtime socket. Nothing is reloaded.

HAProxy ends no entry by itself: this program removes them, and empties the map when it ends.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from sekisho.feed.fronts.port import FrontFault, shown

if TYPE_CHECKING:
    from sekisho.feed.fronts.port import Change

MAP: Final = re.compile(r"[!-:<-~]{1,255}")  # printable, without space and semicolon, which end a word or a command
AT_ONCE: Final = 100  # entries in one command: HAProxy reads it into one buffer of 16 KiB
ANSWER_S_MAX: Final = 10
ANSWER_BYTES_MAX: Final = 1 << 16


class Haproxy:
    """Args:
    socket: the path of the runtime socket, or `host:port`. It has to have `level admin`.
    name: the map as HAProxy's configuration names it.
    """

    forgets: Final = False
    every_s: Final = 0.0

    def __init__(self, socket: str, name: str) -> None:
        self._socket = socket
        self._name = name

    def steps(self, change: Change) -> list[str]:
        """Return the commands that `apply` would send to the runtime socket. For `--dry-run`.

        A command that ends in `<<` has lines of its own, and ends with an empty one.
        """
        gone = [f"del map {self._name} {shown(network)}" for network in change.removed]
        lines = [";".join(gone[at : at + AT_ONCE]) for at in range(0, len(gone), AT_ONCE)]
        new = [f"{shown(network)} 1" for network in change.added]
        starts = range(0, len(new), AT_ONCE)
        return lines + [f"add map {self._name} <<\n" + "\n".join(new[at : at + AT_ONCE]) + "\n" for at in starts]

    async def begin(self) -> None:
        """Empty HAProxy's map, which may hold entries of an earlier run. Raises `FrontFault`."""
        await self._send(f"clear map {self._name}")

    async def apply(self, change: Change) -> None:
        """Add networks to the map and remove others. Prolonging changes nothing: entries have no end.

        Raises `FrontFault`.
        """
        for line in self.steps(change):
            await self._send(line)

    async def _send(self, line: str) -> None:
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                said = await self._asked(line)
        except (OSError, TimeoutError) as error:
            text = getattr(error, "strerror", None) or "no answer"
            raise FrontFault(f"HAProxy's runtime socket: {text}") from None
        # An entry that somebody else has removed is not there: as it should be.
        problem = next((one for one in said.splitlines() if one.strip() and "not found" not in one), "")
        if problem:
            raise FrontFault(f"HAProxy: {problem.strip()[:200]}")

    async def _asked(self, line: str) -> str:
        reader, writer = await self._opened()
        try:
            writer.write(f"{line}\n".encode())
            writer.write_eof()
            await writer.drain()
            return (await reader.read(ANSWER_BYTES_MAX)).decode(errors="replace")
        finally:
            writer.close()

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if "/" in self._socket:
            return await asyncio.open_unix_connection(self._socket)
        host, _, port = self._socket.rpartition(":")
        return await asyncio.open_connection(host, int(port))
