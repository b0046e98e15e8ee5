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
        what = await _one(owners, sealer, held)
        setattr(counts, what, getattr(counts, what) + 1)
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
        what = await _addresses_of(rows, sealer, account_id, sealed)
        setattr(counts, what, getattr(counts, what) + 1)
        drawn.advance(1)
    async for _, sealed in rows.all():
        counts.left += sealer.needs_rewrap(sealed)


async def _addresses_of(rows: SqlAddresses, sealer: Sealer, account_id: str, sealed: bytes) -> str:
    if not sealer.needs_rewrap(sealed):
        return "already"
    bound_to = address_book.binding(account_id)
    try:
        content = sealer.open(address_book.PURPOSE, sealed, bound_to=bound_to)
    except Unsealable:
        return "failed"
    fresh = sealer.seal(address_book.PURPOSE, content, bound_to=bound_to)
    await rows.replace(account_id, sealed, fresh)
    return "done" if await rows.read(account_id) == fresh else "changed"


async def _one(owners: Owners, sealer: Sealer, held: Held) -> str:
    """Seal one enrolment again. Returns the name of its count."""
    enrolment = held.enrolment
    if not sealer.needs_rewrap(enrolment.sealed):
        return "already"
    purpose = PURPOSES.get(enrolment.kind)
    if purpose is None:
        return "failed"
    bound_to = enrolment_binding(held.account_id, enrolment.id)
    try:
        opened_secret = sealer.open(purpose, enrolment.sealed, bound_to=bound_to)
    except Unsealable:
        return "failed"
    # Compare and set: a recovery code that its owner uses at this moment must not become valid again.
    fresh = sealer.seal(purpose, opened_secret, bound_to=bound_to)
    return "done" if await owners.replace(enrolment.id, enrolment.sealed, fresh) else "changed"


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
