"""Where the control record is kept: in the store that workers share, or in the memory of a single process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from redis.exceptions import ResponseError

from sekisho.control.record import EMPTY, SIGNED_BYTES_MAX, ControlError, decode, decode_earlier, encode_earlier

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.control.acts import Act
    from sekisho.control.mac import ControlMac
    from sekisho.control.record import ControlRecord
    from sekisho.store import AnyStoreConnection

ATTEMPTS_MAX: Final = 5

# Replaces the record only if it is still the one that was read: two operators at once do not undo each other's change.
_SWAP: Final = b"""
local found = redis.call('GET', KEYS[1]) or ''
if found ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
if ARGV[3] ~= '' then redis.call('SET', KEYS[2], ARGV[3]) end
return 1
"""


class ControlPlace(Protocol):
    """Keeps one signed record, and the acts that it has no room for. Every method raises `StoreUnavailable`."""

    async def get(self) -> bytes | None:
        """The signed record; None where there is none."""
        ...

    async def swap(self, old: bytes | None, new: bytes, earlier: bytes = b"") -> bool:
        """Replace `old` by `new`; False if another record is there by now.

        `earlier`: the signed acts before those of `new`; empty: as they are.
        """
        ...

    async def earlier(self) -> bytes | None:
        """The signed acts before those of the record; None where there are none."""
        ...


class StoredControl:
    """In Redis, under keys without an expiry: an operator's mode holds until it is changed."""

    def __init__(self, line: AnyStoreConnection, namespace: str) -> None:
        self._line = line
        self._key = f"{namespace}:{{control}}".encode()
        self._earlier = self._key + b"earlier"

    async def get(self) -> bytes | None:
        found: bytes | None = await self._line.execute(b"GET", self._key)
        return found

    async def swap(self, old: bytes | None, new: bytes, earlier: bytes = b"") -> bool:
        keys = self._key, self._earlier
        swapped: int = await self._line.execute(b"EVAL", _SWAP, b"2", *keys, old or b"", new, earlier)
        return swapped == 1

    async def earlier(self) -> bytes | None:
        try:
            found: bytes | None = await self._line.execute(b"GET", self._earlier)
        except ResponseError:
            return None  # of another type: a writer of the store must not keep the record from workers by it
        return found


class MemoryControl:
    """In this process, which hears of each act at the change that brings it: none has to be kept for later.

    Args:
        accepts: whether a record is taken; see `ControlState.hear`.
    """

    def __init__(self, accepts: Callable[[bytes], bool]) -> None:
        self._accepts = accepts
        self._signed: bytes | None = None

    async def get(self) -> bytes | None:
        return self._signed

    async def swap(self, old: bytes | None, new: bytes, earlier: bytes = b"") -> bool:  # noqa: ARG002
        if old != self._signed or not self._accepts(new):
            return False
        self._signed = new
        return True

    async def earlier(self) -> bytes | None:
        return None


async def change(
    place: ControlPlace,
    mac: ControlMac,
    changed: Callable[[ControlRecord], ControlRecord],
    clock_s: Callable[[], float],
    act: Act | None = None,
) -> ControlRecord:
    """Change the record, and return the new one. Other operators' changes at the same time are kept.

    Acts that it has no room for are kept beside it, for workers that have not read them yet.

    Its number is at least the time in milliseconds: it rises even if the store has lost the record before.

    Args:
        place: keeps the record.
        mac: signs it.
        changed: maps the record to the new one; its number is set here. May be called several times.
        clock_s: Unix time.
        act: the operator's act; its number and time are set here. Each worker records it as an event.

    Raises:
        ControlError: the record there is not by this service, the new one is not allowed, or others change it all the
            time.
        StoreUnavailable: it may or may not have been changed.
    """
    for _ in range(ATTEMPTS_MAX):
        old = await place.get()
        before = record_in(old, mac)
        number = max(before.number + 1, int(clock_s() * 1000))
        acts = () if act is None else (act._replace(number=number, at_s=int(clock_s())),)
        every = (*before.acts, *acts)
        record = decode(payload := replace(changed(before), number=number, acts=every).encode())
        moved = every[: len(every) - len(record.acts)]
        earlier = mac.sign(encode_earlier((*await _earlier(place, mac), *moved))) if moved else b""
        if await place.swap(old, mac.sign(payload), earlier):
            return record
    raise ControlError("was not changed: it is refused, or is changed by others all the time")


async def _earlier(place: ControlPlace, mac: ControlMac) -> tuple[Act, ...]:
    return earlier_in(await place.earlier(), mac)


def record_in(signed: bytes | None, mac: ControlMac) -> ControlRecord:
    """Read the record that a place keeps; an empty record where none is there, or none that this service signed.

    Raises `ControlError` for a signed record that cannot be read.
    """
    payload = mac.verified(signed) if signed else None
    # A forged record is replaced.
    return decode(payload) if payload is not None else EMPTY


def earlier_in(signed: bytes | None, mac: ControlMac) -> tuple[Act, ...]:
    """Read the acts that a place keeps beside its record; none where this service has signed none."""
    # Bounded before it is hashed: the store may hold anything.
    payload = mac.verified(signed) if signed and len(signed) <= SIGNED_BYTES_MAX else None
    return decode_earlier(payload) if payload is not None else ()
