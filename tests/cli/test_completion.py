"""`sekisho completion` knows every command and option, because it is made from them."""

from __future__ import annotations

import subprocess

import pytest

from sekisho.cli import COMMANDS
from tests.cli.operating import run


def completed(*words: str) -> set[str]:
    """What bash would offer for the last of these words."""
    line = " ".join(f"'{word}'" for word in words)
    script = f"{run('completion', 'bash').out}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _sekisho"
    done = subprocess.run(
        ["bash", "-c", f'{script}; printf "%s\\n" "${{COMPREPLY[@]}}"'], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return set(done.stdout.split())


def test_bash_offers_commands() -> None:
    """All commands at first; those of a group behind it."""
    assert completed("sekisho", "") == {*COMMANDS, "--version"}
    assert completed("sekisho", "un") == {"unblock"}
    assert completed("sekisho", "owners", "re") == {"reset", "rewrap"}


def test_bash_offers_choices_and_options() -> None:
    """The options of a command, wherever the cursor is behind it."""
    assert completed("sekisho", "mode", "") == {
        "enforce", "monitor", "off", "--reset", "--because", "--json", "--help"
    }  # fmt: skip
    assert completed("sekisho", "unblock", "account", "hana", "--b") == {"--because"}
    assert completed("sekisho", "corpus", "check", "--p") == {"--pairs"}
    assert completed("sekisho", "check", "--k") == {"--known"}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_know_the_same(shell: str) -> None:
    """Each command and an option of each appear, and quotes in a meaning end no string."""
    script = run("completion", shell).out

    assert all(name in script for name in COMMANDS)
    assert "because" in script
    assert all(line.count("'") % 2 == 0 for line in script.splitlines())
