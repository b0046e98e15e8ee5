"""Callers as the counters see them: an origin and its digests.

Only refused callers are cached; they retry immediately. Admitted callers rarely appear twice in a second, and Python's
garbage collector would pause a worker for thousands of short-lived small objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from sekisho.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.model import Origin
    from sekisho.read.address import Addresses, Facts
    from sekisho.read.digest import Digests, OriginDigests

KNOWN_MAX: Final = 1_024  # cached callers
KNOWN_BYTES_MAX: Final = 768  # of headers per cached caller: a browser's three and a short list of hops


@final
class Caller(Value):
    """`facts`: the parts of the request that determine the origin and the digests."""

    __slots__ = ("digests", "facts", "origin")

    def __init__(self, facts: Facts, origin: Origin, digests: OriginDigests) -> None:
        self.facts: Final = facts
        self.origin: Final = origin
        self.digests: Final = digests

    def __repr__(self) -> str:
        # Error reporters print the values of a frame; addresses and headers must not appear there.
        return "Caller(...)"


@final
class Callers:
    """Read callers. A request of a caller passed to `remember` costs one look-up."""

    __slots__ = ("_addresses", "_digests", "_known")

    def __init__(self, addresses: Addresses, digests: Digests) -> None:
        self._addresses: Final = addresses
        self._digests: Final = digests
        self._known: Final[dict[Facts, Caller]] = {}

    def read(self, scope: Mapping[str, Any], by_name: dict[bytes, bytes]) -> Caller:
        """Return the caller of a request, from the cache if it is there. No header value makes it raise.

        `by_name`: the request's headers by name.
        """
        facts = self._addresses.facts(scope, by_name)
        if self._known and (known := self._known.get(facts)) is not None:
            return known
        host, hops, device, forwarded = facts
        origin = self._addresses.origin(host, hops, device, forwarded)
        return Caller(facts, origin, self._digests.origin_digests(origin))

    def remember(self, caller: Caller) -> None:
        """Cache this caller, if its headers are short. A full cache evicts its oldest entry."""
        known, facts = self._known, caller.facts
        _, hops, device, _ = facts
        # Bounds the memory that strangers can fill: the size of an entry here, the number of entries below.
        if facts in known or len(device) + (len(hops) if hops is not None else 0) > KNOWN_BYTES_MAX:
            return
        if len(known) >= KNOWN_MAX:
            del known[next(iter(known))]
        known[facts] = caller
