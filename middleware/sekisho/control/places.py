"""Where the control record is kept: in the store that workers share, or in the memory of a single process."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from sekisho.control.acts import ACTS_MAX
from sekisho.control.record import EMPTY, ControlError, decode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sekisho.control.acts import Act
    from sekisho.control.mac import ControlMac
    from sekisho.control.record import ControlRecord
    from sekisho.store import AnyStoreConnection

ATTEMPTS_MAX: Final = 5
HEARD_S: Final = 3
"""Within this time each worker has read an act: it reads every 0.9 s, and the act's time is in whole seconds."""
PAUSES_MAX: Final = 40

# Replaces the record only if it is still the one that was read: two operators at once do not undo each other's change.
_SWAP: Final = b"""
local found = redis.call('GET', KEYS[1]) or ''
if found ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""


class ControlPlace(Protocol):
    """Keeps one signed record. Every method raises `StoreUnavailable`."""

    async def get(self) -> bytes | None:
        """The signed record; None where there is none."""
        ...

    async def swap(self, old: bytes | None, new: bytes) -> bool:
        """Replace `old` by `new`; False if another record is there by now."""
        ...


class StoredControl:
    """In Redis, under one key without an expiry: an operator's mode holds until it is changed."""

    def __init__(self, line: AnyStoreConnection, namespace: str) -> None:
        self._line = line
        self._key = f"{namespace}:{{control}}".encode()

    async def get(self) -> bytes | None:
        found: bytes | None = await self._line.execute(b"GET", self._key)
        return found

    async def swap(self, old: bytes | None, new: bytes) -> bool:
        swapped: int = await self._line.execute(b"EVAL", _SWAP, b"1", self._key, old or b"", new)
        return swapped == 1


class MemoryControl:
    """In this process.

    Args:
        accepts: whether a record is taken; see `ControlState.hear`.
    """

    def __init__(self, accepts: Callable[[bytes], bool]) -> None:
        self._accepts = accepts
        self._signed: bytes | None = None

    async def get(self) -> bytes | None:
        return self._signed

    async def swap(self, old: bytes | None, new: bytes) -> bool:
        if old != self._signed or not self._accepts(new):
            return False
        self._signed = new
        return True


async def change(
    place: ControlPlace,
    mac: ControlMac,
    changed: Callable[[ControlRecord], ControlRecord],
    clock_s: Callable[[], float],
    act: Act | None = None,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> ControlRecord:
    """Change the record, and return the new one. Other operators' changes at the same time are kept.

    An act that pushes an older one out waits until all workers have read that one.

    Its number is at least the time in milliseconds: it rises even if the store has lost the record before.

    Args:
        place: keeps the record.
        mac: signs it.
        changed: maps the record to the new one; its number is set here. May be called several times.
        clock_s: Unix time.
        act: the operator's act; its number and time are set here. Each worker records it as an event.
        sleep: waits so many seconds.

    Raises:
        ControlError: the record there is not by this service, the new one is not allowed, or others change it all the
            time.
        StoreUnavailable: it may or may not have been changed.
    """
    for _ in range(ATTEMPTS_MAX):
        old = await (place.get() if act is None else _with_room(place, mac, clock_s, sleep))
        before = record_in(old, mac)
        number = max(before.number + 1, int(clock_s() * 1000))
        acts = () if act is None else (act._replace(number=number, at_s=int(clock_s())),)
        payload = replace(changed(before), number=number, acts=(*before.acts, *acts)).encode()
        if await place.swap(old, mac.sign(payload)):
            return decode(payload)
    raise ControlError("was not changed: it is refused, or is changed by others all the time")


async def _with_room(
    place: ControlPlace,
    mac: ControlMac,
    clock_s: Callable[[], float],
    sleep: Callable[[float], Awaitable[object]],
) -> bytes | None:
    """The record, from which workers have read the act that the next one pushes out."""
    old = await place.get()
    for _ in range(PAUSES_MAX):
        pause_s = _unheard_s(record_in(old, mac), clock_s())
        if not pause_s:
            break
        await sleep(pause_s)
        old = await place.get()
    return old


def _unheard_s(record: ControlRecord, now_s: float) -> float:
    """How many seconds the record's oldest act has to stay in it; 0 where there is room for another."""
    if len(record.acts) < ACTS_MAX:
        return 0.0
    left_s = record.acts[-ACTS_MAX].at_s + HEARD_S - now_s
    return left_s if 0 < left_s <= HEARD_S else 0.0  # the time is another operator's: its clock may be ahead


def record_in(signed: bytes | None, mac: ControlMac) -> ControlRecord:
    """Read the record that a place keeps; an empty record where none is there, or none that this service signed.

    Raises `ControlError` for a signed record that cannot be read.
    """
    payload = mac.verified(signed) if signed else None
    # A forged record is replaced.
    return decode(payload) if payload is not None else EMPTY
