"""Add members: one `user name<tab>password` a line on standard input, so that no password is ever an argument.

SHOP_DATABASE=shop.sqlite3 python -m examples.starlette_service.add_members < members.tsv
"""

from __future__ import annotations

import os
import sys

from .accounts import Members, connect
from .app import hasher


def main() -> None:
    hash_of = hasher().hash
    lines = (line.rstrip("\n").split("\t", 1) for line in sys.stdin)
    connection = connect(os.environ.get("SHOP_DATABASE", "shop.sqlite3"))
    Members(connection).add([(username, hash_of(password)) for username, password in lines])
    connection.close()


if __name__ == "__main__":
    main()
