"""Write refused addresses to CrowdSec's local API as decisions with a duration; its bouncers enforce them.

  cscli machines add sekisho --auto --file /etc/sekisho/crowdsec.yaml
  sekisho feed crowdsec --credentials /etc/sekisho/crowdsec.yaml

The file holds url, login and password, as cscli writes it. `cscli decisions list` shows the decisions; each ends by
itself, at the time of the refusal. Only decisions of the scenario sekisho/refused are ever removed.

Exit code: 0 when it is stopped, or after --once; 1 if the feed or the API fails; 2 if the command line is wrong.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from sekisho.cli.feed import common
from sekisho.cli.usage import Misused
from sekisho.feed.fronts.crowdsec import Crowdsec, machine_of

if TYPE_CHECKING:
    import argparse

__all__ = ["arguments", "run"]

FILE = "/etc/crowdsec/local_api_credentials.yaml"


def arguments(parser: argparse.ArgumentParser) -> None:
    common.arguments(parser)
    parser.add_argument("--credentials", metavar="FILE", default=FILE, help=f"of a machine (default: {FILE})")


def run(args: argparse.Namespace) -> int:
    machine = machine_of(_credentials(args.credentials))
    if machine is None:
        raise Misused("--credentials names a file without url, login and password")
    return common.run(args, Crowdsec(machine, time.time))


def _credentials(path: str) -> str:
    """The text of the file. Raises `Misused` where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Misused(f"--credentials: {path}: {error.strerror}; make one with `cscli machines add`") from None
