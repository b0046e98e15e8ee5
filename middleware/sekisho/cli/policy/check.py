"""Check settings before a service starts with them.

  sekisho policy check production.env     a file of lines NAME=VALUE
  sekisho policy check strict             this environment, with the preset `strict`
  sekisho policy check now                this environment

Prints each mistake, and what the service would log at its start, with the numbers of docs/warnings.md. Nothing is
connected to; `sekisho doctor` examines the deployment.

Exit code: 0 if the service would start, 1 if not, 2 if the command line or a line of the file is wrong.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sekisho.cli.effective import examined_in, found_as_json
from sekisho.cli.policy.variables import variables_of

if TYPE_CHECKING:
    import argparse

__all__ = ["arguments", "run"]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("policy", metavar="FILE|PRESET|now", help="the variables to check")


def run(args: argparse.Namespace) -> int:
    found = examined_in(variables_of(args.policy))
    if args.json:
        print(json.dumps(found_as_json(found), indent=2))
    else:
        lines = [f"{mistake.name}: {mistake.problem}" for mistake in found.mistakes]
        lines += [diagnosis.logged for diagnosis in found.diagnoses]
        print("\n".join(lines) or "Sound: the service would start, and warn of nothing.")
    return 1 if found.mistakes else 0
