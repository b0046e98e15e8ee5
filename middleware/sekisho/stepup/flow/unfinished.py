"""Step-ups that nobody completed: their owners hear of them, whichever worker is still there when it is time.

Somebody had the right password and no proof. Nobody else could know that the password is known, so the notice must not
be lost with the worker that saw it. What is to be told lies in the vault, sealed, in the slot of ten seconds in which
it is due; every worker empties the slots whose time has come, and a worker that starts those of the last half hour.
Of several workers one takes each entry, and of a late proof and a notice whoever claims the ticket first.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Final

from sekisho.challenge.escrow import REMEMBERED_S, TICKET_S, Purpose, Ticket
from sekisho.challenge.keys import VaultKeys
from sekisho.challenge.seal import Sealer, Unsealable
from sekisho.model import SekishoError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sekisho.challenge.escrow import Escrow
    from sekisho.challenge.factors import Factors
    from sekisho.challenge.senders import Senders
    from sekisho.crypto.signers import Signer
    from sekisho.store.vault import Vault

log = logging.getLogger("sekisho")

SLOT_S: Final = 10
LATE_S: Final = REMEMBERED_S - TICKET_S - SLOT_S
"""How long after its time an entry is still told: as long as the store remembers which tickets were redeemed."""

SLOT_MAX: Final = 1_000  # entries in a slot: what a site of ten thousand log-ins a second from new devices would fill
_PURPOSE: Final = b"unfinished"


class Unfinished:
    """Belongs to one event loop.

    Args:
        vault: where entries lie, shared by all workers.
        secrets: newest first; the newest that signs seals.
        escrow: where tickets are claimed.
        factors: find the owner.
        senders: take the notice.
        clock_s: Unix time.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        vault: Vault,
        secrets: Sequence[bytes | Signer],
        escrow: Escrow,
        factors: Factors,
        senders: Senders,
        *,
        clock_s: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._vault = vault
        self._keys = VaultKeys(secrets)
        self._sealer = Sealer(secrets)
        self._escrow = escrow
        self._factors = factors
        self._senders = senders
        self._clock_s = clock_s
        self._sleep = sleep
        self._is_full = False

    async def note(self, ticket: Ticket, *, browser: str, network: str) -> None:
        """Have the owner told, unless the ticket is redeemed before it ends. Raises `StoreUnavailable`.

        Args:
            ticket: of a log-in whose secret was right.
            browser: a family, as in notices.
            network: the client's address, as in notices.
        """
        slot = int((ticket.issued_ms / 1000 + TICKET_S) // SLOT_S) + 1
        number = await self._vault.count(self._slot(slot), seconds=REMEMBERED_S)
        if number > SLOT_MAX:
            if not self._is_full:
                self._is_full = True
                log.warning("more step-ups stay unfinished than their owners can be told of")
            return
        name = self._entry(slot, number)
        said = [ticket.challenge.hex(), ticket.place, ticket.account, browser, network]
        sealed = self._sealer.seal(_PURPOSE, json.dumps(said).encode(), bound_to=name)
        await self._vault.put(name, sealed, seconds=REMEMBERED_S)

    async def run(self) -> None:
        """Tell whatever is due, now and from now on."""
        slot = int((self._clock_s() - LATE_S) // SLOT_S)
        while True:
            try:
                while slot <= self._clock_s() // SLOT_S:
                    await self._empty(slot)
                    slot += 1
            except StoreUnavailable:
                slot = max(slot, int((self._clock_s() - LATE_S) // SLOT_S))
            await self._sleep(SLOT_S)

    async def _empty(self, slot: int) -> None:
        number = int(await self._vault.get(self._slot(slot)) or 0)
        for one in range(1, min(number, SLOT_MAX) + 1):
            name = self._entry(slot, one)
            if (sealed := await self._vault.take(name)) is not None:
                await self._tell(name, sealed)

    async def _tell(self, name: bytes, sealed: bytes) -> None:
        try:
            challenge, place, account, browser, network = json.loads(self._sealer.open(_PURPOSE, sealed, bound_to=name))
        except Unsealable:
            return  # by a secret that is off the list
        ticket = Ticket(bytes.fromhex(challenge), Purpose.LOGIN, place, account)
        try:
            if await self._escrow.claim(ticket):
                person = await self._factors.person(account)
                self._senders.not_completed(person, browser=browser, network=network)
        except SekishoError as error:
            log.warning("a notice of a step-up that was not completed was not sent: %s", type(error).__name__)

    def _slot(self, slot: int) -> bytes:
        return self._keys.of(b"unfinished slot", b"%d" % slot)

    def _entry(self, slot: int, number: int) -> bytes:
        return self._keys.of(b"unfinished", b"%d" % slot, b"%d" % number)
