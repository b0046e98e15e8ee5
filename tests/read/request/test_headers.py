"""Header names are lowered once, at the edge, and the memory of them is bounded."""

from __future__ import annotations

from itertools import count

import pytest

from sekisho.read.request import headers
from sekisho.read.request.headers import read_headers

_numbers = count()


def fresh(name: bytes) -> bytes:
    """A name that no earlier request had."""
    return b"%s-%d" % (name, next(_numbers))


@pytest.mark.parametrize("times", [1, 3])
def test_names_in_lower_case_stay_as_they_are(times: int) -> None:
    """With names in lower case the server's own scope is passed on, the first time and later."""
    name = fresh(b"x-lower")
    scope = {"headers": [(b"host", b"shop.test"), (name, b"A")]}
    for _ in range(times):
        read, by_name = read_headers(scope)
        assert read is scope
        assert by_name == {b"host": b"shop.test", name: b"A"}


def test_a_name_in_title_case_is_found_after_its_lower_case_was_seen() -> None:
    """Names are remembered by exact spelling: `Authorization` is lowered after `authorization` was seen."""
    name = fresh(b"authorization")
    read_headers({"headers": [(name, b"Basic x")]})

    read, by_name = read_headers({"headers": [(name.title(), b"Basic x")]})

    assert by_name == {name: b"Basic x"}
    assert read["headers"] == [(name, b"Basic x")]


def test_cookie_lines_are_joined_whatever_their_spelling() -> None:
    """Cookie lines are joined in title case and in several lines."""
    read, by_name = read_headers({"headers": [(b"Cookie", b"a=1"), (b"cookie", b"b=2")]})
    assert by_name == {b"cookie": b"a=1; b=2"}
    assert read["headers"] == [(b"cookie", b"a=1"), (b"cookie", b"b=2")]


def test_names_that_clients_make_up_take_bounded_memory() -> None:
    """A flood of invented names leaves 256 sets at most, none of them long."""
    for _ in range(1_000):
        read_headers({"headers": [(fresh(b"x-invented"), b"")]})
    read_headers({"headers": [(fresh(b"x" * 2_000), b"")]})

    assert len(headers._LOWER) <= 256
    assert max(sum(map(len, names)) for names in headers._LOWER) <= 1_024


def test_pairs_may_be_lists() -> None:
    """Pairs that a server sends as lists are read as tuples: ASGI allows any pair."""
    read, by_name = read_headers({"headers": [[b"Host", b"shop.test"], [b"accept", b"*/*"]]})
    assert by_name == {b"host": b"shop.test", b"accept": b"*/*"}
    assert read["headers"] == [(b"host", b"shop.test"), (b"accept", b"*/*")]


def test_a_request_without_headers_has_none() -> None:
    """A request without headers, like a lifespan's scope, has none."""
    scope = {"type": "lifespan"}
    assert read_headers(scope) == (scope, {})
