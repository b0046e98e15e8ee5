"""Constants inlined in the Lua script: each use is replaced, and nothing else."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from sekisho.ledger.inlined import inlined


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("local LIFE = 90\nreturn LIFE", "\nreturn 90"),
        ("local A, B = 1, '<I2'  -- why\nreturn pack(B, A)", "\nreturn pack('<I2', 1)"),
        ("local YOUNG, YOUNG_US = 1, 2\nreturn YOUNG + YOUNG_US * NOT_YOUNG", "\nreturn 1 + 2 * NOT_YOUNG"),
        ("local A = 1\nreturn 'A', \"A\", t.A, A", "\nreturn 'A', \"A\", t.A, 1"),
        ("local A, B = 1\nreturn A", "local A, B = 1\nreturn A"),
        ("local A = 1 + 1\nreturn A", "local A = 1 + 1\nreturn A"),
        ("local A = {}\nlocal a = 3\nreturn A, a", "local A = {}\nlocal a = 3\nreturn A, a"),
        ("if x then\n  local A = 1\nend\nreturn A", "if x then\n  local A = 1\nend\nreturn A"),
    ],
)
def test_only_constants_are_written_out(source: str, expected: str) -> None:
    """Parts of longer names, strings and tables are not replaced, and no line moves."""
    assert inlined(source) == expected


def test_the_ledgers_constants_are_gone() -> None:
    """No function of the ledger captures a constant, and none is assigned twice: the first value would be inlined
    everywhere.
    """
    source = resources.files("sekisho.ledger").joinpath("ledger.lua").read_text()
    found = inlined(source)
    set_before = re.findall(r"^local ([A-Z_]+)[ ,].*= *[\d']", source, re.MULTILINE)

    assert len(set_before) > 20
    # A string with zero bytes has no short form.
    assert re.findall(r"^local ([A-Z_]+) = [\d']", found, re.MULTILINE) == ["NO_TAG", "SHARED"]
    assert len(set_before) == len(set(set_before))
    assert source.count("\n") == found.count("\n")
