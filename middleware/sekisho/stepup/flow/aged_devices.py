"""Whether a device that was seen for long is let in without a proof: only once its owner was told of it.

The owner is told before the first such log-in is answered. An attack that touches the device ends its age: any question
that the device meets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.model import SekishoError
from sekisho.store.vault import SECONDS_MAX

if TYPE_CHECKING:
    from sekisho.crypto.vault_keys import VaultKeys
    from sekisho.stepup.factors import Factors
    from sekisho.stepup.factors.senders import Senders
    from sekisho.store.vault import Vault

NOTICE: Final = "aged_device"
WEBHOOK: Final = "webhook"  # the factor whose codes need no mail address
_TOLD: Final = b"told"
_ENDED: Final = b"ended"


class AgedDevices:
    """Belongs to one event loop.

    Args:
        vault: remembers for 90 days which devices' owners were told, and which devices were asked.
        keys: the vault's.
        factors: finds the owner.
        senders: tells the owner.
    """

    def __init__(self, vault: Vault, keys: VaultKeys, factors: Factors, senders: Senders) -> None:
        self._vault = vault
        self._keys = keys
        self._factors = factors
        self._senders = senders

    async def lets_in(self, account: str, device: bytes, *, browser: str, network: str) -> bool:
        """Whether a device that was seen for long is let in after a right secret, without a proof.

        The owner is told of the device first. False if that fails, after `end`, or if the store or the database fails.
        True for an owner who can be neither told nor asked.
        """
        key = self._key(account, device)
        try:
            known = await self._vault.get(key)
            if known is not None:
                return known == _TOLD
            owner = await self._factors.owner(account)
            if owner.contact is None:
                return False  # it may be another spelling of an account that has enrolled a factor
            if not owner.contact.email and WEBHOOK not in self._factors.names:
                return True  # it can be asked for nothing: a question would shut its owner out
            if not await self._senders.delivered(owner, NOTICE, browser=browser, network=network, device=device):
                return False
            # An attack that ended it while the letter was under way wins.
            return await self._vault.put(key, _TOLD, seconds=SECONDS_MAX, only_new=True) or (
                await self._vault.get(key) == _TOLD
            )
        except SekishoError:
            return False

    async def end(self, account: str, device: bytes) -> None:
        """Record that a device was asked for a proof: its age no longer spares it one. Raises `StoreUnavailable`."""
        await self._vault.put(self._key(account, device), _ENDED, seconds=SECONDS_MAX)

    def _key(self, account: str, device: bytes) -> bytes:
        return self._keys.of(b"aged device", account, device)
