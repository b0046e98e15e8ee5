"""The audit (SEKISHO_AUDIT): lines that cannot be changed unnoticed.

sekisho audit verify FILE…      find lines that were changed, removed, moved or added; older files first
sekisho audit open FILE…        print the lines with the names that were sealed in them
sekisho audit read              print the lines of the stream in Redis
sekisho audit key FILE          create a key for sealed names
"""

from __future__ import annotations

from sekisho.cli import Command

__all__ = ["COMMANDS"]

COMMANDS = {
    "verify": Command("find lines that were changed, removed, moved or added"),
    "open": Command("print the lines, with the names that were sealed in them", extra="audit"),
    "read": Command("print the lines of the stream in Redis"),
    "key": Command("create a key pair for sealed names", extra="audit"),
}
