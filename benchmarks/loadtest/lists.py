"""The lists that a load test works through, shared among its workers without a word between them."""

from __future__ import annotations

import csv
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from sekisho.breach.progress import Silent
from sekisho.corpus.combination_lists import ListReading, split
from sekisho.corpus.reading import chunks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Part(NamedTuple):
    """Of so many workers this is the one with that number, from 0: of `of` lines one is its. Of no workers, none."""

    number: int
    of: int

    def has(self, line: int) -> bool:
        return self.of > 0 and line % self.of == self.number


ALL, NOTHING = Part(0, 1), Part(0, 0)


def pairs(path: Path, part: Part) -> Iterator[tuple[str, str]]:
    """The pairs of account and password of a combo list, each line once, as they stand there.

    Read as `sekisho corpus build --pairs` reads it, gzip or not, some mebibytes at a time however long it is. Lines
    without a pair are left out. Raises `CorpusError` where the file cannot be read.
    """
    lines = chain.from_iterable(ListReading().lines(chunks(path, Silent())))
    for number, line in enumerate(lines):
        if part.has(number) and (pair := split(line)):
            yield pair


class Row(NamedTuple):
    """An owner as the file has it.

    Attributes:
        number: in the file, from 0.
        app: the secret of the authenticator app in base32, or empty.
    """

    number: int
    account: str
    password: str
    app: str

    def __repr__(self) -> str:
        return f"Row({self.number}, ...)"


def accounts(path: Path, part: Part) -> Iterator[Row]:
    """The owners in a CSV file of `account,password` or `account,password,app`.

    Raises `ValueError` that names the line where one has no password, and never what stands there.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        for number, row in enumerate(row for row in reader if row):
            if len(row) < 2 or not row[0] or not row[1]:
                raise ValueError(f"line {reader.line_num} is not account,password")
            if part.has(number):
                yield Row(number, row[0], row[1], row[2] if len(row) > 2 else "")
