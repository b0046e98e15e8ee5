"""Lift the address limits of networks for a time: list them, add one, remove one.

  sekisho allow                                                   the list
  sekisho allow 198.51.100.0/24 --for 2h --because "school exam"  no address limits for two hours
  sekisho allow 198.51.100.0/24 --remove                          limits again

An allowed network is under no limit of address, network and header fingerprint. It replaces no proof: the limits of
each account, leaked passwords and second factors are judged as before. Each entry ends, after 30 days at most. Every
worker follows within a second, and records an event with your name and reason.

Exit code: 0 if it is shown or changed, 1 if not, 2 if the command line is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.cli import lists
from sekisho.cli.lists import List

if TYPE_CHECKING:
    import argparse

__all__ = ["LIST", "arguments", "interrupted", "run"]

LIST = List("allow", "1h", 30, "has no address limits")


def arguments(parser: argparse.ArgumentParser) -> None:
    lists.arguments(parser, LIST)


def run(args: argparse.Namespace) -> int:
    return lists.run(args, LIST)


def interrupted(args: argparse.Namespace) -> str:
    return lists.interrupted(args, LIST)
