"""Who tries what, where from and when: an attack mixed with its honest surroundings, from one seed, lazily.

What is asked of this module twice is answered twice alike, and it holds no more than a few numbers whatever the
length: the demo's forty thousand attempts and the laboratory's fifty million are the same code.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, NamedTuple

from sekisho.simulate.browsers import BROWSERS
from sekisho.simulate.draw import WORD, Draw, Walk, nth
from sekisho.simulate.population import Population, zipf_password
from sekisho.simulate.words import leaked_passwords

if TYPE_CHECKING:
    from collections.abc import Iterator

# The other half of 240.0.0.0/4, in networks of 256: attackers and owners are neighbours only where a scenario says so.
_LAIRS = int(IPv4Address("248.0.0.0"))
_LAIRS_SIZE = 1 << 18

_RETYPED_AFTER_US = 2_000_000


class Try(NamedTuple):
    """One log-in attempt.

    Attributes:
        at_us: when, in microseconds after the start.
        address: the client's, as a trusted proxy would report it.
        user_agent: the browser, or what a bot pretends to be.
        account, password: what is typed.
        owner: the number of the account's owner; -1 where nobody has that account.
        honest: typed by the owner, and not by an attacker.
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
class Campaign:
    """An attack.

    Attributes:
        attempts: how many.
        per_second: how many a second.
        addresses: how many addresses they come from, in turn; at most 262,144.
        rented_share: of the addresses, those rented in blocks of `block` to a /24; the others stand alone in theirs.
        block: rented addresses in one /24; at most 254.
        known_share: of the attempts, those at accounts that exist; the rest of a combo list has no account here.
        right_share: of the attempts, those whose pair is right because the owner used it elsewhere.
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

    def __post_init__(self) -> None:
        if not (0 <= self.right_share <= self.known_share <= 1):
            raise ValueError("right_share may not exceed known_share, nor known_share 1")
        if not 1 <= self.addresses <= _LAIRS_SIZE or not 1 <= self.block <= 254:
            raise ValueError("addresses must be between 1 and 262,144, in blocks of 1 to 254")
        if self.attempts < 0 or self.per_second <= 0:
            raise ValueError("attempts may not be negative; per_second must be positive")


@dataclass(frozen=True, slots=True)
class Honest:
    """The owners' own log-ins during the attack.

    Attributes:
        logins: how many.
        per_second: how many a second.
        typo_share: of the log-ins, those that begin with a typo and get it right two seconds later.
        known_share: of the owners, those whose browser has logged in before.
    """

    logins: int
    per_second: float
    typo_share: float = 1 / 7
    known_share: float = 0.8


@dataclass(frozen=True, slots=True)
class Scenario:
    """Owners, their habits, and what is thrown at them."""

    title: str
    owners: int
    campaign: Campaign
    honest: Honest
    reusing_share: float = 0.1
    seed: int = field(default=1709)

    def population(self) -> Population:
        return Population(self.owners, self.seed, reusing_share=self.reusing_share)

    def traffic(self) -> Iterator[Try]:
        return traffic(self.population(), self.campaign, self.honest, seed=self.seed)


class Lairs:
    """Where a campaign's attempts come from: address j, reckoned from j."""

    __slots__ = ("_block", "_network", "_rented")

    def __init__(self, campaign: Campaign, seed: int) -> None:
        self._rented = round(campaign.addresses * campaign.rented_share)
        self._block = campaign.block
        self._network = Walk(Draw(seed, "lair"), _LAIRS_SIZE)

    def address(self, number: int) -> str:
        """Rented ones fill their /24 from .1 upwards; the others are each alone in theirs."""
        if number < self._rented:
            network, host = divmod(number, self._block)
        else:
            network, host = number, number % 254
        return str(IPv4Address(_LAIRS + (self._network(network) << 8) + host + 1))


def traffic(population: Population, campaign: Campaign, honest: Honest, *, seed: int = 0) -> Iterator[Try]:
    """The attack and the owners' own log-ins, in order of time."""
    return heapq.merge(
        attack(population, campaign, seed=seed),
        logins(population, honest, seed=seed),
        key=_at_us,
    )


def _at_us(attempt: Try) -> int:
    return attempt.at_us


