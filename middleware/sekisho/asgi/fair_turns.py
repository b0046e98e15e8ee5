"""Fair order of a queue: networks take turns, then addresses in them, so that a flood cannot precede a single caller.

The next place is of the network that has the fewest already, and within it of the address that has the fewest. Among
equals they take turns; each address is first come, first served. A list of proxies in one network counts as one.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Whose(NamedTuple):
    """Digests of a network and of an address in it, as they are counted."""

    network: bytes
    address: bytes


class _Counted(Protocol):
    @property
    def network(self) -> bytes: ...
    @property
    def address(self) -> bytes: ...


@dataclass(eq=False, repr=False, slots=True)
class Place:
    """An attempt in the queue, or one that has a place. Each is equal to itself alone."""

    network: bytes
    address: bytes


P = TypeVar("P", bound=Place)


class TurnCounts:
    """How many places each network and each address has; zero counts are removed."""

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


class Turns(Generic[P]):
    """A queue of places."""

    def __init__(self) -> None:
        self.counts = TurnCounts()
        self._networks: dict[bytes, dict[bytes, deque[P]]] = {}

    @property
    def is_even(self) -> bool:
        """Whether every network in the queue has one place only, so that none can give one up for a newcomer."""
        return len(self._networks) == self.counts.total

    def add(self, place: P) -> None:
        self._networks.setdefault(place.network, {}).setdefault(place.address, deque()).append(place)
        self.counts.add(place)

    def remove(self, place: P) -> None:
        addresses = self._networks[place.network]
        addresses[place.address].remove(place)
        self.counts.remove(place)
        if not addresses[place.address]:
            del addresses[place.address]
        if not addresses:
            del self._networks[place.network]

    def take(self, having: TurnCounts, fits: Callable[[P], bool]) -> P | None:
        """Remove and return the next place in turn for which `fits` is true; None if there is none.

        The networks and addresses of which `having` counts the fewest come first; those that were served go to the end.
        """
        best: P | None = None
        fewest = 0
        for addresses in self._networks.values():
            found = min(filter(fits, (places[0] for places in addresses.values())), key=having.address, default=None)
            if found is None:
                continue
            has = having.network(found)
            if best is None or has < fewest:
                best, fewest = found, has
            if not has:
                break  # in a flood of many networks this is usually the first
        if best is not None:
            self._serve(best)
        return best

    def _serve(self, place: P) -> None:
        self.remove(place)
        if addresses := self._networks.pop(place.network, None):
            self._networks[place.network] = addresses
            if places := addresses.pop(place.address, None):
                addresses[place.address] = places

    def gives_way(self, place: P) -> P | None:
        """The place that must leave a full queue so that `place` may enter; None if `place` may not enter.

        It is the newest of the network and address that have the most, if they have more than the newcomer would have.
        """
        if self.is_even:
            return None
        most = max(self._newest(), key=lambda each: (self.counts.network(each), self.counts.address(each)))
        count = self.counts.address if most.network == place.network else self.counts.network
        return most if count(place) + 1 < count(most) else None

    def _newest(self) -> Iterator[P]:
        return (places[-1] for addresses in self._networks.values() for places in addresses.values())
