"""Finds one owner's notices in the outbox, for an operator. Rows do not name their owner outside the seal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from sekisho.crypto.seal import Sealer, Unsealable
from sekisho.outbox.notice import Notice, unpacked
from sekisho.outbox.sending import PURPOSE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence

    from sekisho.crypto.signers import Signer
    from sekisho.owners.outbox import Kept

BATCH: Final = 200  # rows read at once: 1.6 MiB at most


class KeptRows(Protocol):
    """The table; see `sekisho.owners.outbox.SqlOutbox`."""

    async def rows_after(self, after: str, most: int) -> list[Kept]: ...


class KeptNotice(NamedTuple):
    """A row, and the notice under its seal."""

    row: Kept
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
    wanted, sealer = {address.casefold() for address in addresses}, Sealer(secrets, clock_s=clock_s)
    found = []
    async for row in _all(rows):
        notice = _opened(sealer, row)
        if notice and (notice.to.casefold() in wanted or notice.facts.get("account_id") == account_id):
            found.append(KeptNotice(row, notice))
    return found


async def _all(rows: KeptRows) -> AsyncIterator[Kept]:
    last = ""
    while batch := await rows.rows_after(last, BATCH):
        for row in batch:
            yield row
        last = batch[-1].id


def _opened(sealer: Sealer, row: Kept) -> Notice | None:
    try:
        return unpacked(sealer.open(PURPOSE, row.sealed, bound_to=row.id.encode()))
    except Unsealable:
        return None
