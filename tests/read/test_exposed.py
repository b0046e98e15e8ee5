"""Findings about leaked credentials by a proxy in front."""

from __future__ import annotations

import pytest

from sekisho.model import UNKNOWN, Exposure, Pair
from sekisho.read import exposed


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        (Exposure(None, Pair.EXACT), b"1"),
        (UNKNOWN, b"2"),
        (Exposure(None, Pair.VARIANT), b"3"),
        (Exposure(1, None), b"4"),
        (Exposure(1, None), b" 4 "),
        (UNKNOWN, b""),
        (UNKNOWN, b"5"),
        (UNKNOWN, b"1, 4"),
        (UNKNOWN, b"\xff" * 9_000),
    ],
)
def test_the_numbers_mean_what_cloudflare_means(expected: Exposure, value: bytes) -> None:
    """Cloudflare's values: 1 pair, 2 user name, 3 similar, 4 password; a leaked name is no finding, and nonsense is
    ignored.
    """
    assert exposed(value) == expected
