"""The vault in Redis: every method is one command, or one small script, on one key.

Redis 6.2 or later (`GETDEL`). With any `maxmemory-policy` but `noeviction`, a full server evicts marks as well, and a
used code becomes valid again.
"""

from __future__ import annotations

import logging
from importlib import resources
from math import ceil
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from sekisho.model import StoreUnavailable
from sekisho.once import Once
from sekisho.store.refusals import explained
from sekisho.store.vault import MARK, ensure_key, ensure_seconds, ensure_value

if TYPE_CHECKING:
    from sekisho.store.opening import AnyStoreConnection

log = logging.getLogger("sekisho.store")

COUNT = resources.files(__package__).joinpath("vault_count.lua").read_bytes()


class RedisVault:
    """See `Vault`. Shared by all workers on one Redis and one namespace; each key becomes `namespace:{v…}`."""

    def __init__(self, line: AnyStoreConnection, namespace: str) -> None:
        self._line = line
        self._prefix = namespace.encode() + b":{v"
        self._once = Once()

    async def put(self, key: bytes, value: bytes, *, seconds: float, only_new: bool = False) -> bool:
        ensure_value(value)
        condition = (b"NX",) if only_new else ()
        return await self._ask(b"SET", self._key(key), value, b"PX", _ms(seconds), *condition) is not None

    async def get(self, key: bytes) -> bytes | None:
        found: bytes | None = await self._ask(b"GET", self._key(key))
        return found

    async def take(self, key: bytes) -> bytes | None:
        found: bytes | None = await self._ask(b"GETDEL", self._key(key))
        return found

    async def once(self, key: bytes, *, seconds: float) -> bool:
        return await self.put(key, MARK, seconds=seconds, only_new=True)

    async def count(self, key: bytes, *, seconds: float) -> int:
        # Sent whole each time: it is short, and a flushed script cache (row 98) then loses no proof.
        number: int = await self._ask(b"EVAL", COUNT, b"1", self._key(key), _ms(seconds))
        return number

    async def forget(self, key: bytes) -> None:
        await self._ask(b"DEL", self._key(key))

    async def _ask(self, *command: bytes) -> Any:
        try:
            return await self._line.execute(*command)
        except ResponseError as error:
            self._tell(command[0], explained(error))
        # Raised without a cause: the error text of Redis may quote the command.
        raise StoreUnavailable

    def _tell(self, command: bytes, kind: str) -> None:
        """Log what Redis refuses, once for each kind: otherwise an attacker could fill the log."""
        if self._once((command, kind)):
            log.error("the store refuses %s: %s", command.decode(), kind)

    def _key(self, key: bytes) -> bytes:
        ensure_key(key)
        return self._prefix + key + b"}"


def _ms(seconds: float) -> bytes:
    ensure_seconds(seconds)
    return b"%d" % ceil(seconds * 1000)
