"""Notices of step-ups that were not completed. Any worker that runs at the due time sends them.

A client had the right password and showed no proof. Only the guard knows that the password is known, so the notice must
not be lost with its worker. Its content lies in the vault, sealed, in the slot of ten seconds in which it is due. Every
worker empties the due slots; a worker that starts also empties those of the last half hour. Of several workers one
takes each entry. Of a late proof and a notice, the first to claim the ticket wins.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Final

from sekisho.crypto.seal import Sealer, Unsealable
from sekisho.crypto.vault_keys import VaultKeys
from sekisho.model import SekishoError, StoreUnavailable
from sekisho.stepup.escrow import REMEMBERED_S, TICKET_S, Purpose, Ticket
from sekisho.stepup.log_ins import NOT_COMPLETED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sekisho.crypto.signers import Signer
    from sekisho.stepup.escrow import Escrow
    from sekisho.stepup.factors import Factors
    from sekisho.stepup.factors.senders import Senders
    from sekisho.stepup.log_ins import LogIns
    from sekisho.store.vault import Vault

log = logging.getLogger("sekisho")

SLOT_S: Final = 10
LATE_S: Final = REMEMBERED_S - TICKET_S - SLOT_S
"""How late a notice may be sent, in seconds: as long as the store remembers redeemed tickets."""

SLOT_MAX: Final = 1_000  # entries in a slot: as many as ten thousand log-ins a second from new devices would fill
_PURPOSE: Final = b"unfinished"


class Unfinished:
    """Belongs to one event loop.

    Args:
        vault: keeps the entries, shared by all workers.
        secrets: newest first; the newest one that signs seals.
        escrow: claims tickets.
        factors: finds the owner.
        senders: sends the notice.
        log_ins: keeps it for the owner to see; None without a database.
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
        log_ins: LogIns | None = None,
        clock_s: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._vault = vault
        self._keys = VaultKeys(secrets)
        self._sealer = Sealer(secrets, clock_s=clock_s)
        self._escrow = escrow
        self._factors = factors
        self._senders = senders
        self._log_ins = log_ins
        self._clock_s = clock_s
        self._sleep = sleep
        self._is_full = False

    async def note(self, ticket: Ticket, *, browser: str, network: str) -> None:
        """Have the owner notified, unless the ticket is redeemed before it expires. Raises `StoreUnavailable`.

        Args:
            ticket: of a log-in whose secret was right.
            browser: the browser's family, as notices write it.
            network: the client's network, as notices write it.
        """
        slot = int((ticket.issued_ms / 1000 + TICKET_S) // SLOT_S) + 1
        number = await self._vault.count(self._slot(slot), seconds=REMEMBERED_S)
        if number > SLOT_MAX:
            if not self._is_full:
                self._is_full = True
                log.warning("too many unfinished step-ups: some owners are not notified")
            return
        name = self._entry(slot, number)
        said = [ticket.challenge.hex(), ticket.door, ticket.account, browser, network]
        sealed = self._sealer.seal(_PURPOSE, json.dumps(said).encode(), bound_to=name)
        await self._vault.put(name, sealed, seconds=REMEMBERED_S)

    async def run(self) -> None:
        """Send all due notices, now and from now on."""
        slot = self._oldest()
        while True:
            try:
                if not self._oldest() <= slot <= self._clock_s() // SLOT_S + 1:
                    slot = await self._of_another_clock(slot)
                while slot <= self._clock_s() // SLOT_S:
                    await self._empty(slot)
                    slot += 1
            except StoreUnavailable:
                slot = max(slot, self._oldest())
            await self._sleep(SLOT_S)

    def _oldest(self) -> int:
        return int((self._clock_s() - LATE_S) // SLOT_S)

    async def _of_another_clock(self, slot: int) -> int:
        """Send what waits by a clock that was set since: its tickets open no longer. Return the slot to go on with."""
        for waiting in range(slot, slot + TICKET_S // SLOT_S + 2):
            await self._empty(waiting)
        return self._oldest()

    async def _empty(self, slot: int) -> None:
        number = int(await self._vault.get(self._slot(slot)) or 0)
        for one in range(1, min(number, SLOT_MAX) + 1):
            name = self._entry(slot, one)
            if (sealed := await self._vault.take(name)) is not None:
                await self._tell(name, sealed)

    async def _tell(self, name: bytes, sealed: bytes) -> None:
        try:
            challenge, door, account, browser, network = json.loads(self._sealer.open(_PURPOSE, sealed, bound_to=name))
        except Unsealable:
            return  # by a secret that is off the list
        ticket = Ticket(bytes.fromhex(challenge), Purpose.LOGIN, door, account)
        try:
            if await self._escrow.claim(ticket):
                owner = await self._factors.owner(account)
                self._senders.not_completed(owner, browser=browser, network=network)
                if self._log_ins is not None:
                    self._log_ins.note(account, NOT_COMPLETED, browser=browser, address=network)
        except SekishoError as error:
            log.warning("a notice of a step-up that was not completed was not sent: %s", type(error).__name__)

    def _slot(self, slot: int) -> bytes:
        return self._keys.of(b"unfinished slot", b"%d" % slot)

    def _entry(self, slot: int, number: int) -> bytes:
        return self._keys.of(b"unfinished", b"%d" % slot, b"%d" % number)
