"""Create a key pair: the private key goes to a file, and the setting for the public key is printed.

  sekisho audit key /media/stick/audit.pem

Run it where names may be read, not where the service runs: any reader of the file can read all names that were sealed
for it.
`openssl genpkey -algorithm X25519` makes such a file as well. Keep it as long as audit files that were sealed for it.

Exit code: 0 if it was made, 1 if the file exists or cannot be written, 2 if the command line is wrong.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sekisho.audit.sealed import new_private_key
from sekisho.settings.table import AUDIT_RECIPIENT

if TYPE_CHECKING:
    import argparse

__all__ = ["arguments", "run"]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the file of the private key; it must not exist yet")


def run(args: argparse.Namespace) -> int:
    public = new_private_key(args.file)
    print(json.dumps({"recipient": public}) if args.json else f"{AUDIT_RECIPIENT.variable}={public}")
    return 0
