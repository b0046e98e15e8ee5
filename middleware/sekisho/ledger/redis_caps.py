"""The caps' ledger in Redis: one script on one key, so parallel requests of all workers are summed one by one."""

from __future__ import annotations

from importlib import resources
from struct import Struct
from typing import TYPE_CHECKING

from redis.exceptions import ResponseError

from sekisho.ledger.caps import CapEntry, CapVerdict
from sekisho.model import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.ledger.caps import Entries
    from sekisho.model import Cap
    from sekisho.store import AnyStoreConnection

_SCRIPT = resources.files(__package__).joinpath("caps.lua").read_bytes()
_NUMBER_BYTES = 7
_VERSION, _ENTRY = b"\1", Struct("7s7s7s")


class RedisCaps:
    """See `CapLedger`. Shared by all workers on one Redis or Cluster and one namespace; keys become `namespace:{c…}`.

    `now_us`: for tests; 0: the server's time.
    """

    def __init__(self, line: AnyStoreConnection, namespace: str, *, now_us: int = 0) -> None:
        self._line = line
        self._prefix = namespace.encode() + b":{c"
        self.now_us = now_us

    async def take(self, key: bytes, amount: int, caps: Sequence[Cap]) -> CapVerdict:
        return await self._ask(b"take", key, amount, 0, caps)

    async def give_back(self, key: bytes, amount: int, at_us: int, caps: Sequence[Cap]) -> None:
        await self._ask(b"back", key, amount, at_us, caps)

    async def entries(self, key: bytes) -> Entries:
        """The amounts kept at `key`, oldest first, for an operator; none for a record of an unknown layout."""
        packed: bytes = await self._line.execute(b"GET", self._name(key)) or b""
        if packed[:1] != _VERSION or len(packed) % _ENTRY.size != 1:
            return ()
        numbers = [tuple(int.from_bytes(one, "little") for one in each) for each in _ENTRY.iter_unpack(packed[1:])]
        return tuple(CapEntry(*each) for each in numbers)

    async def forget(self, key: bytes) -> None:
        """Remove all amounts at `key`, as an operator asked."""
        await self._line.execute(b"DEL", self._name(key))

    def _name(self, key: bytes) -> bytes:
        return self._prefix + key + b"}"

    async def _ask(self, word: bytes, key: bytes, amount: int, at_us: int, caps: Sequence[Cap]) -> CapVerdict:
        now, figures = b"%d" % self.now_us, (b"%d" % amount, b"%d" % at_us)
        try:
            # Sent whole each time, as the vault's: a flushed script cache then loses no transfer.
            admitted, time_us = await self._line.execute(
                b"EVAL", _SCRIPT, b"1", self._name(key), word, now, _packed(caps), *figures
            )
            return CapVerdict(bool(admitted), int(time_us))
        except ResponseError:
            pass
        # Raised without a cause: the error text of Redis may quote the command.
        raise StoreUnavailable


def _packed(caps: Sequence[Cap]) -> bytes:
    return b"".join(number.to_bytes(_NUMBER_BYTES, "little") for cap in caps for number in cap)
