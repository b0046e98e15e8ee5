"""Who logs in: owners with a browser and a home, and attackers with neither."""

from __future__ import annotations

import random
from collections import deque
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import IPv4Address
from itertools import count, cycle
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.loadtest.lists import NOTHING, Part, accounts, pairs
from sekisho.simulate.browsers import BROWSERS
from sekisho.simulate.draw import Draw, Walk

if TYPE_CHECKING:
    from collections.abc import Iterator

# 240.0.0.0/4 is reserved and routed nowhere (RFC 1112): whoever reads the service's log accuses nobody.
_HOMES, _LAIRS = int(IPv4Address("240.0.0.0")), int(IPv4Address("248.0.0.0"))
_SIZE = 1 << 27

TYPO_EVERY: Final = 7

# TLS ends at the proxy that a load test stands in for: behind it a browser's `Secure` cookies come over plain HTTP.
_EVERYWHERE = DefaultCookiePolicy(secure_protocols=("https", "http"))


class Owner:
    """An owner: always the same address and browser, which keeps its cookies.

    Attributes:
        known: has been let in before, so the browser holds whatever makes a device known.
    """

    __slots__ = ("_logins", "_number", "account", "address", "browser", "cookies", "known", "password")

    def __init__(self, number: int, account: str, password: str, address: str) -> None:
        self.account = account
        self.password = password
        self.address = address
        self.browser = BROWSERS[number % len(BROWSERS)]
        self.cookies = CookieJar(_EVERYWHERE)
        self.known = False
        self._number = number
        self._logins = 0

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
        # An owner can be in one place at a time: whoever takes one out of here puts them back at the end.
        self.owners = deque(
            Owner(number, account, password, _address(_HOMES, home(number)))
            for number, account, password in accounts(Path(owners), part)
        )
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
        """One account after another is somebody's to guess at; passwords that come to mind, and then numbers."""
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

    def new_address(self) -> str:
        """One that no attacker of any worker has had, for the first 134 million."""
        number = self._moves * max(1, self._part.of) + self._part.number
        self._moves += 1
        return _address(_LAIRS, self._lair(number))

    def new_browser(self) -> str:
        return random.choice(BROWSERS)


def _address(base: int, place: int) -> str:
    return str(IPv4Address(base + place))
