"""Replace a list of addresses of a Cloudflare account with the refused ones; a rule of yours blocks these addresses.

  CLOUDFLARE_API_TOKEN=… sekisho feed cloudflare --account 0123…cdef --list 0123…cdef

Create the list (Manage Account, Lists: IP addresses) and a custom rule with `(ip.src in $NAME)`. The token needs
`Account Filter Lists: Edit`. Cloudflare works one replacement off at a time, and limits an account's requests, so there
is at most one in --every seconds. A list ends no entry by itself: the command empties it when it is stopped and when
it starts.

Exit code: 0 when it is stopped, or after --once; 1 if the feed or Cloudflare fails; 2 if the command line is wrong.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sekisho.cli.feed import common
from sekisho.cli.usage import Misused, within
from sekisho.feed.fronts.cloudflare import ID, URL, Cloudflare

if TYPE_CHECKING:
    import argparse

__all__ = ["arguments", "run"]

TOKEN = "CLOUDFLARE_API_TOKEN"  # noqa: S105 - the name of a variable


def arguments(parser: argparse.ArgumentParser) -> None:
    common.arguments(parser)
    parser.add_argument("--account", metavar="ID", required=True, help="the account's id: 32 hex digits")
    parser.add_argument("--list", metavar="ID", required=True, help="the list's id: 32 hex digits")
    parser.add_argument("--url", metavar="URL", default=URL, help=f"of the API (default: {URL})")
    parser.add_argument(
        "--every", type=within(1, 3_600), default=10, metavar="SECONDS", help="between two replacements (default: 10)"
    )


def run(args: argparse.Namespace) -> int:
    token = os.environ.get(TOKEN, "")
    if not (token.isascii() and token.isprintable() and token):
        raise Misused(f"{TOKEN} is not set, or is no token")
    if not (ID.fullmatch(args.account) and ID.fullmatch(args.list)):
        raise Misused("--account and --list want 32 hex digits")
    if not args.url.startswith(("https://", "http://127.0.0.1:")):
        raise Misused("--url does not begin with https://")  # the token would be readable on the way
    return common.run(args, Cloudflare(args.url.rstrip("/"), args.account, args.list, token, args.every))
