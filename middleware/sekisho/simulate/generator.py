"""Generate attempts lazily from one seed: an attack mixed with honest log-ins.

The same seed gives the same attempts, and memory is constant for any length: the demo's forty thousand attempts and the
laboratory's fifty million use the same code.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address
from math import gcd
from typing import TYPE_CHECKING, NamedTuple

from sekisho.simulate.browsers import BROWSERS
from sekisho.simulate.draw import WORD, Draw, Walk, nth
from sekisho.simulate.population import Population, zipf_password
from sekisho.simulate.words import leaked_passwords

if TYPE_CHECKING:
    from collections.abc import Iterator

# The other half of 240.0.0.0/4, in networks of 256: attackers and owners share no network.
_LAIRS = int(IPv4Address("248.0.0.0"))
_LAIRS_SIZE = 1 << 18

_RETYPED_AFTER_US = 2_000_000


class Try(NamedTuple):
    """One log-in attempt.

    Attributes:
        at_us: the time, in microseconds after the start.
        address: the client's, as a trusted proxy would report it.
        user_agent: the browser's, or the one that a bot imitates.
        account, password: the typed credentials.
        owner: the number of the account's owner; -1 if the account does not exist.
        honest: the owner's attempt, not an attacker's.
        right: the password is that of the account.
        known_device: the owner's browser has logged in before and kept its cookies.
        listed: the password is right, and lists of leaked passwords have it.
    """

    at_us: int
    address: str
    user_agent: str
    account: str
    password: str
    owner: int
    honest: bool
    right: bool
    known_device: bool
    listed: bool = False

    def __repr__(self) -> str:
        return f"Try(at_us={self.at_us}, honest={self.honest}, right={self.right}, ...)"


@dataclass(frozen=True, slots=True)
class DemoCampaign:
    """An attack.

    Attributes:
        attempts: the number of attempts.
        per_second: attempts per second.
        addresses: the number of addresses, used in turn; at most 262,144.
        crew: the number of addresses in use at a time, until their share of the attempts is done; then the next ones
            follow. 0: all addresses all the time. Attackers replace addresses, because a refused one loses its value.
        rented_share: of the addresses, those rented in blocks of `block` per /24; the others are alone in theirs.
        block: rented addresses in one /24; at most 254.
        known_share: of the attempts, those at existing accounts; the rest of a combo list has no account here.
        right_share: of the attempts, those whose pair is right because the owner reused the password.
        sprayed: 0 to try each account's own leaked password (stuffing); n to try the n most frequent passwords
            at every account in turn (spraying).
    """

    attempts: int
    per_second: float
    addresses: int
    rented_share: float = 0.6
    block: int = 12
    known_share: float = 0.15
    right_share: float = 0.005
    sprayed: int = 0
    crew: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.right_share <= self.known_share <= 1):
            raise ValueError("right_share may not exceed known_share, nor known_share 1")
        if not 1 <= self.addresses <= _LAIRS_SIZE or not 1 <= self.block <= 254:
            raise ValueError("addresses must be between 1 and 262,144, in blocks of 1 to 254")
        if self.attempts < 0 or self.per_second <= 0:
            raise ValueError("attempts may not be negative; per_second must be positive")
        if self.crew < 0:
            raise ValueError("a crew may not be negative")

    @property
    def shifts(self) -> int:
        """The number of crews, used one after the other."""
        return -(-self.addresses // self.crew) if self.crew else 1

    @property
    def rented(self) -> int:
        """The number of addresses in rented blocks."""
        return round(self.addresses * self.rented_share)


@dataclass(frozen=True, slots=True)
class Honest:
    """The owners' own log-ins during the attack.

    Attributes:
        logins: the number of log-ins.
        per_second: log-ins per second.
        typo_share: of the log-ins, those that begin with a typo and succeed two seconds later.
        known_share: of the owners, those whose browser has logged in before.
    """

    logins: int
    per_second: float
    typo_share: float = 1 / 7
    known_share: float = 0.8


@dataclass(frozen=True, slots=True)
class DemoScenario:
    """Owners, their honest log-ins, and the attack on them."""

    title: str
    owners: int
    campaign: DemoCampaign
    honest: Honest
    reusing_share: float = 0.1
    seed: int = field(default=1709)

    def population(self) -> Population:
        return Population(self.owners, self.seed, reusing_share=self.reusing_share)

    def traffic(self) -> Iterator[Try]:
        return traffic(self.population(), self.campaign, self.honest, seed=self.seed)


class Lairs:
    """The addresses of a campaign, each computed from its number."""

    __slots__ = ("_block", "_network", "_rented")

    def __init__(self, campaign: DemoCampaign, seed: int) -> None:
        self._rented = campaign.rented
        self._block = campaign.block
        self._network = Walk(Draw(seed, "lair"), _LAIRS_SIZE)

    def address(self, number: int) -> str:
        """The address of a number. Rented ones fill their /24 from .1 upwards; the others are each alone in theirs."""
        if number < self._rented:
            network, host = divmod(number, self._block)
        else:
            network, host = number, number % 254
        return str(IPv4Address(_LAIRS + (self._network(network) << 8) + host + 1))


class Rota:
    """Assign attempts to addresses: crews take turns, and so do the members of a crew.

    Every crew has the same mix of rented and other addresses, and every address the same share of the attempts. Within
    a crew's round, neighbours of a /24 are far apart: a network's attempts are evenly spread, not thirty at a time.
    Without crews, the addresses take turns by their number.
    """

    __slots__ = ("_addresses", "_attempts", "_crews", "_rented", "_shifts", "_stride")

    def __init__(self, campaign: DemoCampaign) -> None:
        self._addresses = campaign.addresses
        self._attempts = campaign.attempts
        self._rented = campaign.rented
        self._shifts = campaign.shifts
        self._crews = bool(campaign.crew)
        self._stride = lru_cache(8)(_stride)

    def attempts(self, shift: int) -> range:
        """Return the numbers of the attempts that are made during a shift."""
        return range(shift * self._attempts // self._shifts, (shift + 1) * self._attempts // self._shifts)

    def crew(self, shift: int) -> list[int]:
        """The numbers of the addresses that are used in a shift."""
        return [self._member(place) for place in self._places(shift)]

    def address(self, number: int) -> int:
        """The number of the address of attempt `number`."""
        if not self._crews:
            return number % self._addresses
        shift = ((number + 1) * self._shifts - 1) // self._attempts
        places = self._places(shift)
        turn = number - shift * self._attempts // self._shifts
        return self._member(places.start + turn * self._stride(len(places)) % len(places))

    def _places(self, shift: int) -> range:
        return range(shift * self._addresses // self._shifts, (shift + 1) * self._addresses // self._shifts)

    def _member(self, place: int) -> int:
        """The address at a place. Rented addresses are spread evenly over all places."""
        rented = place * self._rented // self._addresses
        if (place + 1) * self._rented // self._addresses > rented:
            return rented
        return self._rented + place - rented


def _stride(size: int) -> int:
    """A step near the golden section of a round: it visits all places, each far from the one before."""
    return next(step for step in range(round(size * 0.618), 2 * size + 1) if gcd(step, size) == 1)


def traffic(population: Population, campaign: DemoCampaign, honest: Honest, *, seed: int = 0) -> Iterator[Try]:
    """The attack and the owners' own log-ins, in order of time."""
    return heapq.merge(
        attack(population, campaign, seed=seed),
        logins(population, honest, seed=seed),
        key=_at_us,
    )


