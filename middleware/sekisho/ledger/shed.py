"""The shed: a cache of refusals in this worker, so that refused attempts of a flood cost no call of Redis and no body.

It can only refuse, never let in: only identities that the ledger has refused, until the time that the ledger named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.model import Charge, Verdict

ROOM_EVERY_US = 1_000_000  # pruning a full cache at every refusal would cost more than asking Redis
OF_MANY_KEPT_US = 3_600_000_000
ENTRIES_MAX = 65_536  # about 12 MiB; beyond it, Redis judges a flood as it would without the shed


class Shed:
    """Refused addresses, networks, devices and tokens, by keyed digest or name. `clock_us`: monotonic microseconds."""

    def __init__(self, clock_us: Callable[[], int], *, entries_max: int = ENTRIES_MAX) -> None:
        self._clock_us = clock_us
        self._entries_max = entries_max
        self._until_us: dict[bytes, int] = {}
        self._room_us = 0  # the time of the last pruning
        self._of_many: dict[bytes, int] = {}  # addresses that many owners share, and until when
        self.refused = 0
        """Cached refusals since the last `take_refused`."""

    @property
    def holds_any(self) -> bool:
        """Whether any refusal is cached."""
        return bool(self._until_us)

    def wait_us(self, digests: Sequence[bytes]) -> int:
        """Return the remaining time of the longest refusal of these, in microseconds; 0 if there is none.

        `digests`: of an origin, the address first; or of anything else. An address that many owners share is not shed:
        the ledger has to see whose account it is.
        """
        until = self._until_us
        if not until:
            return 0
        last = max([until.get(digest, 0) for digest in digests])
        if not last or (self._of_many and self._of_many.get(digests[0], 0) > self._clock_us()):
            return 0
        wait = last - self._clock_us()
        if wait <= 0:
            return 0
        self.refused += 1
        return wait

    def remember(self, charge: Charge, verdict: Verdict) -> None:
        """Cache the refusals in a verdict on `charge` until they end."""
        now_us = self._clock_us()
        if verdict.is_of_many:
            self.spare(charge.ip)
            return self._keep(charge.known_device, verdict.known_device_wait_us, now_us)
        self._keep(charge.ip, verdict.ip_wait_us, now_us)
        self._keep(charge.device, verdict.device_wait_us, now_us)
        self._keep(charge.known_device, verdict.known_device_wait_us, now_us)
        return self._keep(charge.networks[verdict.network_at], verdict.network_wait_us, now_us)

    def spare(self, ip: bytes) -> None:
        """Do not shed this address for an hour, regardless of others in its network."""
        if len(self._of_many) >= self._entries_max and ip not in self._of_many:
            del self._of_many[next(iter(self._of_many))]
        self._of_many[ip] = self._clock_us() + OF_MANY_KEPT_US

    def forget(self, digests: Sequence[bytes]) -> None:
        for digest in digests:
            self._until_us.pop(digest, None)

    def take_refused(self) -> int:
        """Return how many attempts the cache has refused since the last call; for the aggregates."""
        refused, self.refused = self.refused, 0
        return refused

    def _keep(self, digest: bytes, wait_us: int, now_us: int) -> None:
        if wait_us <= 0:
            return
        if len(self._until_us) >= self._entries_max and digest not in self._until_us:
            self._make_room(now_us)
            if len(self._until_us) >= self._entries_max:
                return
        self._until_us[digest] = now_us + wait_us

    def _make_room(self, now_us: int) -> None:
        if now_us < self._room_us + ROOM_EVERY_US:
            return
        self._room_us = now_us
        self._until_us = {digest: until for digest, until in self._until_us.items() if until > now_us}
