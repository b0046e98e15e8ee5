"""Who calls, as the counters know them: an origin and its digests, and of those who are turned away, remembered.

Who is turned away comes again at once. Nobody else is worth the memory: whoever is let in is rarely seen twice in a
second, and thousands of small objects that come and go are what Python's collector stops a worker for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from sekisho.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.model import Origin
    from sekisho.read.address import Addresses, Facts
    from sekisho.read.digest import Digests, OriginDigests

KNOWN_MAX: Final = 1_024  # callers remembered, each of at most
KNOWN_BYTES_MAX: Final = 768  # of headers: a browser's three and a short list of hops


@final
class Caller(Value):
    """`facts`: of the request, what the rest follows from."""

    __slots__ = ("digests", "facts", "origin")

    def __init__(self, facts: Facts, origin: Origin, digests: OriginDigests) -> None:
        self.facts: Final = facts
        self.origin: Final = origin
        self.digests: Final = digests

    def __repr__(self) -> str:
        # Of addresses and headers, which error reporters would print with the values of a frame.
        return "Caller(...)"


@final
class Callers:
    """Reads callers. A flood from those whom `remember` was told of costs a look-up each."""

    __slots__ = ("_addresses", "_digests", "_known")

    def __init__(self, addresses: Addresses, digests: Digests) -> None:
        self._addresses: Final = addresses
        self._digests: Final = digests
        self._known: Final[dict[Facts, Caller]] = {}

    def read(self, scope: Mapping[str, Any], named: dict[bytes, bytes]) -> Caller:
        """The caller of a request with these headers by name. Never raises, whatever they hold."""
        facts = self._addresses.facts(scope, named)
        if self._known and (known := self._known.get(facts)) is not None:
            return known
        host, hops, device, forwarded = facts
        origin = self._addresses.origin(host, hops, device, forwarded)
        return Caller(facts, origin, self._digests.origin_digests(origin))

    def remember(self, caller: Caller) -> None:
        """Know this one when it comes again. The one remembered longest makes room."""
        known, facts = self._known, caller.facts
        _, hops, device, _ = facts
        # What a stranger can make us keep is bounded by the entry, as their number is here.
        if facts in known or len(device) + (len(hops) if hops is not None else 0) > KNOWN_BYTES_MAX:
            return
        if len(known) >= KNOWN_MAX:
            del known[next(iter(known))]
        known[facts] = caller
