"""Says where English is not plain: `python -m tests.plain [--all]`.

Looks at docstrings and comments of Python files and at Markdown outside of code, in the places that `tests/plain.toml`
lists as finished; with `--all` in every place, to see what is left.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROOT = Path(__file__).parents[1]
TABLE = Path(__file__).with_suffix(".toml")
EVERYWHERE = ("middleware", "benchmarks", "tests", "examples", "docs", "README.md", "CHANGELOG.md")
_CODE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`[^`\n]*`")


class Word(NamedTuple):
    """Attributes:
    pattern: the words to find.
    reason: the advice to print.
    """

    pattern: re.Pattern[str]
    reason: str


def table(path: Path = TABLE) -> tuple[list[Word], list[str]]:
    """The words, and the places that are finished."""
    read = tomllib.loads(path.read_text("utf-8"))
    words = [Word(re.compile(each["pattern"], re.IGNORECASE), each["reason"]) for each in read["words"]]
    return words, read["finished"]


def problems(places: Iterable[str], words: Sequence[Word], root: Path = ROOT) -> list[str]:
    """A line for each word that is found: file, line, word, reason."""
    return [
        f"{path.relative_to(root)}:{line}: {found[0].strip(' .;:')}: {word.reason}"
        for place in places
        for path in _files(root / place)
        for line, text in prose(path)
        for word in words
        for found in word.pattern.finditer(text)
    ]


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Passages with the number of their first line, code in backquotes left out."""
    text = path.read_text("utf-8")
    passages = _of_markdown(text) if path.suffix == ".md" else _of_python(text)
    for line, passage in passages:
        yield line, " ".join(_INLINE.sub("``", passage).split())


def _of_markdown(text: str) -> Iterator[tuple[int, str]]:
    blank = _CODE.sub(lambda code: "\n" * code[0].count("\n"), text)
    line = 1
    for paragraph in blank.split("\n\n"):
        yield line, paragraph
        line += paragraph.count("\n") + 2


def _of_python(text: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("# ")


def _files(place: Path) -> list[Path]:
    return sorted(path for path in place.rglob("*") if path.suffix in {".py", ".md"}) if place.is_dir() else [place]


def main(arguments: Sequence[str]) -> int:
    """Print what is found. The exit code says whether anything is."""
    words, finished = table()
    lines = problems(EVERYWHERE if "--all" in arguments else finished, words)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
