"""Limits of a day: guesses at codes of one account, sign-ups of a network, targets that one source tries to link.

An attacker who asks for a code from a new browser each time gets a new counter each time. So all browsers that asked
for a code share one daily cap. All other browsers share a smaller one, and so cannot use up the cap of the owner.

An attacker who tries one PIN at ten thousand accounts fails once at each. So the distinct accounts that one account,
device or network tries to link are limited as well.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from sekisho.model import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sekisho.store.vault import Vault

DAY_S = 86_400
OTHERS_SHARE = 5
"""Browsers that did not ask for a code have a fifth of the cap."""


class DailyGuesses:
    """Counts guesses before they reach the application. Days are UTC days.

    Args:
        vault: keeps the counts.
        own: keeps them while `vault` does not answer; None to raise `StoreUnavailable` then, or to let in.
        let_in: whether guesses that cannot be counted are let in.
        guesses_max: guesses of browsers that asked for a code, at one account in a day.
        clock_s: Unix time in seconds.
    """

    def __init__(
        self, vault: Vault, own: Vault | None, *, let_in: bool, guesses_max: int, clock_s: Callable[[], float]
    ) -> None:
        self._vault: Final = vault
        self._own: Final = own
        self._let_in: Final = let_in
        self._most: Final = {True: guesses_max, False: max(1, guesses_max // OTHERS_SHARE)}
        self._clock_s: Final = clock_s

    async def take(self, account: bytes, *, asked: bool) -> int:
        """Count a guess; return 0 if there is room for it, otherwise the wait in microseconds.

        Args:
            account: its keyed digest, 16 bytes.
            asked: whether the browser asked for the code.

        Raises:
            StoreUnavailable: the settings forbid judging without the store.
        """
        now_s = self._clock_s()
        day = int(now_s // DAY_S)
        if await self._count(_key(account, day, asked=asked)) <= self._most[asked]:
            return 0
        return _to_the_next_us(day, now_s)

    async def forget(self, accounts: Iterable[bytes]) -> None:
        """Forget today's guesses at these accounts, as an operator asked; those that cannot be reached stay."""
        day = int(self._clock_s() // DAY_S)
        for key in [_key(account, day, asked=asked) for account in accounts for asked in (True, False)]:
            for vault in (self._vault, self._own):
                if vault is not None:
                    with contextlib.suppress(StoreUnavailable):
                        await vault.forget(key)

    async def _count(self, key: bytes) -> int:
        try:
            return await self._vault.count(key, seconds=DAY_S)
        except StoreUnavailable:
            if self._own is None and not self._let_in:
                raise
        return 0 if self._own is None else await self._own.count(key, seconds=DAY_S)


def _to_the_next_us(day: int, now_s: float) -> int:
    """Microseconds from now to the end of a day."""
    return max(1, int(((day + 1) * DAY_S - now_s) * 1_000_000))


def _key(account: bytes, day: int, *, asked: bool) -> bytes:
    return b"guesses" + (b"a" if asked else b"o") + day.to_bytes(4) + account


class DailyLimits:
    """Counts what sources do in a day, before it reaches the application.

    Args:
        vault, own, let_in, clock_s: as `DailyGuesses` has them.
    """

    def __init__(self, vault: Vault, own: Vault | None, *, let_in: bool, clock_s: Callable[[], float]) -> None:
        self._vault: Final = vault
        self._own: Final = own
        self._let_in: Final = let_in
        self._clock_s: Final = clock_s

    async def take(self, kind: bytes, sources: Sequence[tuple[bytes, int]], target: bytes = b"") -> int:
        """Count for each source until one has no room; return 0 if all have, otherwise the wait in microseconds.

        Args:
            kind: one byte for each sort of limit.
            sources: keyed digests, 16 bytes each, with the most that each may do in a day.
            target: the digest of an account, 16 bytes: distinct ones count once. Empty: everything counts.

        Raises:
            StoreUnavailable: the settings forbid judging without the store.
        """
        now_s = self._clock_s()
        day = int(now_s // DAY_S)
        for source, most in sources:
            if not await self._has_room(kind + day.to_bytes(4) + source, most, target):
                return _to_the_next_us(day, now_s)
        return 0

    async def _has_room(self, name: bytes, most: int, target: bytes) -> bool:
        try:
            return await _take(self._vault, name, most, target)
        except StoreUnavailable:
            if self._own is None and not self._let_in:
                raise
        return self._own is None or await _take(self._own, name, most, target)


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
