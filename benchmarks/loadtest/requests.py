"""Requests beside the log-in: pages that owners visit once they are in, and doors that attackers try."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from benchmarks.loadtest.login import FORM, Post

if TYPE_CHECKING:
    from collections.abc import Iterator

_REQUEST = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/[!-~]*)(?: ([!-~]+))?")
NUMBER = "{n}"
"""Stands for a running number of seven digits."""


def requests(text: str) -> tuple[Post, ...]:
    """Read `GET /home; POST /link number={n}&pin=1234`: a method, a path and a form's fields. Raises `ValueError`."""
    found = [_REQUEST.fullmatch(part.strip()) for part in text.split(";") if part.strip()]
    if not all(found):
        raise ValueError("wants requests as in: GET /home; POST /link number={n}&pin=1234")
    return tuple(Post(one[1], one[2], FORM, one[3] or "") for one in found if one)


def numbered(posts: tuple[Post, ...], first: int) -> Iterator[Post]:
    """These in turn without end, each with the next number."""
    number = first
    while posts:
        for post in posts:
            digits = f"{number % 10**7:07}"
            yield post._replace(path=post.path.replace(NUMBER, digits), body=post.body.replace(NUMBER, digits))
            number += 1
