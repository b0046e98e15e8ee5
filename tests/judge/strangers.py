"""Strangers' outcomes for tests of the posture: honest people who mistype and forget, and attackers with a list.

The honest share of successes is the published 60 to 85% (Shape); an attacker's is 0.2 to 2%. How mistakes cluster in
people is assumed: nine in ten of a stranger's tries are right, but some strangers have forgotten their password.
"""

from __future__ import annotations

from bisect import bisect
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING

from sekisho.model.posture import StrangerOutcome, ToldOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DOOR = "POST /login"
BROWSERS = ((4, 0.6), (5, 0.25), (3, 0.08), (1, 0.07))
TRIES_MAX = 5
REMEMBERS, FORGOT = 0.93, 0.25  # how likely a try of theirs is right


class Strangers:
    """Makes outcomes from one seed.

    `success`: the share of the honest strangers' attempts that succeed. `providers`: that their networks belong to; 0
    for IPv4.
    """

    def __init__(self, seed: int, *, success: float, providers: int = 0) -> None:
        self.random = Random(seed)
        self.success = success
        self._forgetful = _forgetful(success)
        self._browsers = [browser for browser, _ in BROWSERS]
        self._cumulated = list(accumulate([share for _, share in BROWSERS][:-1]))
        self._networks = [self._bytes() for _ in range(3_000)]
        self._providers = [bytes(3) + bytes([number]) for number in range(providers)] or [b""]

    def honest(self, attempts: int, *, success: float | None = None) -> Iterator[StrangerOutcome]:
        """Attempts of people one after the other, each until they succeed or give up."""
        forgetful = self._forgetful if success is None else _forgetful(success)
        while attempts > 0:
            for outcome in self._person(forgetful):
                yield outcome
                attempts -= 1

    def _person(self, forgetful: float) -> list[StrangerOutcome]:
        random = self.random
        right = FORGOT if random.random() < forgetful else REMEMBERS
        # A third of all come from networks that many share.
        at = int(30 * random.random()) if random.random() < 1 / 3 else int(3_000 * random.random())
        network, account = self._networks[at], self._bytes()
        provider = self._providers[at % len(self._providers)]
        browser = self._browsers[bisect(self._cumulated, random.random())]
        found = []
        for _ in range(TRIES_MAX):
            succeeded = random.random() < right
            told = ToldOutcome.SUCCEEDED if succeeded else ToldOutcome.FAILED
            found.append(StrangerOutcome(DOOR, told, network, browser, account, provider))
            if succeeded:
                break
        return found

    def guess(self, right: float, network: bytes = b"", account: bytes = b"", browser: int = 4) -> StrangerOutcome:
        """An attacker's attempt: from an address and at an account that it has for itself, unless they are given."""
        told = ToldOutcome.SUCCEEDED if self.random.random() < right else ToldOutcome.FAILED
        return StrangerOutcome(DOOR, told, network or self._bytes(), browser, account or self._bytes())

    def aged(self, outcomes: Iterable[StrangerOutcome], *, new: float) -> Iterator[StrangerOutcome]:
        """The same outcomes, where this share of the accounts is new."""
        account, is_new = b"", False
        for outcome in outcomes:
            if outcome.account != account:
                account, is_new = outcome.account, self.random.random() < new
            succeeded = outcome.told is ToldOutcome.SUCCEEDED
            yield outcome._replace(told=ToldOutcome.NEW_SUCCEEDED) if is_new and succeeded else outcome

    def mixed(self, attempts: int, *, hostile: float, right: float) -> Iterator[StrangerOutcome]:
        """Attempts of which this share is an attacker's."""
        honest = self.honest(10**9)
        for _ in range(attempts):
            yield self.guess(right) if self.random.random() < hostile else next(honest)

    def _bytes(self) -> bytes:
        return self.random.randbytes(4)


def _forgetful(success: float) -> float:
    """The share of strangers who have forgotten their password, for this share of attempts that succeed."""
    sure_tries, sure_rights = _tries(REMEMBERS)
    other_tries, other_rights = _tries(FORGOT)
    # success = (s·rights_sure + f·rights_forgot) / (s·tries_sure + f·tries_forgot), with s = 1 - f
    return (sure_rights - success * sure_tries) / (sure_rights - other_rights + success * (other_tries - sure_tries))


def _tries(right: float) -> tuple[float, float]:
    """Expected tries of a person, and how many of them succeed (at most one)."""
    wrong = 1 - right
    return (1 - wrong**TRIES_MAX) / right, 1 - wrong**TRIES_MAX
