"""How many letters of a kind an owner is written in an hour: the first few at once, then at ten, a hundred, a thousand.

Whoever has a password can begin a step-up every second, and each was a letter. A mailbox that is flooded hides the one
letter that matters. Counted in the vault, so over all workers; a letter that stands for many says for how many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sekisho.challenge.keys import VaultKeys
    from sekisho.store.vault import Vault

PERIOD_S: Final = 3_600
AT_ONCE: Final = {"step_up_not_completed": 1, "new_device": 3, "factor_changed": 10, "factor_reset_asked": 1}
"""How many of a kind are told one by one: of what a thief alone can cause the first, of what wants a proof a few."""

TOGETHER: Final = frozenset({10, 100, 1_000})


class LetterBudget:
    """Args:
    vault: where letters are counted.
    keys: names in it.
    """

    def __init__(self, vault: Vault, keys: VaultKeys) -> None:
        self._vault = vault
        self._keys = keys

    async def times(self, kind: str, owner: str) -> int:
        """How often it has happened within the hour, this time included; 0: no letter is written for this time.

        Args:
            kind: a key of `AT_ONCE`.
            owner: see `Contact.owner`.

        Raises:
            StoreUnavailable: nobody knows.
        """
        times = await self._vault.count(self._keys.of(b"letters", kind, owner), seconds=PERIOD_S)
        if times <= AT_ONCE[kind]:
            return 1
        return times if times in TOGETHER else 0
