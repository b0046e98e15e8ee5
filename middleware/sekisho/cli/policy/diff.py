"""Print the settings that differ between two policies.

  sekisho policy diff now strict                    this environment, and the same with the preset `strict`
  sekisho policy diff staging.env production.env    two files of lines NAME=VALUE

Each line has the setting, its value in the first and its value in the second. Of secrets it only says that they
differ.

Exit code: 0 if nothing differs, 1 if something does, 2 if the command line or a line of a file is wrong.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho.cli.effective import setting_rows
from sekisho.cli.policy.variables import variables_of
from sekisho.settings.table import TABLE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from sekisho.settings.table import Setting

__all__ = ["arguments", "run"]


class Difference(NamedTuple):
    """A setting's variable, and its values in two policies, as they may be shown."""

    variable: str
    first: str
    second: str


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", metavar="A", help="a file, a preset, or now")
    parser.add_argument("second", metavar="B", help="another")


def run(args: argparse.Namespace) -> int:
    found = list(differences(variables_of(args.first), variables_of(args.second)))
    if args.json:
        print(json.dumps([one._asdict() for one in found], indent=2))
    else:
        print("\n".join(f"{one.variable}: {one.first} -> {one.second}" for one in found) or "Nothing differs.")
    return 1 if found else 0


def differences(first: Mapping[str, str], second: Mapping[str, str]) -> Iterator[Difference]:
    """The settings whose values differ, in the order of the documentation."""
    for setting, one, other in zip(TABLE, setting_rows(first), setting_rows(second), strict=True):
        values = [row.value or "(none)" for row in (one, other)]
        # All secrets are shown alike; here alone the values themselves are compared.
        if values[0] != values[1] or (setting.secret and _given(setting, first) != _given(setting, second)):
            yield Difference(setting.variable, *values)


def _given(setting: Setting[Any], variables: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The text of a setting, and the file that holds it."""
    return variables.get(setting.variable), variables.get(f"{setting.variable}_FILE")
