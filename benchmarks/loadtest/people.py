"""Who logs in: owners with a browser and a home, and attackers with neither."""

from __future__ import annotations

import random
from collections import deque
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import IPv4Address
from itertools import count, cycle
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from pyotp import TOTP

from benchmarks.loadtest.lists import NOTHING, Part, accounts, pairs
from sekisho.simulate.browsers import BROWSERS
from sekisho.simulate.draw import Draw, Walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.loadtest.lists import Row

# 240.0.0.0/4 is reserved and routed nowhere (RFC 1112), so the service's log accuses no real network.
_HOMES, _LAIRS = int(IPv4Address("240.0.0.0")), int(IPv4Address("248.0.0.0"))
_SIZE = 1 << 27

TYPO_EVERY: Final = 7

# TLS ends at the proxy that a load test stands in for: behind it a browser's `Secure` cookies come over plain HTTP.
_EVERYWHERE = DefaultCookiePolicy(secure_protocols=("https", "http"))


class Browser(NamedTuple):
    """Where an attempt comes from. `cookies`: None where it keeps none."""

    address: str
    agent: str
    cookies: CookieJar | None


class Owner:
    """An owner, always at the same address and with the same browser, which keeps its cookies.

    Attributes:
        known: has been let in before, so the browser holds the device token.
    """

    __slots__ = ("_app", "_logins", "_number", "account", "browser", "known", "password")

    def __init__(self, row: Row, address: str) -> None:
        self.account = row.account
        self.password = row.password
        self.browser = Browser(address, BROWSERS[row.number % len(BROWSERS)], CookieJar(_EVERYWHERE))
        self.known = False
        self._app = TOTP(row.app) if row.app else None
        self._number = row.number
        self._logins = 0

    @property
    def has_app(self) -> bool:
        return self._app is not None

    def code(self) -> str:
        """What the authenticator app shows now."""
        return self._app.now() if self._app else ""

    def mistypes(self) -> bool:
        """Whether this log-in begins with a typo: one in seven does, at another time for each owner."""
        self._logins += 1
        return (self._number + self._logins) % TYPO_EVERY == 0

    @property
    def mistyped(self) -> str:
        """A letter doubled at the end."""
        return self.password + self.password[-1]


class Guess(NamedTuple):
    """What an attacker tries."""

    account: str
    password: str

    def __repr__(self) -> str:
        return "Guess(...)"


class Cast:
    """All who belong to one worker.

    Args:
        part: which of the workers this one is.
        owners: path of the CSV file of owners.
        combos: path of the combo list; empty where there is none.
        sprayed: the passwords to spray.
        seed: of the addresses; the same seed sends the same addresses.
    """

    def __init__(self, part: Part, owners: str, combos: str, sprayed: tuple[str, ...], seed: int) -> None:
        home = Walk(Draw(seed, "owner home"), _SIZE)
        # An owner can be in one place at a time: code that takes one out of here puts it back at the end.
        self.owners = deque(Owner(row, _address(_HOMES, home(row.number))) for row in accounts(Path(owners), part))
        self._victims = [owner.account for owner in self.owners]
        self._next_victim = cycle(self._victims)
        self._pairs = pairs(Path(combos), part) if combos and part != NOTHING else iter(())
        self._sprayed = sprayed
        self._next_sprayed = cycle(sprayed)
        self._lair = Walk(Draw(seed, "lair"), _SIZE)
        self._part = part
        self._moves = 0

    def next_pair(self) -> Guess | None:
        """The next of the combo list; `None` at its end."""
        pair = next(self._pairs, None)
        return None if pair is None else Guess(*pair)

    def guessing(self) -> Iterator[Guess]:
        """Guess at one account after another, with common passwords first and then numbers."""
        account = next(self._next_victim, None)
        if account is not None:
            yield from (Guess(account, password) for password in self._sprayed)
            yield from (Guess(account, f"guess{number}") for number in count())

    def spraying(self) -> Iterator[Guess]:
        """One password at every account, then the next password; from another account on for each who sprays."""
        at = random.randrange(max(1, len(self._victims)))
        while self._victims:
            password = next(self._next_sprayed)
            yield from (Guess(account, password) for account in self._victims[at:] + self._victims[:at])

    def new_browser(self) -> Browser:
        """At an address that no attacker of any worker has had, for the first 134 million."""
        number = self._moves * max(1, self._part.of) + self._part.number
        self._moves += 1
        return Browser(_address(_LAIRS, self._lair(number)), random.choice(BROWSERS), None)


def _address(base: int, place: int) -> str:
    return str(IPv4Address(base + place))
