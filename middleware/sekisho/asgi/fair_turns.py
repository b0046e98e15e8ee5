"""Whose turn it is: networks take turns, and addresses in them, so that nobody's thousand stand before another's one.

The next is always of the network that has the fewest already, then of the address in it that has the fewest; among
equals they take turns, and each address is first come, first served. A list of proxies in one network counts for one.
"""

from __future__ import annotations

import contextvars
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator


class Whose(NamedTuple):
    """What is counted: digests of a network, and of an address in it."""

    network: bytes
    address: bytes


class _Counted(Protocol):
    @property
    def network(self) -> bytes: ...
    @property
    def address(self) -> bytes: ...


@dataclass(eq=False, repr=False, slots=True)
class Place:
    """One that waits, or what it waited for. `run` is None where its caller goes on by itself."""

    network: bytes
    address: bytes
    run: Callable[[], Coroutine[Any, Any, None]] | None = None
    # Of its own, and empty: started when another's run ends, it would find that one's user and request; started in its
    # caller's, what outer middleware has made of the caller's cookies.
    context: contextvars.Context = field(default_factory=contextvars.Context)
    held: bool = False


class Counts:
    """How many places each network and each address has of something; nothing is kept at zero."""

    def __init__(self, places: Iterable[_Counted] = ()) -> None:
        self.total = 0
        self._each: Counter[tuple[bytes, ...]] = Counter()
        for place in places:
            self.add(place)

    def add(self, place: _Counted, number: int = 1) -> None:
        self.total += number
        for key in ((place.network,), (place.network, place.address)):
            self._each[key] += number
            if not self._each[key]:
                del self._each[key]

    def remove(self, place: _Counted) -> None:
        self.add(place, -1)

    def network(self, place: _Counted) -> int:
        return self._each[place.network,]

    def address(self, place: _Counted) -> int:
        return self._each[place.network, place.address]


class Turns:
    """Places in line."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._networks: dict[bytes, dict[bytes, deque[Place]]] = {}

    @property
    def is_even(self) -> bool:
        """Whether no network has more than one place: nobody could give way to a newcomer."""
        return len(self._networks) == self.counts.total

    def add(self, place: Place) -> None:
        self._networks.setdefault(place.network, {}).setdefault(place.address, deque()).append(place)
        self.counts.add(place)

    def remove(self, place: Place) -> None:
        addresses = self._networks[place.network]
        addresses[place.address].remove(place)
        self.counts.remove(place)
        if not addresses[place.address]:
            del addresses[place.address]
        if not addresses:
            del self._networks[place.network]

    def take(self, having: Counts, fits: Callable[[Place], bool]) -> Place | None:
        """The next that fits, by who has the fewest in `having`; its network and address go to the end."""
        best: Place | None = None
        fewest = 0
        for addresses in self._networks.values():
            found = min(filter(fits, (places[0] for places in addresses.values())), key=having.address, default=None)
            if found is None:
                continue
            has = having.network(found)
            if best is None or has < fewest:
                best, fewest = found, has
            if not has:
                break  # in a flood of many networks the first, as a rule
        if best is not None:
            self._serve(best)
        return best

    def _serve(self, place: Place) -> None:
        self.remove(place)
        if addresses := self._networks.pop(place.network, None):
            self._networks[place.network] = addresses
            if places := addresses.pop(place.address, None):
                addresses[place.address] = places

    def gives_way(self, place: Place) -> Place | None:
        """Who leaves the line for `place` when it is full: the newest of whoever has the most of it, if that is more
        than the newcomer would have.
        """
        if self.is_even:
            return None
        most = max(self._newest(), key=lambda each: (self.counts.network(each), self.counts.address(each)))
        counted = self.counts.address if most.network == place.network else self.counts.network
        return most if counted(place) + 1 < counted(most) else None

    def _newest(self) -> Iterator[Place]:
        return (places[-1] for addresses in self._networks.values() for places in addresses.values())

    def __iter__(self) -> Iterator[Place]:
        return (place for addresses in self._networks.values() for places in addresses.values() for place in places)
