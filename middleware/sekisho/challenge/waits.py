"""Waiting instead of work, for browsers without JavaScript: slower, and a few times an hour for each network.

Waiting half a minute uses no processor, and a thousand forms can wait at the same time. So waits are counted for each
network, and never cost less than the work: an attacker's network gets six guesses an hour by waiting.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from sekisho.crypto.seal import Unsealable

if TYPE_CHECKING:
    from sekisho.challenge.challenges import Challenges
    from sekisho.crypto.vault_keys import VaultKeys
    from sekisho.store.vault import Vault

WAIT_S: Final = 30
WAITS_MAX: Final = 6
PERIOD_S: Final = 3_600


class Waits:
    """Accepts waits.

    Args:
        challenges: opens the form that a page carries, which states when it was sealed.
        vault: counts the waits.
        keys: the vault's.
    """

    def __init__(self, challenges: Challenges, vault: Vault, keys: VaultKeys) -> None:
        self._challenges = challenges
        self._vault = vault
        self._keys = keys

    async def done(self, text: str, *, browser_key: str, door: str, body: bytes, network: bytes, now_s: int) -> bool:
        """Whether this request has waited long enough. True once for each form, and six times an hour for a network.

        Args:
            text: the sealed form of the page.
            browser_key: the browser's key.
            door: the door's name.
            body: the request's body.
            network: digest of the network that is charged.
            now_s: Unix time in seconds.

        Raises:
            StoreUnavailable: the number of waits is unknown.
        """
        try:
            age_s, form = self._challenges.aged_form(text, browser_key=browser_key, now_s=now_s)
        except Unsealable:
            return False
        # Another body would be another guess, without a wait.
        if age_s < WAIT_S or form.door != door or not compare_digest(form.body, body):
            return False
        if not await self._vault.once(self._keys.of(b"waited", sha256(text.encode()).digest()), seconds=PERIOD_S):
            return False
        return await self._vault.count(self._keys.of(b"waits", network), seconds=PERIOD_S) <= WAITS_MAX
