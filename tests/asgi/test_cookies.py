"""A cookie is found in a header as browsers write it, and in no other cookie's value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.asgi.cookies import cookie


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (b"device=abc", b"abc"),
        (b"device=abc; theme=dark", b"abc"),
        (b"theme=dark; device=abc ", b"abc"),
        (b"theme=dark;\tdevice=abc;device=other", b"abc"),
        (b"device=", b""),
        (b"theme=device=abc", b""),
        (b"mydevice=abc", b""),
        (b"mydevice=device=x; device=abc", b"abc"),
        (b"theme=dark", b""),
        (b"", b""),
    ],
)
def test_the_first_of_its_name_is_found(header: bytes, value: bytes) -> None:
    """Its pair begins the header or stands behind a semicolon and white space; its value ends at the next one."""
    assert cookie(header, b"device=") == value


@given(st.lists(st.sampled_from([b"a=", b";", b" ", b"\t", b"b", b"=", b"a"]), max_size=12).map(b"".join))
def test_any_header_is_read_as_pairs(header: bytes) -> None:
    """The search by position finds what splitting the header at its semicolons finds."""
    pairs = [pair.strip() for pair in header.split(b";")]

    assert cookie(header, b"a=") == next((pair[2:] for pair in pairs if pair.startswith(b"a=")), b"")
