"""Check the database of owners: its answer, its tables, SEKISHO_OWNERS_QUERY, and whether the role in SEKISHO_OWNERS
may write to the tables. A row is written, changed and removed again.

Exit code: 0 if all is well; otherwise 1, with a text that says what to do.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from sekisho.cli.owners.common import opened, settings

if TYPE_CHECKING:
    import argparse

    from sekisho.settings import Settings

__all__ = ["arguments", "run"]


def arguments(_: argparse.ArgumentParser) -> None:
    """Add no arguments: the command has none."""


def run(args: argparse.Namespace) -> int:
    asyncio.run(_check(settings()))
    print(json.dumps({"fit": True}) if args.json else "The tables and the query are correct, and the role can write.")
    return 0


async def _check(found: Settings) -> None:
    async with opened(found) as owners:
        await owners.check()
        await owners.check_writing()
