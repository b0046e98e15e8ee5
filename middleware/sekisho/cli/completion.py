"""Print the completion of `sekisho` for a shell, made from the commands of this version.

  sekisho completion bash     bash: source <(sekisho completion bash)
  sekisho completion zsh      zsh: sekisho completion zsh > "${fpath[1]}/_sekisho"
  sekisho completion fish     fish: sekisho completion fish > ~/.config/fish/completions/sekisho.fish

Exit code: 0, or 2 if the command line is wrong.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from sekisho.cli.tree import nodes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from sekisho.cli.tree import Node

__all__ = ["arguments", "run"]


class CommandWords(NamedTuple):
    """The words behind a command.

    Attributes:
        path: the command, behind a blank each: ` corpus build`; empty for `sekisho` alone.
        found: names of commands or choices, and options, with their meaning.
    """

    path: str
    found: dict[str, str]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=["bash", "zsh", "fish"], help="the shell")


def run(args: argparse.Namespace) -> int:
    script = {"bash": _bash, "zsh": _zsh, "fish": _fish}[args.shell](words())
    print(json.dumps({"script": script}) if args.json else script)
    return 0


def words() -> list[CommandWords]:
    """Return, for each command line so far, the words that may follow, with their help."""
    found = list(nodes())
    return [
        CommandWords("", {**_members((), found), "--version": "print the version"}),
        *(_of(node, found) for node in found),
    ]


def _members(group: tuple[str, ...], found: list[Node]) -> dict[str, str]:
    return {node.words[-1]: node.command.help for node in found if node.words[:-1] == group}


def _of(node: Node, found: list[Node]) -> CommandWords:
    options = dict(_options(node))
    return CommandWords(f" {' '.join(node.words)}", options or _members(node.words, found))


def _options(node: Node) -> Iterator[tuple[str, str]]:
    if node.parser is None:
        return
    for action in node.actions:
        if action.option_strings:
            yield action.option_strings[-1], action.help or ""
        else:
            yield from ((str(choice), action.help or "") for choice in action.choices or ())
    yield "--json", "print the result as JSON, and nothing else"
    yield "--help", "say more of it"


def _cases(found: list[CommandWords], line: str) -> list[str]:
    return [f'    "{each.path}") {line % " ".join(each.found)} ;;' for each in found]


def _paths(found: list[CommandWords]) -> str:
    return "|".join(f'"{each.path}"' for each in found if each.path)


def _bash(found: list[CommandWords]) -> str:
    return "\n".join([
        "_sekisho() {",
        '  local path="" words="" i',
        "  for ((i = 1; i < COMP_CWORD; i++)); do",
        '    case "$path ${COMP_WORDS[i]}" in',
        f'      {_paths(found)}) path="$path ${{COMP_WORDS[i]}}" ;;',
        "    esac",
        "  done",
        '  case "$path" in',
        *_cases(found, 'words="%s"'),
        "  esac",
        '  mapfile -t COMPREPLY < <(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}")',
        "}",
        "complete -o default -F _sekisho sekisho",
    ])  # fmt: skip


def _zsh(found: list[CommandWords]) -> str:
    return "\n".join([
        "#compdef sekisho",
        'local route="" word',
        'for word in "${(@)words[2,CURRENT-1]}"; do',
        '  case "$route $word" in',
        f'    {_paths(found)}) route="$route $word" ;;',
        "  esac",
        "done",
        'case "$route" in',
        *_cases(found, "compadd -- %s"),
        "esac",
        "_files",
    ])  # fmt: skip


def _fish(found: list[CommandWords]) -> str:
    lines = ["complete -c sekisho -f"]
    groups = {each.path.split()[0] for each in found if len(each.path.split()) > 1}
    for path, its in found:
        lines += [f"complete -c sekisho -n '{_fish_when(path, groups)}' {_fish_word(*word)}" for word in its.items()]
    return "\n".join(lines)


def _fish_when(path: str, groups: set[str]) -> str:
    """When the line has these commands, and is not that of a group with a command of the same name."""
    names = path.split()
    if not names:
        return "__fish_use_subcommand"
    conditions = [f"__fish_seen_subcommand_from {name}" for name in names]
    others = sorted(groups - {names[0]})
    return "; and ".join([*conditions, f"not __fish_seen_subcommand_from {' '.join(others)}"])


def _fish_word(word: str, meaning: str) -> str:
    text = meaning.replace("\\", "").replace("'", "")
    return f"-l {word[2:]} -d '{text}'" if word.startswith("--") else f"-a {word} -d '{text}'"
