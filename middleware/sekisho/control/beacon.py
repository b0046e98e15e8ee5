"""A mark of the service in the store, by which an operator's command notices that it runs with other settings.

A command under another secret changes a record that no worker believes, and one under another namespace a record that
no worker reads. Both look like success. A control record tells the first alone, once there is one.
"""

from __future__ import annotations

import logging
import re
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Final

from redis.exceptions import ResponseError

from sekisho.crypto.record_mac import RecordMac
from sekisho.once import Once
from sekisho.store.periodic import periodically

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sekisho.crypto.signers import Signer
    from sekisho.store import AnyStoreConnection

log = logging.getLogger("sekisho")

EVERY_S: Final = 60.0
"""An emptied store has the mark again after a minute."""

REFUSED: Final = "the store refuses the mark by which commands find this service: %s"
TWO_SECRETS: Final = (
    "SEKISHO_SECRET: another worker at this SEKISHO_STORE and SEKISHO_NAMESPACE has another one, so the two count "
    "apart and do not know each other's devices; or another party writes to the store [SEK045]"
)
NAMESPACES_MAX: Final = 16

_PAYLOAD: Final = b'{"v":1}'
_SCANS_MAX: Final = 1_000
_KEYS_OF_A_SCAN: Final = b"1000"
# The mark, a control record, or the exchange that every version has: `{cont…` or `{exch…`.
_PATTERN: Final = b"*:{[ce][ox][nc][th]*"
_KEY: Final = re.compile(rb"([A-Za-z0-9_-]{1,32}):\{(?:control\}(?:service)?|exchange\}workers)")


class BeaconMac(RecordMac):
    """See `RecordMac`."""

    def __init__(self, secrets: Sequence[bytes | Signer], namespace: str) -> None:
        super().__init__(secrets, namespace, key_of=b"sekisho.beacon", person=b"service beacon")


class Seen(Enum):
    """Which service has left its mark."""

    NONE = "none"
    OURS = "ours"
    FOREIGN = "foreign"


class ServiceBeacon:
    """The mark of one namespace, signed. It has no expiry: a service that has stopped is recognised too.

    Args:
        line: to the store.
        namespace: the service's.
        mac: signs and verifies it.
    """

    def __init__(self, line: AnyStoreConnection, namespace: str, mac: BeaconMac) -> None:
        self._line = line
        self._key = f"{namespace}:{{control}}service".encode()
        self._mac = mac
        self._has_left = False
        self._once = Once()

    async def run(self) -> None:
        """Leave the mark now and every minute, until this is cancelled."""
        await periodically(self.leave, every_s=EVERY_S, refused=REFUSED)

    async def leave(self) -> None:
        """Leave the mark. Raises `StoreUnavailable`, `ResponseError`.

        A foreign mark in the place of this one's is by a worker that runs now; at the start it may be an earlier one's.
        """
        if self._has_left and await self.seen() is Seen.FOREIGN and self._once():
            log.error("%s", TWO_SECRETS)
        await self._line.execute(b"SET", self._key, self._mac.sign(_PAYLOAD))
        self._has_left = True

    async def seen(self) -> Seen:
        """Raises `StoreUnavailable`, `ResponseError`."""
        found: bytes | None = await self._line.execute(b"GET", self._key)
        if found is None:
            return Seen.NONE
        return Seen.OURS if self._mac.verified(found) is not None else Seen.FOREIGN


async def namespaces(line: AnyStoreConnection) -> tuple[str, ...]:
    """The namespaces of services on the store, sorted; 16 at most. It looks at a million keys at most.

    None are found where the store's user may not list keys. Raises `StoreUnavailable`.
    """
    found = set[str]()
    try:
        async for key in _keys(line):
            # Any writer of the store may have made the key, and the name is printed.
            if named := _KEY.fullmatch(key):
                found.add(named[1].decode())
    except ResponseError:
        return ()
    return tuple(islice(sorted(found), NAMESPACES_MAX))


async def _keys(line: AnyStoreConnection) -> AsyncIterator[bytes]:
    for server in line.servers:
        cursor = b"0"
        for _ in range(_SCANS_MAX):
            cursor, keys = await server.execute(b"SCAN", cursor, b"MATCH", _PATTERN, b"COUNT", _KEYS_OF_A_SCAN)
            for key in keys:
                yield key
            if cursor == b"0":
                break
