"""Write refused addresses into a file that nginx includes, and reload nginx after each change.

  sekisho feed nginx --file /etc/nginx/sekisho/refused.conf

nginx's configuration includes it; `--form deny` writes `deny` lines instead, for a location of its own:

  geo $sekisho_refused { default 0; include /etc/nginx/sekisho/refused.conf; }
  server { … location = /login { if ($sekisho_refused) { return 429; } … } }

Each reload starts new workers, so there is at most one in --every seconds. Open connections go on with the old file.
nginx ends no block by itself: the command writes the file anew on time, and empties it when it is stopped and when it
starts.

Exit code: 0 when it is stopped, or after --once; 1 if the feed or the reload fails; 2 if the command line is wrong.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from sekisho.cli.feed import common
from sekisho.cli.usage import within
from sekisho.feed.fronts.nginx import FORMS, Nginx

if TYPE_CHECKING:
    import argparse

__all__ = ["arguments", "run"]


def arguments(parser: argparse.ArgumentParser) -> None:
    common.arguments(parser)
    parser.add_argument("--file", metavar="FILE", required=True, help="the file; its folder must be writable")
    parser.add_argument("--form", choices=sorted(FORMS), default="geo", help="what its lines are (default: geo)")
    parser.add_argument(
        "--reload",
        metavar="COMMAND",
        default="nginx -s reload",
        help="how to reload (default: nginx -s reload)",
    )
    parser.add_argument(
        "--every", type=within(0, 3_600), default=1, metavar="SECONDS", help="between two reloads (default: 1)"
    )


def run(args: argparse.Namespace) -> int:
    return common.run(args, Nginx(Path(args.file), args.form, shlex.split(args.reload), args.every))
