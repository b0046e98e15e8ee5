"""Who calls, as the counters know them: an origin and its digests, remembered together."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, final

from sekisho.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.model import Origin
    from sekisho.read.address import Addresses
    from sekisho.read.digest import Digests, OriginDigests

KNOWN_MAX = 4_096  # callers remembered, each of at most
KNOWN_BYTES_MAX = 768  # of headers: a browser's three and a short list of hops


@final
class Caller(Value):
    __slots__ = ("digests", "origin")

    def __init__(self, origin: Origin, digests: OriginDigests) -> None:
        self.origin: Final = origin
        self.digests: Final = digests


class Callers:
    """Reads callers. Who is turned away comes again at once, from the same address: a flood costs one look-up here."""

    __slots__ = ("_addresses", "_digests", "_known")

    def __init__(self, addresses: Addresses, digests: Digests) -> None:
        self._addresses = addresses
        self._digests = digests
        self._known = lru_cache(KNOWN_MAX)(self._caller)

    def read(self, scope: Mapping[str, Any], named: dict[bytes, bytes]) -> Caller:
        """The caller of a request with these headers by name. Never raises, whatever they hold."""
        host, hops, device, forwarded = self._addresses.facts(scope, named)
        # What a stranger can make us keep is bounded by the entry, as its number is by the cache.
        if len(device) + (len(hops) if hops is not None else 0) > KNOWN_BYTES_MAX:
            return self._caller(host, hops, device, forwarded)
        return self._known(host, hops, device, forwarded)

    def _caller(self, host: str | None, hops: bytes | None, device: bytes, forwarded: bool) -> Caller:
        origin = self._addresses.origin(host, hops, device, forwarded)
        return Caller(origin, self._digests.origin_digests(origin))
