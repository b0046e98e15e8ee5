"""Print the lines of the audit's stream in Redis (SEKISHO_AUDIT=redis), the oldest first.

  sekisho audit read

`sekisho audit verify --part -` verifies them, if they come on its standard input. The stream keeps about 100,000 lines.
To keep more, follow it with `XREAD` and write the lines to a place of their own.

Exit code: 0 if they were read, 1 if the store does not answer, 2 if the command line is wrong.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Final

from sekisho.audit.stream import lines_key
from sekisho.cli import operator
from sekisho.cli.audit.common import stored
from sekisho.settings.audit import AuditKind

if TYPE_CHECKING:
    import argparse

__all__ = ["arguments", "run"]

NOT_THERE: Final = (
    "SEKISHO_AUDIT is not redis here: this is what the stream holds from before. `sekisho audit verify FILE` reads a "
    "file"
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def arguments(parser: argparse.ArgumentParser) -> None:
    del parser  # there is none beside --json


def run(args: argparse.Namespace) -> int:
    settings = operator.settings()
    if settings.audit is None or settings.audit.kind is not AuditKind.REDIS:
        sys.stderr.write(f"sekisho audit read: {NOT_THERE}\n")
    lines = stored(settings, lines_key(settings.namespace))
    if args.json:
        print(json.dumps([json.loads(line) for line in lines]))
    else:
        sys.stdout.writelines(f"{printable(line)}\n" for line in lines)
    return 0


def printable(line: bytes) -> str:
    """Return a line of the audit for a terminal: control characters, by which an intruder could steer it, are escaped.

    A line that the service wrote has none.
    """
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", line.decode("utf-8", "replace"))
