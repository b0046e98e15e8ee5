"""Reads and clears the counters of one account, address or device, for an operator.

With a store, records are read there and decoded here; `ledger.lua` describes their layouts. In memory, the process
itself answers through its control socket.
"""

from __future__ import annotations

import json
from importlib import resources
from itertools import pairwise
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from sekisho.ledger.gcra import fitted, span_us
from sekisho.ledger.history import DeviceBucket, credit_left, is_shared
from sekisho.ledger.records import FRESH, Record, account_key, current, network_keys
from sekisho.ledger.redis import ClusterKeys, Keys
from sekisho.ledger.tags import TAG_BYTES, Tags
from sekisho.model import Charge, DoorKind, StoreUnavailable
from sekisho.store import is_cluster

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from sekisho.ledger.memory import MemoryLedger
    from sekisho.model import Limits
    from sekisho.read.digest import Digests, OriginDigests
    from sekisho.store import AnyStoreConnection

_PLAIN: Final = Struct("<BB7sIBB")
_ACCOUNT: Final = Struct("<BB7sIBBHBBBB")
_BUCKET: Final = Struct("<8sI7s")
_TAT_BYTES: Final = 7
_IP_BYTES: Final = 8  # of an address, at the end of its key
_VERSIONS: Final = {1: _PLAIN, 2: _ACCOUNT}


class Counters(NamedTuple):
    """Records as they are now.

    Attributes:
        now_us: Unix time in microseconds, by the clock that they are counted by.
        records: in the order of the question; one that is absent is fresh.
    """

    now_us: int
    records: tuple[Record, ...]


class LimitUse(NamedTuple):
    """One limit of a record.

    Attributes:
        burst, period_us: the limit.
        used: attempts that count against it now.
        wait_us: until one more has room; 0: it has now.
    """

    burst: int
    period_us: int
    used: int
    wait_us: int