def attack(population: Population, campaign: Campaign, *, seed: int = 0) -> Iterator[Try]:
    """The campaign alone. Shares hold exactly for the whole, up to rounding."""
    draw, lairs = Draw(seed, "attack"), Lairs(campaign, seed)
    # A combo list is in no order: without shuffling, every n-th attempt would be at an account that exists.
    shuffled = Walk(Draw(seed, "combo list"), max(1, campaign.attempts))
    target = Walk(Draw(seed, "target"), population.owners)
    for number in range(campaign.attempts):
        words = draw.words(number)
        address = number % campaign.addresses
        owner, account, password = _combo(population, campaign, target, shuffled(number), words[0])
        right = owner >= 0 and password == population.password(owner)
        yield Try(
            at_us=_moment(number, words[1], campaign.per_second),
            address=lairs.address(address),
            user_agent=BROWSERS[address % len(BROWSERS)],
            account=account,
            password=password,
            owner=owner,
            honest=False,
            right=right,
            known_device=False,
            listed=right and population.is_listed(owner),
        )


def _combo(population: Population, campaign: Campaign, target: Walk, entry: int, word: int) -> tuple[int, str, str]:
    """Entry `entry` of the attacker's list: owner (or -1), account, password."""
    known = nth(round(campaign.known_share * 1_000_000), entry)
    if known is None:
        return -1, population.account(population.owners + entry), _tried(campaign, entry, word)
    if campaign.sprayed:
        owner = target(known)
        return owner, population.account(owner), _tried(campaign, known // population.owners, word)
    right = nth(round(campaign.right_share * 1_000_000 / campaign.known_share), known)
    if right is not None and population.reusing:
        owner = right % population.reusing
        return owner, population.account(owner), population.password(owner)
    owner = target(known)
    return owner, population.account(owner), _wrong(population.password(owner), word)


def _tried(campaign: Campaign, turn: int, word: int) -> str:
    return leaked_passwords()[turn % campaign.sprayed] if campaign.sprayed else zipf_password(word)


def _wrong(right: str, word: int) -> str:
    """What leaked of this name elsewhere and is not its password here."""
    password = zipf_password(word)
    return password if password != right else password + "1"


def logins(population: Population, honest: Honest, *, seed: int = 0) -> Iterator[Try]:
    """The owners' log-ins alone, each from home; some take two attempts."""
    return heapq.merge(
        _typed(population, honest, seed, mistyped=True),
        _typed(population, honest, seed, mistyped=False),
        key=_at_us,
    )


def _typed(population: Population, honest: Honest, seed: int, *, mistyped: bool) -> Iterator[Try]:
    # Two streams, typos and right passwords, so that each is in order of time and neither keeps a list: the right
    # ones all come as late as a typo takes to mend.
    draw, visitor = Draw(seed, "log-in"), Walk(Draw(seed, "visitor"), population.owners)
    for number in range(honest.logins):
        words = draw.words(number)
        if mistyped and words[0] >= honest.typo_share * WORD:
            continue
        at_us = _moment(number, words[1], honest.per_second) + (0 if mistyped else _RETYPED_AFTER_US)
        yield _at_home(population, honest, visitor(number), at_us, mistyped=mistyped)


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
    """The past: one log-in of each owner with a known device who will log in again during `logins`."""
    visitor = Walk(Draw(seed, "visitor"), population.owners)
    for number in range(min(honest.logins, population.owners)):
        attempt = _at_home(population, honest, visitor(number), 0, mistyped=False)
        if attempt.known_device:
            yield attempt


def _moment(number: int, word: int, per_second: float) -> int:
    """Somewhere within the number's own slot: never before its predecessor, and not like clockwork."""
    return int((number + word / WORD) * 1_000_000 / per_second)


SCENARIOS: dict[str, Scenario] = {
    "demo": Scenario(
        title="stuffing: leaked pairs tried from rented servers and hijacked homes",
        owners=5_000,
        campaign=Campaign(attempts=40_000, per_second=1_600, addresses=300),
        honest=Honest(logins=1_800, per_second=72),
    ),
    "stuffing": Scenario(
        title="7pay, July 2019: tens of millions of leaked pairs in two days",
        owners=16_500_000,
        campaign=Campaign(
            attempts=50_000_000, per_second=290, addresses=200_000, rented_share=0.2, known_share=0.05, block=32
        ),
        honest=Honest(logins=2_000_000, per_second=11.6),
    ),
    "spraying": Scenario(
        title="spraying: the most frequent passwords at every account in turn",
        owners=100_000,
        campaign=Campaign(attempts=300_000, per_second=50, addresses=5_000, known_share=1, right_share=0, sprayed=3),
        honest=Honest(logins=10_000, per_second=1.7),
    ),
}
