"""Create sekisho's tables in the database of owners, or upgrade them to this version.

The service's own tables are not changed. The role in SEKISHO_OWNERS must be allowed to create tables for this command.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from sekisho.cli.owners.common import opened, settings

if TYPE_CHECKING:
    import argparse

    from sekisho.settings import Settings

__all__ = ["arguments", "interrupted", "run"]


def arguments(_: argparse.ArgumentParser) -> None:
    """Add no arguments: the command has none."""


def run(args: argparse.Namespace) -> int:
    version = asyncio.run(_migrate(settings()))
    print(json.dumps({"version": version}) if args.json else f"The tables are those of version {version}.")
    return 0


def interrupted(_: argparse.Namespace) -> str:
    return "the tables are those of before, or the new ones; run it again"


async def _migrate(found: Settings) -> int:
    async with opened(found) as owners:
        return await owners.migrate()
