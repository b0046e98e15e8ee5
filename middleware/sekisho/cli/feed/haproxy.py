"""Keep a map of refused addresses in HAProxy, through its runtime socket. Nothing is reloaded.

  sekisho feed haproxy --socket /run/haproxy/admin.sock --map /etc/haproxy/refused.map

HAProxy's configuration names the map (the file must exist, and may be empty) and the socket:

  stats socket /run/haproxy/admin.sock mode 660 level admin
  http-request deny deny_status 429 if { src,map_ip(/etc/haproxy/refused.map) -m found }

Behind another proxy, write `hdr_ip(x-forwarded-for,-1)` for `src`. HAProxy ends no entry by itself: the command
removes it on time, and empties the map when it is stopped and when it starts.

Exit code: 0 when it is stopped, or after --once; 1 if the feed or HAProxy fails; 2 if the command line is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.cli.feed import common
from sekisho.cli.usage import Misused
from sekisho.feed.fronts.haproxy import MAP, Haproxy

if TYPE_CHECKING:
    import argparse

__all__ = ["arguments", "run"]


def arguments(parser: argparse.ArgumentParser) -> None:
    common.arguments(parser)
    parser.add_argument(
        "--socket", metavar="PATH", required=True, help="the runtime socket: a path, or host:port on loopback"
    )
    parser.add_argument("--map", metavar="FILE", required=True, help="the map, as the configuration names it")


def run(args: argparse.Namespace) -> int:
    if not MAP.fullmatch(args.map):
        raise Misused("--map is no file name without spaces and semicolons")
    if "/" not in args.socket and not args.socket.rpartition(":")[2].isdecimal():
        raise Misused("--socket is neither a path nor host:port")
    return common.run(args, Haproxy(args.socket, args.map))
