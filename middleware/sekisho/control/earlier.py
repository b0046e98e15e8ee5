"""Tells workers of earlier versions, which do not read all of the control record.

They take a mode and unblocked digests from two keys of the exchange that are not signed. Workers of this version do not
read these keys: an attacker who can write to the store would switch the guard off with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.model import Mode
    from sekisho.store import AnyStoreConnection

# By the store's clock, as those workers compare the time with that of their last exchange.
_UNBLOCK: Final = b"""
local time = redis.call('TIME')
local now = string.format('%d%06d', time[1], time[2])
for _, digest in ipairs(ARGV) do redis.call('ZADD', KEYS[1], now, digest) end
redis.call('PEXPIRE', KEYS[1], 60000)
return 1
"""


class EarlierWorkers:
    """What workers of earlier versions are told. Every method raises `StoreUnavailable`."""

    def __init__(self, line: AnyStoreConnection, namespace: str) -> None:
        self._line = line
        self._mode = f"{namespace}:{{exchange}}mode".encode()
        self._unblocked = f"{namespace}:{{exchange}}unblocked".encode()

    async def mode(self) -> str:
        """The mode that workers of earlier versions are told; empty: none, so that they obey their own settings."""
        found: bytes | None = await self._line.execute(b"GET", self._mode)
        return "" if found is None else found[:16].decode("ascii", "replace")

    async def set_mode(self, mode: Mode | None) -> None:
        if mode is None:
            await self._line.execute(b"DEL", self._mode)
        else:
            await self._line.execute(b"SET", self._mode, mode.value.encode())

    async def unblock(self, digests: Sequence[bytes]) -> None:
        await self._line.execute(b"EVAL", _UNBLOCK, b"1", self._unblocked, *digests)
