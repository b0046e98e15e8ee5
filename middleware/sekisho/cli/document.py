"""Generates `docs/commands.md` from the commands' parsers: `python -m sekisho.cli.document > docs/commands.md`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sekisho.cli.tree import nodes

if TYPE_CHECKING:
    from argparse import Action

    from sekisho.cli.tree import Node

_HEAD = """\
# Commands

`sekisho COMMAND --help` prints the section of a command. Run operators' commands where the service runs, with its
environment: they read the same `SEKISHO_…` variables, at least `SECRET`, `STORE` and `NAMESPACE`. With a Redis or a
Cluster they reach every worker within a second. With `memory://` they reach the one process through
`SEKISHO_CONTROL_SOCKET`, as the user of that process or as root. Keyword arguments of `LoginGuard` cannot be seen from
a command: keep what both need in variables.

**Who did it.** Each change is an [event](events.md) `commanded` with your login name, uid and machine (behind `sudo`:
both users), and with the text of `--because`. Every worker writes one when it obeys, so there is one for each worker.

**Exit codes**: 0 done; 1 failed, or something was found; 2 the command line was wrong; 130 interrupted; 141 the reader
of the output went away (`| head`). Commands that differ say so. Changes are made before anything is printed; a command
that is interrupted while it may have changed something says so, and one that had not begun yet says that. Errors go to
standard error and never repeat what was typed, which might be a password.

**`--json`** prints one JSON value and nothing else. `sekisho --version` prints the version.

"""


def markdown() -> str:
    """The whole of `docs/commands.md`."""
    found = list(nodes())
    listed = [f"- [`sekisho {' '.join(node.words)}`](#{_anchor(node)}): {node.command.help}" for node in found]
    return _HEAD + "\n".join(listed) + "\n\n" + "\n".join(map(_section, found))


def _anchor(node: Node) -> str:
    return "-".join(("sekisho", *node.words))


def _section(node: Node) -> str:
    lines = [f"## sekisho {' '.join(node.words)}", "", "```text", node.about, "```", ""]
    if node.parser is not None:
        usage = " ".join(filter(None, ["sekisho", *node.words, *map(_usage, node.actions), "[--json]"]))
        lines += [f"`{usage}`", ""]
    if node.actions:
        lines += ["| argument | meaning |", "|---|---|", *map(_row, node.actions), ""]
    if node.command.extra:
        lines += [f"It needs the extra `{node.command.extra}`.", ""]
    return "\n".join(lines)


def _usage(action: Action) -> str:
    shown = _shown(action)
    several = "…" if action.nargs in {"*", "+", "..."} or type(action).__name__ == "_AppendAction" else ""
    needed = action.required if action.option_strings else action.nargs not in {"?", "*"}
    return shown + several if needed else f"[{shown}]{several}"


def _shown(action: Action) -> str:
    value = "|".join(map(str, action.choices)) if action.choices else _metavar(action)
    if not action.option_strings:
        return value
    name = action.option_strings[-1]
    return name if action.nargs == 0 else f"{name} {value}"


def _metavar(action: Action) -> str:
    return " ".join(action.metavar) if isinstance(action.metavar, tuple) else action.metavar or action.dest.upper()


def _row(action: Action) -> str:
    text = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")
    cells = (cell.replace("|", "\\|") for cell in (f"`{_shown(action)}`", text))
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(markdown())
