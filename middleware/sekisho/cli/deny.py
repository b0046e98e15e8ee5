"""Refuse networks: list them, add one, remove one.

  sekisho deny                                               the list
  sekisho deny 203.0.113.7 --for 1h --because "scraping"     refuse an address for an hour
  sekisho deny 2001:db8::/48                                 refuse a network for a day
  sekisho deny 203.0.113.7 --remove                          refuse it no longer

Every door answers such addresses with 403, also to known devices, before anything is read or counted. Every worker
follows within a second, and records an event with your name and reason. Each entry ends; networks that are to be
refused for good belong into SEKISHO_DENY. A network on both lists is refused.

Exit code: 0 if it is shown or changed, 1 if not, 2 if the command line is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.cli import lists
from sekisho.cli.lists import List

if TYPE_CHECKING:
    import argparse

__all__ = ["LIST", "arguments", "interrupted", "run"]

LIST = List("deny", "1d", 365, "is refused")


def arguments(parser: argparse.ArgumentParser) -> None:
    lists.arguments(parser, LIST)


def run(args: argparse.Namespace) -> int:
    return lists.run(args, LIST)


def interrupted(args: argparse.Namespace) -> str:
    return lists.interrupted(args, LIST)
