"""Addresses: where owners are, and where bots come from. None of them is routed (RFC 1112, RFC 3849)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from sekisho.simulate.draw import WORD, Draw, Walk

if TYPE_CHECKING:
    from sekisho.simulate.laboratory.scenario import Attack, OwnerHabits

_HOMES = int(IPv4Address("240.0.0.0"))
_LAIRS = int(IPv4Address("248.0.0.0"))
_V6 = int(IPv6Address("2001:db8::"))
_V6_LATER = int(IPv6Address("3fff::"))  # for documentation as well (RFC 9637): a /32 for each further campaign
_V6_HOMES = int(IPv6Address("3fff:800::"))  # for documentation as well: a /32 for each of 64 carriers
_CARRIERS = 64
_NETWORKS = 1 << 18  # of 256 addresses each, for either side
_BLOCK = 32  # servers that a bot's owner rents in one /24

DAY_S: Final = 86_400.0
HOME, NAT, PROXY, AWAY = "at home", "carrier NAT", "company proxy", "travelling"


class OwnerPlaces:
    """Where each owner logs in from: at home, or behind an address that many share."""

    def __init__(self, owners: OwnerHabits, seed: int) -> None:
        self._owners = owners
        self._network = Walk(Draw(seed, "home"), _NETWORKS)
        self._shared = Walk(Draw(seed, "shared"), owners.count)
        self._v6 = Draw(seed, "IPv6 homes")

    def kind(self, owner: int) -> str:
        """Return where an owner logs in from: `NAT`, `PROXY` or `HOME`.

        The shares of the scenario hold exactly, and no owner's number shows the kind.
        """
        place = (self._shared(owner) + 0.5) / self._owners.count
        if place < self._owners.nat_share:
            return NAT
        return PROXY if place < self._owners.nat_share + self._owners.proxy_share else HOME

    def address(self, owner: int, at_s: float = 0.0) -> str:
        """Return where an owner logs in from, in seconds after the beginning of the history."""
        match self.kind(owner):
            case "carrier NAT":
                return self.nat(self._shared(owner) // self._owners.nat_size)
            case "company proxy":
                return self.proxy(self._shared(owner) // self._owners.proxy_size)
            case _ if self._has_v6(owner):
                return self._v6_home(owner, at_s)
            case _:
                return _v4(_HOMES, self._network(owner), 7)

    def in_pool(self, owner: int, number: int) -> str:
        """Return an address in the pool from which an owner's home has its /56; empty for an owner without."""
        if owner < 0 or self.kind(owner) != HOME or not self._has_v6(owner):
            return ""
        return self._in_pool(owner, self._v6.words(owner << 20 | 1 << 19 | number)[2] >> 40, 0)

    def _has_v6(self, owner: int) -> bool:
        return self._v6.words(owner)[0] < self._owners.v6_share * WORD

    def _v6_home(self, owner: int, at_s: float) -> str:
        lease_s = self._owners.v6_days * DAY_S
        # Not all homes change at midnight.
        lease = int(at_s / lease_s + self._v6.words(owner)[1] / WORD) if lease_s else 0
        home = self._v6.words(owner << 20 | lease)[2] >> 40
        return self._in_pool(owner, home, self._v6.words(int(at_s * 1000))[3] >> 56)

    def _in_pool(self, owner: int, drawn: int, log_in: int) -> str:
        """`drawn`: 24 bits of a /56 in the carrier's /32, of which the pool fixes the first; `log_in`: its /64."""
        words = self._v6.words(owner)
        changing = (1 << 56 - self._owners.v6_pool) - 1
        home = words[2] >> 40 & ~changing | drawn & changing
        return str(IPv6Address(_V6_HOMES + (words[3] % _CARRIERS << 96) + (home << 72) + (log_in << 64) + 1))

    @property
    def nats(self) -> int:
        """Carriers' addresses with owners behind them; 1 at least."""
        return max(1, -(-round(self._owners.count * self._owners.nat_share) // self._owners.nat_size))

    @property
    def full_proxy(self) -> int:
        """The number of the company in the middle of all: its address certainly has owners behind it."""
        owners = self._owners
        return int(owners.count * (owners.nat_share + owners.proxy_share / 2)) // owners.proxy_size

    def nat(self, number: int) -> str:
        """The address of a carrier's NAT."""
        return _v4(_HOMES, self._network(150_000 + number), 1)

    def proxy(self, number: int) -> str:
        """The address of a company."""
        return _v4(_HOMES, self._network(100_000 + number), 1)

    def away(self, trip: int) -> str:
        """Return an address that no owner was at before, for a trip."""
        return _v4(_HOMES, self._network(200_000 + trip % 60_000), 9)


class BotPlaces:
    """The addresses of a campaign, by the number of the attempt.

    Args:
        attack: whose addresses.
        owners: where the owners are, behind whose shared addresses bots may be.
        seed: of the campaign: two campaigns have no address in common, but for shared ones.
        campaign: its number, from 0.
    """

    def __init__(self, attack: Attack, owners: OwnerPlaces, seed: int, campaign: int) -> None:
        self._attack = attack
        self._owners = owners
        self._network = Walk(Draw(seed, "lair"), _NETWORKS)
        self._v6 = _V6 if not campaign else _V6_LATER + (campaign << 96)

    def address(self, attempt: int) -> str:
        if self._attack.behind_nat:
            return self._owners.nat(attempt % min(self._attack.nats, self._owners.nats))
        if self._attack.behind_proxy:
            return self._owners.proxy(self._owners.full_proxy)
        return self._of(self._number(attempt))

    def _number(self, attempt: int) -> int:
        """A crew's addresses take turns until their share of the attempts is done; then the next crew follows."""
        attack = self._attack
        if not attack.addresses:
            return attempt
        if not attack.crew:
            return attempt % attack.addresses
        crews = -(-attack.addresses // attack.crew)
        shift = min(crews - 1, attempt * crews // attack.attempts)
        return (shift * attack.crew + attempt % attack.crew) % attack.addresses

    def _of(self, number: int) -> str:
        match self._attack.source:
            case "datacentre":
                return _v4(_LAIRS, self._network(number // _BLOCK), number % _BLOCK + 1)
            case "v6_64":
                return str(IPv6Address(self._v6 + (number // 256 << 72) + (number % 256 << 64) + 1))
            case "v6_48":
                return str(IPv6Address(self._v6 + (number % (1 << 16) << 80) + 1))
            case _:
                return _v4(_LAIRS, self._network(number), number % 250 + 1)


def _v4(base: int, network: int, host: int) -> str:
    return str(IPv4Address(base + (network << 8) + host))
