"""Limits the codes that the whole site sends behind right secrets in an hour.

Beyond it no code leaves, and no log-in is let in for that: its answer is the same, and waits for a proof as ever.

From four fifths of the budget on, codes are dropped at random, ever more of them. At a sharp limit an attacker who uses
up the rest with own accounts could place one guess, and see by the next own code whether the guess was right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.crypto.vault_keys import VaultKeys
    from sekisho.store.vault import Vault

PERIOD_S: Final = 3_600
UNLIMITED: Final = 0.8
"""The share of the budget that is sent without a draw."""


class CodeBudget:
    """All workers count together.

    Args:
        vault: counts.
        keys: the vault's.
        codes_max: in an hour.
        chance: a random number from 0 up to 1.
        exhausted: called when the first code of an hour is dropped.
    """

    def __init__(
        self,
        vault: Vault,
        keys: VaultKeys,
        *,
        codes_max: int,
        chance: Callable[[], float],
        exhausted: Callable[[], None],
    ) -> None:
        self._vault = vault
        self._keys = keys
        self._codes_max = codes_max
        self._chance = chance
        self._exhausted = exhausted

    async def take(self, *, sends: bool) -> bool:
        """Use up one code of the site's hour; return whether it may be sent. Raises `StoreUnavailable`.

        `sends`: whether there is a code. Without one, the same step is done on another counter, and
        the result is False.
        """
        kind = b"sent" if sends else b"not sent"
        sent = await self._vault.count(self._keys.of(b"codes by hour", kind), seconds=PERIOD_S)
        if not sends:
            return False
        if self._chance() >= dropped_share(sent, self._codes_max):
            return True
        if await self._vault.once(self._keys.of(b"codes by hour", b"said"), seconds=PERIOD_S):
            self._exhausted()
        return False


def dropped_share(sent: int, codes_max: int) -> float:
    """Return the share of codes to drop, from 0 to 1, once `sent` codes were counted in this hour.

    It is 0 up to the share `UNLIMITED` of `codes_max`, and 1 beyond `codes_max`.
    """
    if sent > codes_max:
        return 1.0
    return max(0.0, (sent / codes_max - UNLIMITED) / (1 - UNLIMITED))
