"""What the workers note for the feed within an attempt: a few dictionary entries, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar, final

from sekisho.feed.entries import network_of
from sekisho.model import Marked
from sekisho.read import Networks, contains

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.feed.entries import Network
    from sekisho.model import Charge, Origin, Verdict

T = TypeVar("T")

NOTED_MAX: Final = 512  # between two publications of one worker; a flood of more addresses is left to the limits
SOURCES_MAX: Final = 1_024
WARNED_S: Final = 3_600


class NotedRefusal(NamedTuple):
    """Attributes:
    digest: of the address.
    until_ms: its end, as Unix time in milliseconds.
    unsure: the charge, where the ledger has not looked at the address's credit; else None.
    """

    digest: bytes
    until_ms: int
    unsure: Charge | None


class Taken(NamedTuple):
    """What one publication takes.

    Attributes:
        refused: by the counted prefix of each refused address.
        known: keyed digests of addresses where a known device logged in, to their counted prefixes.
        warned: whether the shared-bucket warning stands.
    """

    refused: dict[bytes, NotedRefusal]
    known: dict[bytes, bytes]
    warned: bool


@final
class RefusalNotes:
    """Belongs to a process. Addresses stay here for a second at most.

    Args:
        clock_s: Unix time, as other workers have it.
        seconds_max: the longest time for which an address is published.
        never: networks that are never published: trusted proxies, the allow list.
    """

    def __init__(self, clock_s: Callable[[], float], seconds_max: int, never: Sequence[Network]) -> None:
        self._clock_s = clock_s
        self.seconds_max = seconds_max
        self._never = Networks(never)
        self._noted: dict[bytes, tuple[Origin, Charge, float]] = {}
        self._known: dict[bytes, bytes] = {}
        self._forwarding: dict[bytes, float] = {}
        self._direct: dict[bytes, float] = {}

    def refused(self, origin: Origin, charge: Charge, verdict: Verdict) -> None:
        """Note the address of an attempt that the ledger has refused by the address's limits, to be published.

        Other refusals are not noted, nor those of an address that has earned credit lately.
        """
        if not verdict.ip_wait_us or verdict.counters_lost or verdict.is_of_many:
            return
        # All else is done twice a second, outside of requests.
        if len(self._noted) < NOTED_MAX:
            self._noted[origin.prefixes[0]] = (origin, charge, self._clock_s() + verdict.ip_wait_us / 1e6)

    def known(self, origin: Origin, charge: Charge, verdict: Verdict) -> None:
        """Note the address where a known device has logged in. It counts for an account a day old, once a day."""
        if verdict.marks & Marked.EARNS:
            _note(self._known, charge.ip, origin.prefixes[0], NOTED_MAX)

    def take(self) -> Taken | None:
        """Remove and return all that was noted since the last call; None if nothing was."""
        if not self._noted and not self._known:
            return None
        noted, self._noted = self._noted, {}
        known, self._known = self._known, {}
        ends_s = self._clock_s() + self.seconds_max
        for origin, _, _ in noted.values():
            self._note_source(origin)
        refused = {
            prefix: NotedRefusal(charge.ip, int(min(until_s, ends_s) * 1000), None if charge.place else charge)
            for prefix, (origin, charge, until_s) in noted.items()
            if self._may_be_blocked(origin)
        }
        return Taken(refused, known, self._is_warned())

    def _note_source(self, origin: Origin) -> None:
        sources = self._forwarding if origin.forwarded_by_stranger else self._direct
        # By its widest prefix: the owner of a /48 has 65,536 addresses with which to outvote all others.
        _note(sources, origin.prefixes[-1], self._clock_s() + WARNED_S, SOURCES_MAX)

    def _is_warned(self) -> bool:
        now_s = self._clock_s()
        latest_s = now_s + WARNED_S  # later ones are from before the clock was set back
        forwarding, direct = (
            sum(now_s < until_s <= latest_s for until_s in sources.values())
            for sources in (self._forwarding, self._direct)
        )
        return forwarding > direct

    def _may_be_blocked(self, origin: Origin) -> bool:
        # A forwarding peer may be the site's own proxy: all clients would be blocked with it.
        if origin.forwarded_by_stranger:
            return False
        network = network_of(origin.prefixes[0])
        # Behind NAT64 an address is counted as IPv4; the front sees an IPv6 address that many share.
        is_as_seen = network is not None and (network.version == 6) is (":" in origin.address)
        return is_as_seen and may_be_blocked(network) and not contains(self._never, origin.address)


def may_be_blocked(network: Network | None) -> bool:
    """Whether a network is one of the public internet: private ones are those of proxies and of the site itself."""
    return network is not None and network.is_global and not network.is_multicast


def _note(noted: dict[bytes, T], name: bytes, value: T, most: int) -> None:
    if len(noted) >= most and name not in noted:
        del noted[next(iter(noted))]
    noted[name] = value
