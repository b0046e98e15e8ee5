"""Seal all enrolments and mail addresses with the newest secret, so that the old one can be removed.

Put the new secret in front (SEKISHO_SECRET=new,old), restart every worker, run this, and remove the old one. The
command can be interrupted and run again at any time; the service continues meanwhile. Exit code: 1 if a row
still needs an older secret: it cannot be opened (sealed with a secret that is not listed, or damaged), its owner used
it at that moment, or a worker that was not restarted still seals with the old secret.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING

from sekisho.cli.owners.common import opened, settings
from sekisho.cli.progress import drawing
from sekisho.crypto.seal import Sealer, Unsealable
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.owners.addresses import SqlAddresses
from sekisho.stepup.factors import address_book, identities, passkey_index, recovery, strong_only, totp

if TYPE_CHECKING:
    import argparse

    from sekisho.cli.progress import Drawing
    from sekisho.owners import Held, Owners
    from sekisho.settings import Settings

__all__ = ["PURPOSES", "RewrapCounts", "arguments", "interrupted", "rewrap", "rewrap_addresses", "run"]

PURPOSES = {
    "totp": totp.PURPOSE,
    "recovery": recovery.PURPOSE,
    "webauthn": b"webauthn",
    "oidc": identities.PURPOSE,
    strong_only.KIND: strong_only.PURPOSE,
    passkey_index.KIND: passkey_index.PURPOSE,
}
"""The seal's purpose for each kind of enrolment."""


class Rewrapped(Enum):
    """What became of a row; its count in `RewrapCounts`."""

    DONE = "done"
    ALREADY = "already"
    CHANGED = "changed"
    FAILED = "failed"


@dataclass(slots=True)
class RewrapCounts:
    """Numbers of enrolments and of accounts' addresses by result.

    Attributes:
        done: sealed again.
        already: already under the newest secret.
        changed: used or removed by the owner meanwhile; run the command again.
        failed: cannot be opened.
        left: counted afterwards: rows that still need an older secret.
    """

    done: int = 0
    already: int = 0
    changed: int = 0
    failed: int = 0
    left: int = 0

    def add(self, what: Rewrapped) -> None:
        setattr(self, what.value, getattr(self, what.value) + 1)


def arguments(_: argparse.ArgumentParser) -> None:
    """Add no arguments: the command has none."""


def run(args: argparse.Namespace) -> int:
    found = settings(secret=True)
    with drawing() as drawn:
        counts = asyncio.run(_rewrap(found, drawn))
    if args.json:
        print(json.dumps(asdict(counts)))
    else:
        print("\n".join(_told(counts)))
    return 1 if counts.left else 0


def interrupted(_: argparse.Namespace) -> str:
    return "what is sealed anew stays so; run it again for the rest"


async def _rewrap(found: Settings, drawn: Drawing) -> RewrapCounts:
    async with opened(found) as owners:
        sealer = Sealer(found.listed, clock_s=time.time)
        counts = await rewrap(owners, sealer, drawn)
        await rewrap_addresses(SqlAddresses(owners), sealer, drawn, counts)
        return counts


async def rewrap(owners: Owners, sealer: Sealer, drawn: Drawing) -> RewrapCounts:
    """Seal all enrolments again that are not under the newest secret. Returns how many were done and are left.

    Raises `OwnersError`; completed work remains.
    """
    counts = RewrapCounts()
    drawn.begin("sealing anew", None, "enrolments")
    async for held in owners.all_sealed():
        counts.add(await _one(owners, sealer, held))
        drawn.advance(1)
    # A second pass also counts enrolments that were changed or added meanwhile.
    async for held in owners.all_sealed():
        counts.left += sealer.needs_rewrap(held.enrolment.sealed)
    return counts


async def rewrap_addresses(rows: SqlAddresses, sealer: Sealer, drawn: Drawing, counts: RewrapCounts) -> None:
    """Seal again, with the newest secret, the addresses that owners had, which are kept to notice a change.

    Adds to `counts`.

    Raises `OwnersError`.
    """
    drawn.begin("sealing anew", None, "addresses")
    async for account_id, sealed in rows.all():
        counts.add(await _addresses_of(rows, sealer, account_id, sealed))
        drawn.advance(1)
    async for _, sealed in rows.all():
        counts.left += sealer.needs_rewrap(sealed)


async def _addresses_of(rows: SqlAddresses, sealer: Sealer, account_id: str, sealed: bytes) -> Rewrapped:
    fresh = _fresh(sealer, address_book.PURPOSE, sealed, address_book.binding(account_id))
    if isinstance(fresh, Rewrapped):
        return fresh
    await rows.replace(account_id, sealed, fresh)
    return Rewrapped.DONE if await rows.read(account_id) == fresh else Rewrapped.CHANGED


async def _one(owners: Owners, sealer: Sealer, held: Held) -> Rewrapped:
    enrolment = held.enrolment
    bound_to = enrolment_binding(held.account_id, enrolment.id)
    fresh = _fresh(sealer, PURPOSES.get(enrolment.kind), enrolment.sealed, bound_to)
    if isinstance(fresh, Rewrapped):
        return fresh
    # Compare and set: a recovery code that its owner uses at this moment must not become valid again.
    is_done = await owners.replace(enrolment.id, enrolment.sealed, fresh)
    return Rewrapped.DONE if is_done else Rewrapped.CHANGED


def _fresh(sealer: Sealer, purpose: bytes | None, sealed: bytes, bound_to: bytes) -> bytes | Rewrapped:
    """The content of a row, sealed with the newest secret; or why it is not sealed again.

    `purpose`: of the seal; None for a kind of enrolment that this version does not know.
    """
    if not sealer.needs_rewrap(sealed):
        return Rewrapped.ALREADY
    if purpose is None:
        return Rewrapped.FAILED
    try:
        content = sealer.open(purpose, sealed, bound_to=bound_to)
    except Unsealable:
        return Rewrapped.FAILED
    return sealer.seal(purpose, content, bound_to=bound_to)


def _told(counts: RewrapCounts) -> list[str]:
    told = [f"{counts.done:,} sealed anew, {counts.already:,} were under the newest secret already."]
    if counts.changed:
        told.append(f"{counts.changed:,} changed meanwhile: run this again.")
    if counts.left:
        told.append(f"{counts.left:,} still need an older secret: it must stay listed.")
    if counts.failed:
        told.append(
            f"{counts.failed:,} cannot be opened with the secrets listed: keep the old one, or list the right one."
        )
    return told
