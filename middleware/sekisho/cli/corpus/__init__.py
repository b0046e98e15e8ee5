"""Files of leaked passwords, and of leaked pairs of account and password, in which the guard looks attempts up.

Make one in two steps, then set SEKISHO_CORPUS (or SEKISHO_PAIRS) to it; running services detect a new file by
themselves:

  sekisho corpus fetch ranges/
  sekisho corpus build passwords.corpus ranges/

No password is an argument of these commands: other users of the machine see arguments, and shells store them.
"""

from __future__ import annotations

from sekisho.cli import Command

__all__ = ["COMMANDS"]

COMMANDS = {
    "fetch": Command("download the hashes of all leaked passwords from Have I Been Pwned", extra="corpus"),
    "build": Command("make a file of leaked passwords, or of pairs with --pairs", extra="corpus"),
    "info": Command("show the header of a file"),
    "verify": Command("check a whole file against its checksum"),
    "check": Command("look up a password that you type"),
}
