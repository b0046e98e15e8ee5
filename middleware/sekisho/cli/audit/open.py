"""Print the lines of the audit with the names that were sealed in them.

  sekisho audit open --key audit.pem /var/log/sekisho/audit.jsonl

A name is sealed on some lines of an account; it is printed on every line with the account's pseudonym, also on those
before. Lines of accounts that are not known to exist have none. Verify the files first: this command does not.
With --json each line is printed as it is, with a field `name`.

Exit code: 0 if the files could be read, 1 if not, 2 if the command line is wrong.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekisho.audit.verify import LINE_BYTES_MAX
from sekisho.cli.audit.common import opener

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from sekisho.audit.sealed import RecipientOpener

__all__ = ["arguments", "run"]

NAMES_MAX = 1_000_000
_HIDDEN = frozenset({"v", "time", "kind", "sealed", "chain", "key"})


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="files of the audit, in our own dialect")
    parser.add_argument("--key", required=True, metavar="KEYFILE", help="the private key of SEKISHO_AUDIT_RECIPIENT")


def run(args: argparse.Namespace) -> int:
    names = _names(args.files, opener(args.key))
    for fields in _lines(args.files):
        if name := names.get(str(fields.get("account"))):
            fields["name"] = name
        print(json.dumps(fields, separators=(",", ":")) if args.json else _as_text(fields))
    return 0


def _names(files: list[str], key: RecipientOpener) -> dict[str, str]:
    names: dict[str, str] = {}
    for fields in _lines(files):
        account, sealed = fields.get("account"), fields.get("sealed")
        if not isinstance(account, str) or not isinstance(sealed, str) or account in names:
            continue
        if len(names) < NAMES_MAX and (name := key.name(sealed, account)) is not None:
            names[account] = name
    return names


def _lines(files: list[str]) -> Iterator[dict[str, Any]]:
    for name in files:
        with Path(name).open("rb") as file:
            while line := file.readline(LINE_BYTES_MAX):
                if (fields := _fields(line)) is not None:
                    yield fields


def _fields(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _as_text(fields: dict[str, Any]) -> str:
    shown = {name: value for name, value in fields.items() if name not in _HIDDEN}
    # As JSON: a line could hold the control characters of a terminal.
    words = [json.dumps(str(fields.get(name, "")))[1:-1] for name in ("time", "kind")]
    return " ".join([*words, *(f"{json.dumps(name)[1:-1]}={json.dumps(value)}" for name, value in shown.items())])
