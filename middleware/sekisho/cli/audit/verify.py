"""Verify files of the audit: find lines that were changed, removed, moved or added.

  sekisho audit verify /var/log/sekisho/audit.jsonl.1 /var/log/sekisho/audit.jsonl
  sekisho audit verify --open audit.pem audit.jsonl   where SEKISHO_AUDIT_RECIPIENT was set
  sekisho audit verify --part -                       lines of `sekisho audit read`, from standard input

It needs the service's SEKISHO_SECRET, and those that it had while the lines were written. Checkpoints come from
SEKISHO_AUDIT_CHECKPOINTS or --checkpoints: with them, lines missing at the end of a chain are found. Without them a
chain that was cut looks like one whose worker was killed, and the result says how many such there are.

Each problem is one line: the file, the line's number, what it is. A line that a full disk cut short, or that was lost
to it, is a problem as well: the log of that time has SEK024.

Exit code: 0 if all lines are as they were written; 1 if not, if there are none, or if a file cannot be read; 2 if the
command line is wrong.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekisho.audit.chain import keys_of
from sekisho.audit.checkpoints import Checkpoint, checkpoint_of, newest
from sekisho.audit.stream import checkpoints_key
from sekisho.audit.verify import Verifier, verify
from sekisho.cli import operator
from sekisho.cli.audit.common import add_files, opened, opener, stored
from sekisho.cli.output import many
from sekisho.settings.audit import AuditKind

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from sekisho.audit.verify import Verification
    from sekisho.settings import Settings

__all__ = ["arguments", "run"]


def arguments(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    parser.add_argument("--checkpoints", metavar="FILE", help="a file of checkpoints (default: as the setting says)")
    parser.add_argument("--open", metavar="KEYFILE", help="the private key of SEKISHO_AUDIT_RECIPIENT")
    parser.add_argument("--part", action="store_true", help="the lines are part of a stream and may begin anywhere")


def run(args: argparse.Namespace) -> int:
    settings = operator.settings()
    keys = keys_of(settings.secrets)
    open_key = opener(args.open).key if args.open else None
    verifier = Verifier(keys, _checkpoints(args.checkpoints, settings, keys), open_key, is_part=args.part)
    found = verify(verifier, opened(args.files))
    print(json.dumps(_as_json(found)) if args.json else "\n".join(_as_text(found)))
    return 1 if found.problems or not found.lines else 0


def _checkpoints(path: str | None, settings: Settings, keys: Sequence[bytes]) -> dict[str, Checkpoint]:
    place = settings.audit_checkpoints
    if path is None and place is not None and place.kind is AuditKind.REDIS:
        return newest(_signed(stored(settings, checkpoints_key(settings.namespace)), keys))
    path = path if path is not None or place is None else place.path
    if path is None:
        return {}
    with Path(path).open("rb") as file:
        return newest(_signed(file, keys))


def _signed(lines: Iterable[bytes], keys: Sequence[bytes]) -> Iterable[Checkpoint]:
    return (found for line in lines if (found := checkpoint_of(line, keys)) is not None)


def _as_text(found: Verification) -> list[str]:
    lines = [f"{each.file}:{each.line}: {each.text}" if each.line else each.text for each in found.problems]
    if found.more_problems:
        lines.append(many(found.more_problems, "more problem"))
    if not found.lines:
        return [*lines, "there is no line: it was emptied, or nothing was written yet"]
    chains = found.chains.values()
    ended = sum(chain.is_closed for chain in chains)
    size = f"{many(found.lines, 'line')} of {many(len(chains), 'worker')}"
    lines.append(f"{size}: {'problems were found' if lines else 'all verified'}")
    if left := len(chains) - ended:
        lines.append(
            f"{many(left, 'chain is', 'chains are')} not closed: a worker runs, was killed, or the end is missing"
        )
    if late := sum(chain.first > 0 for chain in chains):
        lines.append(f"{many(late, 'chain begins', 'chains begin')} in older files")
    if found.unverified:
        lines.append(f"{many(found.unverified, 'line was', 'lines were')} not verified: the key is not known")
    lines += [f"{times:>10} {' '.join(filter(None, what))}" for what, times in sorted(found.events.items())]
    return lines


def _as_json(found: Verification) -> dict[str, Any]:
    return {
        "problems": [each._asdict() for each in found.problems],
        "more_problems": found.more_problems,
        "lines": found.lines,
        "unverified": found.unverified,
        "chains": [
            {"id": name, "first": chain.first, "last": chain.last, "closed": chain.is_closed}
            for name, chain in sorted(found.chains.items())
        ],
        "events": [
            {"kind": kind, "what": what, "times": times} for (kind, what), times in sorted(found.events.items())
        ],
    }