def _at_us(attempt: Try) -> int:
    return attempt.at_us


class Combo(NamedTuple):
    """One line of an attacker's list; see `Try`."""

    owner: int
    account: str
    password: str
    right: bool
    listed: bool

    def __repr__(self) -> str:
        return f"Combo(right={self.right}, ...)"


class CampaignTries:
    """A campaign's attempts by number, in any order, so that several processes can share them.

    The origin of an attempt is available without its credentials: a flood is refused by origin, before its credentials
    are read.
    """

    def __init__(self, population: Population, campaign: DemoCampaign, *, seed: int = 0) -> None:
        self._population = population
        self._campaign = campaign
        self._draw = Draw(seed, "attack")
        self._lairs = Lairs(campaign, seed)
        # A combo list has no order: without shuffling, every n-th attempt would be at an existing account.
        self._shuffled = Walk(Draw(seed, "combo list"), max(1, campaign.attempts))
        self._target = Walk(Draw(seed, "target"), population.owners)
        self._known_ppm = round(campaign.known_share * 1_000_000)
        self._right_ppm = round(campaign.right_share * 1_000_000 / campaign.known_share) if campaign.known_share else 0
        self.origin = Rota(campaign).address
        """Maps the number of an attempt to the number of its address."""

    def __len__(self) -> int:
        return self._campaign.attempts

    def __call__(self, number: int) -> Try:
        words = self._draw.words(number)
        origin = self.origin(number)
        owner, account, password, right, listed = self._combo(number, words[0])
        return Try(
            at_us=_moment(number, words[1], self._campaign.per_second),
            address=self.address(origin),
            user_agent=self.user_agent(origin),
            account=account,
            password=password,
            owner=owner,
            honest=False,
            right=right,
            known_device=False,
            listed=listed,
        )

    def address(self, origin: int) -> str:
        return self._lairs.address(origin)

    def user_agent(self, origin: int) -> str:
        return BROWSERS[origin % len(BROWSERS)]

    def combo(self, number: int) -> Combo:
        """Return the credentials of attempt `number`, and whether they are right."""
        return self._combo(number, self._draw.words(number)[0])

    def _combo(self, number: int, word: int) -> Combo:
        population = self._population
        owner, account, password = self._entry(self._shuffled(number), word)
        right = owner >= 0 and password == population.password(owner)
        return Combo(owner, account, password, right, right and population.is_listed(owner))

    def _entry(self, entry: int, word: int) -> tuple[int, str, str]:
        """Entry `entry` of the attacker's list: owner (or -1), account, password."""
        population, campaign = self._population, self._campaign
        known = nth(self._known_ppm, entry)
        if known is None:
            return -1, population.account(population.owners + entry), _tried(campaign, entry, word)
        if campaign.sprayed:
            owner = self._target(known)
            return owner, population.account(owner), _tried(campaign, known // population.owners, word)
        right = nth(self._right_ppm, known)
        if right is not None and population.reusing:
            owner = right % population.reusing
            return owner, population.account(owner), population.password(owner)
        owner = self._target(known)
        return owner, population.account(owner), _wrong(population.password(owner), word)


def attack(population: Population, campaign: DemoCampaign, *, seed: int = 0) -> Iterator[Try]:
    """The campaign alone, in order of time. Shares hold exactly for the whole, up to rounding."""
    return map(CampaignTries(population, campaign, seed=seed), range(campaign.attempts))


def _tried(campaign: DemoCampaign, turn: int, word: int) -> str:
    return leaked_passwords()[turn % campaign.sprayed] if campaign.sprayed else zipf_password(word)


def _wrong(right: str, word: int) -> str:
    """A leaked password that is not this account's."""
    password = zipf_password(word)
    return password if password != right else password + "1"


class Logins:
    """The owners' log-ins by number: the tries of each, a typo first if there is one."""

    def __init__(self, population: Population, honest: Honest, *, seed: int = 0) -> None:
        self._population = population
        self._honest = honest
        self._draw = Draw(seed, "log-in")
        self._visitor = Walk(Draw(seed, "visitor"), population.owners)

    def __len__(self) -> int:
        return self._honest.logins

    def __call__(self, number: int) -> tuple[Try, ...]:
        typo = self.typo(number)
        right = self.right(number)
        return (right,) if typo is None else (typo, right)

    def typo(self, number: int) -> Try | None:
        word, moment, *_ = self._draw.words(number)
        if word >= self._honest.typo_share * WORD:
            return None
        return self._try(number, _moment(number, moment, self._honest.per_second), mistyped=True)

    def right(self, number: int) -> Try:
        # All are delayed by the time to correct a typo: so both streams are in order of time without a list.
        at_us = _moment(number, self._draw.words(number)[1], self._honest.per_second) + _RETYPED_AFTER_US
        return self._try(number, at_us, mistyped=False)

    def _try(self, number: int, at_us: int, *, mistyped: bool) -> Try:
        return _at_home(self._population, self._honest, self._visitor(number), at_us, mistyped=mistyped)


def logins(population: Population, honest: Honest, *, seed: int = 0) -> Iterator[Try]:
    """The owners' log-ins alone, in order of time, each from home; some take two attempts."""
    by_number = Logins(population, honest, seed=seed)
    numbers = range(honest.logins)
    return heapq.merge(filter(None, map(by_number.typo, numbers)), map(by_number.right, numbers), key=_at_us)


def _at_home(population: Population, honest: Honest, owner: int, at_us: int, *, mistyped: bool) -> Try:
    return Try(
        at_us=at_us,
        address=population.home(owner),
        user_agent=population.browser(owner),
        account=population.account(owner),
        password=population.mistyped(owner) if mistyped else population.password(owner),
        owner=owner,
        honest=True,
        right=not mistyped,
        known_device=population.share(owner) < honest.known_share,
    )


def habits(population: Population, honest: Honest, *, seed: int = 0) -> Iterator[Try]:
    """Yield an earlier log-in for each owner with a known device who logs in again during `logins`."""
    visitor = Walk(Draw(seed, "visitor"), population.owners)
    for number in range(min(honest.logins, population.owners)):
        attempt = _at_home(population, honest, visitor(number), 0, mistyped=False)
        if attempt.known_device:
            yield attempt


def _moment(number: int, word: int, per_second: float) -> int:
    """A random time within the number's own slot: never before its predecessor, and not periodic."""
    return int((number + word / WORD) * 1_000_000 / per_second)


SCENARIOS: dict[str, DemoScenario] = {
    "demo": DemoScenario(
        title="stuffing: leaked pairs tried from rented servers and hijacked homes",
        owners=5_000,
        campaign=DemoCampaign(attempts=40_000, per_second=1_600, addresses=300),
        honest=Honest(logins=1_800, per_second=72),
    ),
    "stuffing": DemoScenario(
        title="7pay, July 2019: tens of millions of leaked pairs in two days",
        owners=16_500_000,
        # Each address makes 250 attempts, and each account gets one and a half. Of the origins only one fact was
        # published: most were abroad (Security NEXT, 4 July 2019). So most are modelled as servers rented in blocks.
        # The time of use per address is unknown: half an hour with an attempt every seven seconds is slow for a bot.
        campaign=DemoCampaign(
            attempts=50_000_000,
            per_second=50_000_000 / (2 * 86_400),
            addresses=200_000,
            rented_share=0.8,
            block=32,
            known_share=0.5,
            crew=2_000,
        ),
        honest=Honest(logins=2_000_000, per_second=2_000_000 / (2 * 86_400)),
    ),
    "spraying": DemoScenario(
        title="spraying: the most frequent passwords at every account in turn",
        owners=100_000,
        campaign=DemoCampaign(
            attempts=300_000, per_second=50, addresses=5_000, known_share=1, right_share=0, sprayed=3
        ),
        honest=Honest(logins=10_000, per_second=1.7),
    ),
}
