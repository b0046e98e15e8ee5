"""Limits the letters of a kind to an owner in an hour: the first few are sent, then the tenth, hundredth, thousandth.

An attacker with a password can begin a step-up every second; with a letter for each, the flood would hide the one that
matters. All workers count together in the vault; a letter that stands for several events says for how many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sekisho.crypto.vault_keys import VaultKeys
    from sekisho.store.vault import Vault

PERIOD_S: Final = 3_600
AT_ONCE: Final = {"step_up_not_completed": 1, "new_device": 3, "factor_changed": 10, "factor_reset_asked": 1}
"""How many events of a kind get a letter each: one for events that a thief can cause, a few where a proof is needed."""

TOGETHER: Final = frozenset({10, 100, 1_000})


class LetterBudget:
    """Args:
    vault: counts the letters.
    keys: of the vault.
    """

    def __init__(self, vault: Vault, keys: VaultKeys) -> None:
        self._vault = vault
        self._keys = keys

    async def times(self, kind: str, owner: str) -> int:
        """The number of such events within the hour, this one included; 0 if this event gets no letter.

        Args:
            kind: a key of `AT_ONCE`.
            owner: see `Contact.owner`.

        Raises:
            StoreUnavailable: the number is unknown.
        """
        times = await self._vault.count(self._keys.of(b"letters", kind, owner), seconds=PERIOD_S)
        if times <= AT_ONCE[kind]:
            return 1
        return times if times in TOGETHER else 0
