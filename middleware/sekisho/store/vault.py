"""A vault: small things that are kept for a while, and end.

A sealed answer that waits for its proof, a code on its way, the mark that a time step was used. Whoever shows a code
twice, or starts a hundred redemptions at once, must find that one of them won (CVE-2026-103655): so what must happen
once is one step here, never a look followed by a write.

Everything ends. What never expires fills the store for whoever can ask for more, and a counter that lost its expiry
locks an owner out for good.
"""

from __future__ import annotations

from typing import Protocol

KEY_BYTES_MAX = 64
VALUE_BYTES_MAX = 64 * 1024  # four times the longest answer that is sealed
SECONDS_MAX = 90 * 86_400


class Vault(Protocol):
    """Keeps values by key until they end. In memory, or in Redis.

    Keys are keyed digests made by the caller, 1 to `KEY_BYTES_MAX` bytes, and values are sealed by the caller, at most
    `VALUE_BYTES_MAX` bytes: whoever reads the store learns nothing. A key serves one use: a value, a mark or a count.
    `seconds` is above 0 and at most `SECONDS_MAX`. What lies outside these bounds is a mistake of ours: `ValueError`.

    Every method raises `StoreUnavailable`. Nobody knows then whether it was done, so nothing may be granted: a value
    that was taken may be gone, a mark may be set, and the client starts again. The same holds for callers that are
    cancelled.
    """

    async def put(self, key: bytes, value: bytes, *, seconds: float, only_new: bool = False) -> bool:
        """Keep a value in the place of any other. `only_new`: leave what is there, and answer False."""
        ...

    async def get(self, key: bytes) -> bytes | None:
        """The value, which stays; None where there is none or it has ended."""
        ...

    async def take(self, key: bytes) -> bytes | None:
        """The value, which is gone with this. Of any number of callers at once, one gets it."""
        ...

    async def once(self, key: bytes, *, seconds: float) -> bool:
        """True for the first caller, False for all others until it ends. Asking again does not lengthen it."""
        ...

    async def count(self, key: bytes, *, seconds: float) -> int:
        """Add one; how many it makes, this one included.

        The period begins with the first and does not slide: whoever goes on asking is not locked out for longer.
        """
        ...

    async def forget(self, key: bytes) -> None:
        """Drop what is kept, marked or counted under a key. Harmless where there is nothing."""
        ...


def ensure_key(key: bytes) -> None:
    """Refuse what cannot be a digest. An empty key would be everybody's."""
    if not 1 <= len(key) <= KEY_BYTES_MAX:
        raise ValueError(f"a key has 1 to {KEY_BYTES_MAX} bytes")


def ensure_value(value: bytes) -> None:
    if len(value) > VALUE_BYTES_MAX:
        raise ValueError(f"a value has at most {VALUE_BYTES_MAX} bytes")


def ensure_seconds(seconds: float) -> None:
    if not 0 < seconds <= SECONDS_MAX:  # NaN is no span either
        raise ValueError(f"an end lies above 0 and at most {SECONDS_MAX} seconds ahead")
