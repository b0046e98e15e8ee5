"""Finds one owner's notices in the outbox, for an operator. Rows do not name their owner outside the seal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from sekisho.outbox.notice import Notice
from sekisho.outbox.sending import notice_sealer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence

    from sekisho.crypto.signers import Signer
    from sekisho.owners.outbox import OutboxRow

BATCH: Final = 200  # rows read at once: 1.6 MiB at most


class KeptRows(Protocol):
    """The table; see `sekisho.owners.outbox.SqlOutbox`."""

    async def rows_after(self, after: str, most: int) -> list[OutboxRow]: ...


class KeptNotice(NamedTuple):
    """A row, and the notice under its seal."""

    row: OutboxRow
    notice: Notice


async def notices_to(
    rows: KeptRows,
    secrets: Sequence[bytes | Signer],
    clock_s: Callable[[], float],
    *,
    addresses: Collection[str],
    account_id: str,
) -> list[KeptNotice]:
    """The notices to one of these mail addresses, or about this account. Raises `OwnersError`.

    Each row of the service is opened once. Rows of a secret that is off the list cannot be opened, and expire.
    """
    wanted, sealer = {address.casefold() for address in addresses}, notice_sealer(secrets, clock_s)
    found = []
    async for row in _all(rows):
        content = sealer.open(row.sealed, bound_to=row.id.encode())
        notice = Notice(*content) if content else None
        if notice and (notice.to.casefold() in wanted or notice.facts.get("account_id") == account_id):
            found.append(KeptNotice(row, notice))
    return found


async def _all(rows: KeptRows) -> AsyncIterator[OutboxRow]:
    last = ""
    while batch := await rows.rows_after(last, BATCH):
        for row in batch:
            yield row
        last = batch[-1].id
