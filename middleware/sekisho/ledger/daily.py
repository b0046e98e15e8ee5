"""Limits of a day: guesses at codes of one account, sign-ups of a network and codes mailed for them, targets that one
source tries to link; and of an hour: messages to one account's owner.

An attacker who asks for a code from a new browser each time gets a new counter each time. So all browsers that asked
for a code share one daily cap. All other browsers share a smaller one, and so cannot use up the cap of the owner.

An attacker who tries one PIN at ten thousand accounts fails once at each. So the distinct accounts that one account,
device or network tries to link are limited as well.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, TypeVar

from sekisho.model import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from sekisho.store.vault import Vault

T = TypeVar("T")

DAY_S = 86_400
HOUR_S = 3_600
MESSAGES_MAX = 20
"""Requests in an hour that have a code or a link sent to the owner of one account, from browsers that are not known
there. Work alone would let an attacker have a thousand sent."""

OTHERS_SHARE = 5
"""Browsers that did not ask for a code have a fifth of the cap."""

SIGNUPS: Final = b"s"
LINKS: Final = b"l"
MAILS: Final = b"m"


class DayCounts:
    """Counts of the day, in the store, and in this process while the store does not answer. Days are UTC days.

    Args:
        vault: keeps the counts.
        own: keeps them while `vault` does not answer; None to raise `StoreUnavailable` then, or to let in.
        let_in: whether attempts that cannot be counted are let in.
        clock_s: Unix time in seconds.
    """

    def __init__(self, vault: Vault, own: Vault | None, *, let_in: bool, clock_s: Callable[[], float]) -> None:
        self._vault: Final = vault
        self._own: Final = own
        self._let_in: Final = let_in
        self._clock_s: Final = clock_s

    def today(self) -> tuple[bytes, int]:
        """The day, 4 bytes of a key; and the microseconds until its end."""
        now_s = self._clock_s()
        return day_of(now_s), max(1, int((DAY_S - now_s % DAY_S) * 1_000_000))

    async def ask(self, question: Callable[[Vault], Awaitable[T]], otherwise: T) -> T:
        """Put a question to the store, or to this process's own counts while the store does not answer.

        Returns the answer; `otherwise` if nothing answers and the settings let attempts in.

        Raises:
            StoreUnavailable: the settings forbid judging without the store.
        """
        try:
            return await question(self._vault)
        except StoreUnavailable:
            if self._own is None and not self._let_in:
                raise
        return otherwise if self._own is None else await question(self._own)

    async def forget(self, keys: Iterable[bytes]) -> None:
        """Delete the counts under these keys, as an operator asked; those that cannot be reached stay."""
        for key in keys:
            for vault in (self._vault, self._own):
                if vault is not None:
                    with contextlib.suppress(StoreUnavailable):
                        await vault.forget(key)


class DailyGuesses:
    """Counts guesses before they reach the application.

    Args:
        counts: keeps them.
        guesses_max: guesses of browsers that asked for a code, at one account in a day.
    """

    def __init__(self, counts: DayCounts, *, guesses_max: int) -> None:
        self._counts: Final = counts
        self._most: Final = {True: guesses_max, False: max(1, guesses_max // OTHERS_SHARE)}

    async def take(self, account: bytes, *, asked: bool) -> int:
        """Count a guess; return 0 if there is room for it, otherwise the wait in microseconds.

        Args:
            account: its keyed digest, 16 bytes.
            asked: whether the browser asked for the code.

        Raises:
            StoreUnavailable: the settings forbid judging without the store.
        """
        day, left_us = self._counts.today()
        key = guess_key(account, day, asked=asked)
        count = await self._counts.ask(lambda vault: vault.count(key, seconds=DAY_S), 0)
        return 0 if count <= self._most[asked] else left_us

    async def ask(self, account: bytes) -> int:
        """Count a request that has a message sent to an account's owner; return as `take` does.

        Raises:
            StoreUnavailable: as `take`.
        """
        count = await self._counts.ask(lambda vault: vault.count(message_key(account), seconds=HOUR_S), 0)
        return 0 if count <= MESSAGES_MAX else HOUR_S * 1_000_000

    async def forget(self, accounts: Sequence[bytes]) -> None:
        """Forget today's guesses at these accounts, and the messages to their owners."""
        day, _ = self._counts.today()
        guesses = [guess_key(account, day, asked=asked) for account in accounts for asked in (True, False)]
        await self._counts.forget([*guesses, *map(message_key, accounts)])


def message_key(account: bytes) -> bytes:
    """The vault's key of an hour's messages to an account's owner."""
    return b"messages" + account


def guess_key(account: bytes, day: bytes, *, asked: bool) -> bytes:
    """The vault's key of a day's guesses at an account; `day`: see `day_of`."""
    return b"guesses" + (b"a" if asked else b"o") + day + account


def day_of(now_s: float) -> bytes:
    """Return the UTC day of a Unix time in seconds, as 4 bytes of a key."""
    return int(now_s // DAY_S).to_bytes(4)


class DailyLimits:
    """Counts what sources do in a day, before it reaches the application.

    Args:
        counts: keeps it.
    """

    def __init__(self, counts: DayCounts) -> None:
        self._counts: Final = counts

    async def take(self, kind: bytes, sources: Sequence[tuple[bytes, int]], target: bytes = b"") -> int:
        """Count an act for each source; return 0 if all have room, otherwise the microseconds until the day ends.

        The first source without room ends the counting.

        Args:
            kind: one byte for each sort of limit.
            sources: keyed digests, 16 bytes each, with the most that each may do in a day.
            target: the digest of an account, 16 bytes: distinct ones count once. Empty: everything counts.

        Raises:
            StoreUnavailable: the settings forbid judging without the store.
        """
        day, left_us = self._counts.today()
        for source, most in sources:
            if not await self._has_room(kind + day + source, most, target):
                return left_us
        return 0

    def _has_room(self, name: bytes, most: int, target: bytes) -> Awaitable[bool]:
        return self._counts.ask(lambda vault: _take(vault, name, most, target), True)

    async def forget(self, sources: Iterable[bytes]) -> None:
        """Delete today's counts of these sources. Accounts that they have tried stay free for them."""
        day, _ = self._counts.today()
        await self._counts.forget(kind + day + source for source in sources for kind in (SIGNUPS, LINKS, MAILS))


async def _take(vault: Vault, name: bytes, most: int, target: bytes) -> bool:
    if not target:
        return await vault.count(name, seconds=DAY_S) <= most
    # Beyond the limit nothing is written: a flood of targets fills no store.
    if int(await vault.get(name) or 0) >= most:
        return await vault.get(name + target) is not None
    if not await vault.once(name + target, seconds=DAY_S):
        return True
    if await vault.count(name, seconds=DAY_S) <= most:
        return True
    await vault.forget(name + target)  # many at once: this one came too late
    return False
