"""Limits the letters of a kind to an owner in an hour: the first few are sent, then the tenth, hundredth, thousandth.

An attacker with a password can begin a step-up every second. With a letter for each, the flood would hide the letter
that matters. All workers count together in the vault. A letter that stands for several events states their number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sekisho.crypto.vault_keys import VaultKeys
    from sekisho.store.vault import Vault

PERIOD_S: Final = 3_600
AT_ONCE: Final = {
    "step_up_not_completed": 1,
    "new_device": 3,
    "aged_device": 1,
    "factor_changed": 10,
    "factor_reset_asked": 1,
    "password_changed": 10,
    "address_changed": 10,
    "payout_changed": 10,
    "link_added": 3,
    "password_breached": 1,
    "cap_reached": 1,
    "failed_attempts": 1,
    "link_attempted": 1,
}
"""Events of a kind with a letter each: one if a thief can cause the event, a few if it needs a proof."""

TOGETHER: Final = frozenset({10, 100, 1_000})
"""Numbers of events in the hour at which one letter stands for all of them."""


class LetterBudget:
    """Counts events, and decides which of them get a letter.

    Args:
        vault: counts the letters.
        keys: the vault's.
    """

    def __init__(self, vault: Vault, keys: VaultKeys) -> None:
        self._vault = vault
        self._keys = keys

    async def times(self, kind: str, owner: str) -> int:
        """Return the number of events that a letter should name; 0 if this event gets no letter.

        It is 1 for each of the first events in the hour; then the number of such events, this one included.

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
