"""Print everything that is stored about one account, as JSON: for an owner who asks (APPI article 33, GDPR article 15).

  sekisho export -                               the account is typed, or comes as a line of standard input
  sekisho export hana --owner-id 4711            an account that the service has deleted

It changes nothing and prints no secret: no password is stored, and factors are sealed. docs/privacy.md has a row for
each part. Addresses, networks and devices in counters are keyed digests: they are printed, and cannot be turned back.
`not_read` lists the parts that only the service's memory has (SEKISHO_STORE=memory://), and those of a database that
knows no such account. Where LoginGuard gets its owners as an object, that object keeps their factors.

Exit code: 0 if all could be read that is stored; 1 if not; 2 if the command line is wrong.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from sekisho.cli.operator import desk
from sekisho.cli.personal.everything import found
from sekisho.cli.personal.parts import DIGESTS, STAYS, STORED
from sekisho.cli.target import account_arguments

if TYPE_CHECKING:
    import argparse

    from sekisho.cli.personal.everything import FoundAccount

__all__ = ["VERSION", "arguments", "export", "run"]

VERSION = 1
"""Of the export's form. A new part or field does not change it."""


def arguments(parser: argparse.ArgumentParser) -> None:
    account_arguments(parser)


def run(args: argparse.Namespace) -> int:
    print(json.dumps(asyncio.run(_run(args)), ensure_ascii=False, indent=None if args.json else 2))
    return 0


async def _run(args: argparse.Namespace) -> dict[str, Any]:
    async with desk() as service, found(service, args) as account:
        return await export(account)


async def export(account: FoundAccount) -> dict[str, Any]:
    """Read everything that is stored about an account; returns it as the JSON values that `sekisho export` prints.

    Raises `StoreUnavailable`, `OwnersError`.
    """
    stored = await account.read()
    return {
        "v": VERSION,
        "account": account.named.subject.account,
        "stored": {part: stored[part] for part in STORED if part in stored},
        "not_read": [part for part in STORED if part not in stored],
        "digests": DIGESTS,
        "elsewhere": [staying._asdict() for staying in STAYS],
    }
