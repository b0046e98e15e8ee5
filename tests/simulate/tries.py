"""Tries to count, with defaults for the irrelevant fields."""

from __future__ import annotations

import json

from sekisho.simulate.client import HttpAnswer
from sekisho.simulate.generator import Try

ENTERED = HttpAnswer(303, ((b"location", b"/account"), (b"set-cookie", b"session=s; HttpOnly")), b"")
TURNED_DOWN = HttpAnswer(401, ((b"content-type", b"text/html; charset=utf-8"),), b"<p>no</p>")


def stopped(code: str = "too_many_attempts") -> HttpAnswer:
    return HttpAnswer(429, ((b"content-type", b"application/problem+json"),), json.dumps({"code": code}).encode())


def a_try(
    *,
    owner: int = 0,
    honest: bool = False,
    right: bool = False,
    address: str = "248.0.0.1",
    user_agent: str = "bot",
    account: str = "anna.baker1",
    known_device: bool = False,
) -> Try:
    return Try(0, address, user_agent, account, "pa55word", owner, honest, right, known_device)
