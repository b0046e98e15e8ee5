from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model.text import base64url, from_base64url, utf8


@given(st.text(st.characters(codec="utf-8")))
def test_text_is_encoded_as_utf_8(text: str) -> None:
    assert utf8(text) == text.encode("utf-8")


def test_a_lone_surrogate_is_encoded_and_stays_apart_from_others() -> None:
    """A site's own resolver may return one; two accounts that differ in it must not share a digest."""
    assert utf8("a\ud800") == b"a\xed\xa0\x80"
    assert utf8("a\ud801") == b"a\xed\xa0\x81"


@given(st.binary(max_size=100))
def test_base64url_has_no_padding_and_no_line_end(data: bytes) -> None:
    assert base64url(data) == urlsafe_b64encode(data).rstrip(b"=").decode()


@given(st.binary(max_size=100))
def test_base64url_is_read_with_and_without_padding(data: bytes) -> None:
    assert from_base64url(base64url(data)) == data
    assert from_base64url(urlsafe_b64encode(data).decode()) == data


@pytest.mark.parametrize("text", ["A", "AAAAA", "Zm9v\u3000"])
def test_what_is_no_base64_has_one_error(text: str) -> None:
    """A wrong length and a character beyond ASCII raise the same class of error."""
    with pytest.raises(ValueError, match=r"base64|ascii"):
        from_base64url(text)