def uses(tats: tuple[int, ...], limits: Limits, now_us: int) -> list[LimitUse]:
    """Return how far each limit of a record is used. `tats`: the record's TATs, one for each limit (see `gcra`)."""
    return [
        LimitUse(
            limit.burst,
            limit.period_us,
            -(-(tat - now_us) // limit.interval_us),
            max(0, tat + limit.interval_us - span_us(limit) - now_us),
        )
        for tat, limit in zip(fitted(tats, limits, now_us), limits, strict=True)
    ]


class CounterPlace(Protocol):
    """Where counters are. Its methods raise `StoreUnavailable`."""

    async def of_network(self, charge: Charge) -> Counters:
        """Records of the networks, narrowest first, of the address and of the device."""
        ...

    async def of_account(self, charge: Charge) -> Counters:
        """The record of the account."""
        ...

    async def clear_network(self, charge: Charge, places: Sequence[int]) -> None:
        """Clear some records of an origin. `places`: their positions in the answer of `of_network`."""
        ...

    async def clear_account(self, charge: Charge) -> None:
        """Clear the account's counts. Its devices stay known, and replaced tokens stay spent."""
        ...

    async def forget_account(self, charge: Charge, *, ends_devices: bool = False) -> None:
        """Clear the account's counts as `clear_account` does, and its history as well.

        `ends_devices`: whether the trust of all its devices ends too, as by a change of the password.
        """
        ...


def charge_at(digests: OriginDigests) -> Charge:
    """Return a charge that names the counters of an origin, to read or clear them; it counts no attempt."""
    none = bytes(4)
    networks = digests.networks
    return Charge(networks[-1], networks, digests.ip, digests.device, b"", b"", 0, b"", none, none, none, none)


def charge_of(account: bytes) -> Charge:
    """Return a charge that names the counters of an account, to read or clear them; it counts no attempt."""
    none = bytes(4)
    return Charge(b"", (), b"", b"", account, b"", 0, b"", none, none, none, none)


class NamedCounter(NamedTuple):
    """A counter of an account: its digest, its charge, and the doors that it counts (empty: passwords)."""

    digest: bytes
    charge: Charge
    doors: str


def counters_of(names: Sequence[str], kinds: Iterable[DoorKind], digests: Digests) -> list[NamedCounter]:
    """Return every counter of an account, by its names and kinds of doors.

    Counters of browsers that asked for a code are missing: they cannot be named.

    Args:
        names: an account's counted names: that of strangers' attempts, and its canonical name if that is another.
        kinds: of the service's doors.
        digests: the service's.
    """
    apart = sorted(set(kinds) - {DoorKind.LOGIN, DoorKind.LOGOUT, DoorKind.PASSKEY}, key=lambda kind: kind.name)
    scopes = {"": b"", **{kind.name: kind.value.encode() for kind in apart}}
    counted = [(digests.counter(name, scope), doors) for doors, scope in scopes.items() for name in names]
    return [NamedCounter(digest, charge_of(digest), doors) for digest, doors in counted]


class StoredCounters:
    """In Redis or a Cluster. See `CounterPlace`.

    Args:
        line: the store connection.
        url: of the store: a Cluster has keys of its own.
        namespace: of the service.
    """

    def __init__(self, line: AnyStoreConnection, url: str, namespace: str) -> None:
        self._line = line
        self._keys = (ClusterKeys if is_cluster(url) else Keys)(namespace)
        self._script = resources.files(__package__).joinpath("counters.lua").read_bytes()

    async def of_network(self, charge: Charge) -> Counters:
        return await self._ask(b"read", self._keys.network(charge), b"")

    async def of_account(self, charge: Charge) -> Counters:
        return await self._of_account(b"read", charge)

    async def has_credit(self, charge: Charge) -> bool:
        """Whether an address has credit, or many owners share it. Raises `StoreUnavailable`."""
        ip = self._keys.network(charge)[len(charge.networks)]
        now_us, (record,) = await self._ask(b"read", [ip[: -_IP_BYTES - 1] + b"c" + ip[-_IP_BYTES:]], b"")
        return credit_left(record.tats, now_us) or is_shared(record.tats, now_us)

    async def clear_network(self, charge: Charge, places: Sequence[int]) -> None:
        keys = self._keys.network(charge)
        await self._ask(b"clear", [keys[place] for place in places], b"")

    async def clear_account(self, charge: Charge) -> None:
        await self._of_account(b"clear", charge)

    async def forget_account(self, charge: Charge, *, ends_devices: bool = False) -> None:
        await self._of_account(b"end" if ends_devices else b"forget", charge)

    async def _of_account(self, word: bytes, charge: Charge) -> Counters:
        bucket, own = self._keys.bucket(charge), self._keys.account(charge)
        return await self._ask(word, [bucket, own], own[len(bucket) :])

    async def _ask(self, word: bytes, keys: Sequence[bytes], field: bytes) -> Counters:
        now, *values = await self._line.execute(b"EVAL", self._script, b"%d" % len(keys), *keys, word, field)
        now_us = int(now)
        return Counters(now_us, tuple(current(decoded(value), now_us) for value in values))


class SocketCounters:
    """In another process, which keeps them in memory. See `CounterPlace`.

    Args:
        look: asks that process for the records under these keys.
    """

    def __init__(self, look: Callable[[Sequence[bytes]], Awaitable[bytes]]) -> None:
        self._look = look

    async def of_network(self, charge: Charge) -> Counters:
        return _read(await self._look(network_keys(charge)))

    async def of_account(self, charge: Charge) -> Counters:
        return _read(await self._look([account_key(charge)]))

    async def clear_network(self, charge: Charge, places: Sequence[int]) -> None:
        """Do nothing: the other process clears its counters when the operator's act reaches it."""

    async def clear_account(self, charge: Charge) -> None:
        """Do nothing: the other process clears its counters when the operator's act reaches it."""

    async def forget_account(self, charge: Charge, *, ends_devices: bool = False) -> None:
        """Do nothing: the other process clears its counters when the operator's act reaches it."""


def shown(ledger: MemoryLedger, keys: Sequence[bytes], now_us: int) -> bytes:
    """Return the records under these keys as JSON: what a process answers to the `look` of `SocketCounters`."""
    records = [current(ledger.book.get(key, FRESH), now_us) for key in keys]
    return json.dumps({"now_us": now_us, "records": [_as_json(record) for record in records]}).encode()


def _as_json(record: Record) -> list[Any]:
    buckets = [[bucket.device.hex(), bucket.generation, bucket.renewed_us, bucket.tats] for bucket in record.buckets]
    return [record.tats, record.at_us, record.seen.size, record.failures, buckets]


def _read(answer: bytes) -> Counters:
    try:
        found = json.loads(answer)
        return Counters(int(found["now_us"]), tuple(map(_record, found["records"])))
    except (ValueError, KeyError, TypeError):  # a process of a version before, which cannot be asked
        raise StoreUnavailable from None


def _record(found: list[Any]) -> Record:
    tats, at_us, seen, failures, buckets = found
    return Record(
        tuple(tats),
        at_us,
        Tags(0, bytes(TAG_BYTES * seen)),
        failures,
        Tags(),
        tuple(
            DeviceBucket(bytes.fromhex(device), number, renewed, tuple(its)) for device, number, renewed, its in buckets
        ),
    )


def decoded(value: bytes) -> Record:
    """Return the record in a value that Redis stores; a fresh record for a value of an unknown layout."""
    head = _VERSIONS.get(value[0]) if value else None
    if head is None or len(value) < head.size:
        return FRESH
    _, n, at, generation, young, old, *more = head.unpack_from(value)
    failures, tried, tried_old, buckets, bucket_tats = more or (0, 0, 0, 0, 0)
    ends = [head.size + _TAT_BYTES * n]
    for count in (young, old, tried, tried_old):
        ends.append(ends[-1] + TAG_BYTES * count)
    width = _BUCKET.size + _TAT_BYTES * bucket_tats
    if len(value) != ends[-1] + buckets * width:
        return FRESH
    parts = [value[start:end] for start, end in pairwise(ends)]
    return Record(
        _tats(value[head.size : ends[0]]),
        int.from_bytes(at, "little"),
        Tags(generation, parts[0], parts[1]),
        failures,
        Tags(generation, parts[2], parts[3]),
        tuple(_bucket(value[start : start + width]) for start in range(ends[-1], len(value), width)),
    )


def _bucket(packed: bytes) -> DeviceBucket:
    device, generation, renewed = _BUCKET.unpack_from(packed)
    return DeviceBucket(device, generation, int.from_bytes(renewed, "little"), _tats(packed[_BUCKET.size :]))


def _tats(packed: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(packed[at : at + _TAT_BYTES], "little") for at in range(0, len(packed), _TAT_BYTES))
