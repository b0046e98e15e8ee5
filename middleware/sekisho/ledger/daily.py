"""Guesses at codes of one account in a day, over all of its codes and browsers.

An attacker who asks for a code from a new browser each time has a new counter each time. So all guesses of browsers
that asked have one cap a day; those of all other browsers have a smaller one, which they cannot use up for an owner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.model import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.store.vault import Vault

DAY_S = 86_400
OTHERS_SHARE = 5
"""Browsers that did not ask have a fifth of the cap."""


class DailyGuesses:
    """Counts guesses before they reach the application. A day is one of UTC.

    Args:
        vault: keeps the counts.
        own: keeps them while `vault` does not answer; None to raise `StoreUnavailable` then, or to let in.
        let_in: whether guesses that cannot be counted are let in.
        guesses_max: of browsers that asked, at one account in a day.
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
        """Count a guess; microseconds to wait where there is no room for it, 0 where there is.

        Args:
            account: its keyed digest, 16 bytes.
            asked: whether the browser asked for the code.

        Raises `StoreUnavailable` where the settings refuse to judge without the store.
        """
        now_s = self._clock_s()
        day = int(now_s // DAY_S)
        key = b"guesses" + (b"a" if asked else b"o") + day.to_bytes(4) + account
        if await self._count(key) <= self._most[asked]:
            return 0
        return max(1, int(((day + 1) * DAY_S - now_s) * 1_000_000))

    async def _count(self, key: bytes) -> int:
        try:
            return await self._vault.count(key, seconds=DAY_S)
        except StoreUnavailable:
            if self._own is None and not self._let_in:
                raise
        return 0 if self._own is None else await self._own.count(key, seconds=DAY_S)
