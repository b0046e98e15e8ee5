"""Add members: one `user name<tab>password` per line on standard input, so that no password is an argument.

SHOP_DATABASE=shop.sqlite3 python -m examples.starlette_service.add_members < members.tsv
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from sekisho.passwords import Passwords

from .accounts import Members, connect
from .app import profile

if TYPE_CHECKING:
    from collections.abc import Iterable


def main() -> None:
    lines = (line.rstrip("\n").split("\t", 1) for line in sys.stdin)
    connection = connect(os.environ.get("SHOP_DATABASE", "shop.sqlite3"))
    Members(connection).add(asyncio.run(_hashed(lines)))
    connection.close()


async def _hashed(members: Iterable[list[str]]) -> list[tuple[str, str]]:
    passwords = Passwords(profile())
    return [(username, await passwords.hash(password)) for username, password in members]


if __name__ == "__main__":
    main()
