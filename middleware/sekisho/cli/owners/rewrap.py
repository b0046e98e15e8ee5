"""Seal what is enrolled with the newest secret, so that the old one can go.

Put the new secret in front (SEKISHO_SECRET=new,old), restart every worker, run this, and take the old one out. Can be
ended and run again at any time; the service goes on meanwhile. Ends with 1 where anything is left that needs an older
secret: because it cannot be opened (sealed with a secret that is not listed, or damaged), because its owner used it at
that moment, or because a worker that was not restarted still seals with the old one.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sekisho.challenge import recovery, totp
from sekisho.challenge.keys import enrolment_binding
from sekisho.challenge.seal import Sealer, Unsealable
from sekisho.cli.owners.common import opened, settings
from sekisho.cli.progress import drawing

if TYPE_CHECKING:
    import argparse

    from sekisho.cli.progress import Drawing
    from sekisho.owners import Held, Owners
    from sekisho.settings import Settings

__all__ = ["PURPOSES", "Counts", "arguments", "rewrap", "run"]

PURPOSES = {"totp": totp.PURPOSE, "recovery": recovery.PURPOSE, "webauthn": b"webauthn"}
"""What each kind of enrolment is sealed for."""


@dataclass(slots=True)
class Counts:
    """Enrolments, by what became of them.

    Attributes:
        done: sealed anew.
        already: under the newest secret before.
        changed: used or removed by its owner meanwhile; another run sees what it is now.
        failed: cannot be opened.
        left: looked at afterwards: what would be lost with the older secrets now.
    """

    done: int = 0
    already: int = 0
    changed: int = 0
    failed: int = 0
    left: int = 0


def arguments(_: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(args: argparse.Namespace) -> int:
    found = settings(secret=True)
    with drawing() as drawn:
        counts = asyncio.run(_rewrap(found, drawn))
    if args.json:
        print(json.dumps(asdict(counts)))
    else:
        print("\n".join(_told(counts)))
    return 1 if counts.left else 0


async def _rewrap(found: Settings, drawn: Drawing) -> Counts:
    async with opened(found) as owners:
        return await rewrap(owners, Sealer(found.listed), drawn)


async def rewrap(owners: Owners, sealer: Sealer, drawn: Drawing) -> Counts:
    """Seal anew whatever is not under the newest secret. Raises `OwnersError`; what was done by then stays done."""
    counts = Counts()
    drawn.begin("sealing anew", None, "enrolments")
    async for held in owners.all_sealed():
        what = await _one(owners, sealer, held)
        setattr(counts, what, getattr(counts, what) + 1)
        drawn.advance(1)
    # What changed meanwhile, and what was enrolled behind us, is seen by looking again, not by remembering.
    async for held in owners.all_sealed():
        counts.left += sealer.needs_rewrap(held.enrolment.sealed)
    return counts


async def _one(owners: Owners, sealer: Sealer, held: Held) -> str:
    """The name of its count."""
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
    # Compared and set: a recovery code that its owner uses at this moment must not come back to life.
    fresh = sealer.seal(purpose, opened_secret, bound_to=bound_to)
    return "done" if await owners.replace(enrolment.id, enrolment.sealed, fresh) else "changed"


def _told(counts: Counts) -> list[str]:
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
