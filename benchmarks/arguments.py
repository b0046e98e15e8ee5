"""The options that benchmarks have in common."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LOADS = ("fail", "success", "shed")


def parser(doc: str | None, *, quick: str = "six short rounds") -> argparse.ArgumentParser:
    """A parser that prints `doc`, with an option `--quick` that runs what `quick` says. No option for an empty one."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    if quick:
        add_quick(made, quick)
    return made


def add_quick(to: argparse.ArgumentParser, quick: str) -> None:
    to.add_argument("--quick", action="store_true", help=f"{quick}: a first look, not a result")


def add_base(to: argparse.ArgumentParser, base: str) -> None:
    to.add_argument("--base", default=base, metavar="COMMIT", help="what to compare with (%(default)s)")


def add_load(to: argparse.ArgumentParser) -> None:
    to.add_argument("--load", choices=LOADS, default="fail")


def part_parsers(
    package: str, doc: str | None, abouts: Mapping[str, str], *, quick: str
) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser of a package with several commands, and the parser of each command."""
    whole = argparse.ArgumentParser(prog=f"python -m {package}", description=doc)
    group = whole.add_subparsers(dest="part", required=True)
    parts = {name: group.add_parser(name, help=about) for name, about in abouts.items()}
    for part in parts.values():
        add_quick(part, quick)
    return whole, parts
