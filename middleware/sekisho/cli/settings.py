"""Print the settings in force: each value, and where it came from. Secrets are hidden.

  sekisho settings              all of them
  sekisho settings --set        those that are set

Run it with the service's environment. `environment` and `file` (SEKISHO_…_FILE) name what was set; `preset` what
SEKISHO_PRESET sets, and `default` what nothing does. Keyword arguments of LoginGuard take precedence over all of these,
and cannot be seen from here.
Values of settings that hold secrets are never printed, and of URLs that may hold one only the beginning.

What the service would log of them at its start stands below, with the numbers of docs/warnings.md.

Exit code: 0 if the service would start with these settings, 1 if not (each mistake is printed), 2 if the command line
is wrong.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from sekisho.cli.effective import examined_in, found_as_json, setting_rows

if TYPE_CHECKING:
    import argparse

__all__ = ["arguments", "run"]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--set", dest="is_set", action="store_true", help="leave out the defaults")


def run(args: argparse.Namespace) -> int:
    rows = setting_rows(os.environ)
    if args.is_set:
        rows = [row for row in rows if row.source != "default"]
    found = examined_in(os.environ)
    if args.json:
        shown = [{"name": row.variable, "value": row.value, "from": row.source} for row in rows]
        print(json.dumps({"settings": shown, **found_as_json(found)}, indent=2))
    else:
        print("\n".join(map(str, rows)))
        sys.stderr.writelines(f"{mistake.name}: {mistake.problem}\n" for mistake in found.mistakes)
        sys.stderr.writelines(f"{diagnosis.logged}\n" for diagnosis in found.diagnoses)
    return 1 if found.mistakes else 0
