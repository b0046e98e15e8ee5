"""Drop refused addresses in the kernel: nothing of a flood reaches the service.

  sekisho feed nftables                                  ports 80 and 443
  sekisho feed nftables --ports 8443 --table sekisho
  sekisho feed nftables --dry-run                        the file for `nft -f -`; `nft -c -f -` checks it

It has a table of its own, inet sekisho, which it creates anew when it starts; rules of others stay as they are. Each
block ends by itself, at the time of the refusal. Needs CAP_NET_ADMIN (root), on the machine that the clients connect
to: behind a proxy or a load balancer the kernel sees the proxy's address alone.

Exit code: 0 when it is stopped, or after --once; 1 if the feed or nft fails; 2 if the command line is wrong.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sekisho.cli import operator
from sekisho.cli.feed import common
from sekisho.cli.usage import Misused
from sekisho.feed.fronts.nftables import TABLE, Nftables

if TYPE_CHECKING:
    import argparse

__all__ = ["arguments", "run"]


def arguments(parser: argparse.ArgumentParser) -> None:
    common.arguments(parser)
    parser.add_argument("--ports", metavar="LIST", default="80,443", help="TCP ports of the service (default: 80,443)")
    parser.add_argument("--table", metavar="NAME", default="sekisho", help="its table (default: sekisho)")
    parser.add_argument("--nft", metavar="COMMAND", default="nft", help="how nft is called (default: nft)")


def run(args: argparse.Namespace) -> int:
    ports = args.ports.split(",")
    if not all(port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65_536 for port in ports):
        raise Misused("--ports is no list such as 80,443")
    if not TABLE.fullmatch(args.table):
        raise Misused("--table is no name of letters, digits and _")
    entries_max = operator.settings().feed_entries_max
    return common.run(args, Nftables(shlex.split(args.nft), args.table, [int(port) for port in ports], entries_max))
