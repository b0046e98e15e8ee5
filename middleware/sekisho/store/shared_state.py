"""A signed state that all workers share: one text in Redis with a number, which only the next one replaces."""

from __future__ import annotations

import logging
from importlib import resources
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.resources.abc import Traversable

    from sekisho.store import AnyStoreConnection

log = logging.getLogger("sekisho")

S = TypeVar("S")

# Another worker may have put a newer state meanwhile; then this one's is not written.
_PUT: Final = b"""
if (redis.call('HGET', KEYS[1], 'number') or '0') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'number', ARGV[2], 'text', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
"""


def with_turn(script: Traversable) -> bytes:
    """Return the text of a Lua script after `turn.lua`: it can ask whether a worker has the turn."""
    return (resources.files("sekisho.store") / "turn.lua").read_bytes() + script.read_bytes()


class SharedState(Generic[S]):
    """Args:
    line: the connection.
    key: of the hash with `number` and `text`.
    kept_ms: how long a state is kept after the last change, in milliseconds.
    empty: the state where none is kept.
    sign: makes the signed text of a state.
    opened: the state in a signed text; None if it is not by this service.
    forged: said once where it is not.
    """

    def __init__(
        self,
        line: AnyStoreConnection,
        key: bytes,
        *,
        kept_ms: int,
        empty: S,
        sign: Callable[[S], bytes],
        opened: Callable[[bytes], S | None],
        forged: str,
    ) -> None:
        self._line = line
        self.key: Final = key
        self._kept_ms = kept_ms
        self._empty = empty
        self._sign = sign
        self._opened = opened
        self._forged = forged
        self._forged_said = False

    async def kept(self) -> S:
        """Read the state from the store and return it; the empty state if none is kept. Raises `StoreUnavailable`."""
        return self.read(await self._line.execute(b"HGET", self.key, b"text") or b"")

    def read(self, text: bytes) -> S:
        """Return the state in a signed text; the empty state for an empty text, or without this service's signature."""
        found = self._opened(text) if text else self._empty
        if found is None and not self._forged_said:
            self._forged_said = True
            log.error("%s", self._forged)
        return self._empty if found is None else found

    async def put(self, number: int, state: S) -> bool:
        """Write a state as number `number + 1`, if the kept state has `number`, and return True.

        Returns False, and writes nothing, if another worker has written a newer state. Raises `StoreUnavailable`.
        """
        numbers = b"%d" % number, b"%d" % (number + 1)
        answer = await self._line.execute(
            b"EVAL", _PUT, b"1", self.key, *numbers, self._sign(state), b"%d" % self._kept_ms
        )
        return bool(answer)
