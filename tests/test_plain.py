"""Finished places keep to plain English, and the check finds what it should."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import plain

if TYPE_CHECKING:
    from pathlib import Path

WORDS, FINISHED = plain.table()


def test_finished_places_are_plain() -> None:
    """A word that came back is named with its line."""
    assert plain.problems(FINISHED, WORDS) == []


def test_finished_places_exist() -> None:
    """A folder that was moved would be checked no longer."""
    assert [place for place in FINISHED if not (plain.ROOT / place).exists()] == []


@pytest.mark.parametrize(
    "text",
    [
        "Whoever retries is refused.",
        "What is turned away comes again.",
        "Nothing is kept. Who was refused retries at once.",
        "a limit for who has no device",
        "nobody's account",
    ],
)
def test_a_riddle_is_found(tmp_path: Path, text: str) -> None:
    """In a docstring, a comment and a page alike."""
    (tmp_path / "a.py").write_text(f'"""{text}"""\n# {text}\n', "utf-8")
    (tmp_path / "b.md").write_text(f"# Title\n\n{text}\n", "utf-8")

    found = plain.problems(["."], WORDS, tmp_path)

    assert sorted(line.split(": ", 1)[0] for line in found) == ["a.py:1", "a.py:2", "b.md:3"]


@pytest.mark.parametrize(
    "text",
    [
        "Refused callers are cached; they retry at once.",
        "Who is allowed to log in?",
        "A caller who is refused retries.",
        "The code `whoever` is a name.",
        "```\nwhoever\n```",
    ],
)
def test_plain_text_passes(tmp_path: Path, text: str) -> None:
    """Questions, relative clauses behind a noun, and code."""
    (tmp_path / "b.md").write_text(f"{text}\n", "utf-8")

    assert plain.problems(["b.md"], WORDS, tmp_path) == []
