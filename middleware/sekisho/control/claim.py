"""One operator at a time at work that takes many steps: a claim in the store, which ends by itself.

Two that act on one campaign, or one that acts while the other undoes it, would leave a mixture of both. A claim is no
lock: a holder that was stopped for longer than it lasts goes on beside the next one, so each step must be repeatable.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.crypto.record_mac import RecordMac
from sekisho.model import SekishoError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from sekisho.crypto.signers import Signer
    from sekisho.store import AnyStoreConnection

CLAIM_S: Final = 30
"""How long the next one waits for a process that was killed."""

RENEW_S: Final = 10

_RENEW: Final = b"""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
_RELEASE: Final = b"""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


class ClaimMac(RecordMac):
    """See `RecordMac`. Without it, a writer to the store could put words into an operator's terminal."""

    def __init__(self, secrets: Sequence[bytes | Signer], namespace: str) -> None:
        super().__init__(secrets, namespace, key_of=b"sekisho.claim", person=b"operator claim")


class Holder(NamedTuple):
    """Attributes:
    by: the operator.
    at_s: Unix time at which the claim was taken.
    id: random, so that a claim of the same operator's second process is another one.
    """

    by: str
    at_s: int
    id: str


class ClaimTaken(SekishoError):  # noqa: N818 - an answer, not a mistake of the program
    """Another process holds the claim.

    Attributes:
        holder: None where another secret has signed the claim.
    """

    def __init__(self, holder: Holder | None) -> None:
        self.holder = holder
        super().__init__("another operator is at it")


class Claim:
    """A claim on one kind of work.

    Args:
        line: to the store.
        namespace: the service's.
        work: the kind, a constant of lower-case letters.
        mac: signs it.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        line: AnyStoreConnection,
        namespace: str,
        work: str,
        mac: ClaimMac,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._line = line
        self._key = f"{namespace}:{{control}}claim{work}".encode()
        self._mac = mac
        self._sleep = sleep

    @asynccontextmanager
    async def held(self, holder: Holder) -> AsyncIterator[None]:
        """A context that holds the claim, and renews it. Raises `ClaimTaken`, `StoreUnavailable`."""
        mine = self._mac.sign(json.dumps(holder).encode())
        renewing = asyncio.create_task(self._renew(mine), name="sekisho claim")
        try:
            if await self._line.execute(b"SET", self._key, mine, b"NX", b"PX", _MS) is None:
                raise ClaimTaken(self._read(await self._line.execute(b"GET", self._key)))
            yield
        finally:
            renewing.cancel()
            # Also after an interrupt that came before the answer. It removes no claim but this one.
            with contextlib.suppress(StoreUnavailable):
                await self._line.execute(b"EVAL", _RELEASE, b"1", self._key, mine)

    async def _renew(self, mine: bytes) -> None:
        while True:
            await self._sleep(RENEW_S)
            with contextlib.suppress(StoreUnavailable):
                await self._line.execute(b"EVAL", _RENEW, b"1", self._key, mine, _MS)

    def _read(self, signed: bytes | None) -> Holder | None:
        payload = self._mac.verified(signed) if signed else None
        return Holder(*json.loads(payload)) if payload is not None else None


_MS: Final = b"%d" % (CLAIM_S * 1000)
