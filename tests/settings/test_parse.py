"""Booleans, which no setting of this version uses yet, and lists."""

from __future__ import annotations

import pytest

from sekisho.model import SettingsError
from sekisho.settings import parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("YES", True),
        ("on", True),
        ("1", True),
        ("False", False),
        ("no", False),
        ("OFF", False),
        ("0", False),
    ],
)
def test_booleans_are_eight_words(text: str, value: bool) -> None:
    """Booleans are eight words in any case."""
    assert value is parse.boolean(text, "X")


@pytest.mark.parametrize("text", ["", "flase", "2", "t", "enabled", "truee", "none"])
def test_any_other_word_is_an_error(text: str) -> None:
    """Any other word is an error: a misspelt `false` must not be true."""
    with pytest.raises(SettingsError, match=r"^X: is neither true, yes, on, 1 nor false, no, off, 0$"):
        parse.boolean(text, "X")


def test_items_are_trimmed_and_counted() -> None:
    """Items are trimmed, and too many are an error."""
    assert parse.items(" a , b ", "X", most=2) == ("a", "b")
    with pytest.raises(SettingsError, match="lists more than 2 items"):
        parse.items("a,b,c", "X", most=2)
