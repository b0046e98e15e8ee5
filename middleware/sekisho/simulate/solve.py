"""A client for proof of work: it reads a puzzle from a page, and answers as a browser would.

Written from ALTCHA's format, without the library that the guard uses, so that each checks the other.
"""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import pbkdf2_hmac
from typing import Any

TRIES_MAX = 1 << 20  # 256 times the hardest puzzle's mean


def solve(challenge: dict[str, Any]) -> dict[str, Any]:
    """Return a puzzle with its solution, not yet encoded. It computes for seconds; call it in a thread.

    Raises:
        ValueError: an unknown kind of puzzle, or one without a solution.
    """
    asked = challenge["parameters"]
    if asked["algorithm"] != "PBKDF2/SHA-256":
        raise ValueError("only PBKDF2/SHA-256 is known here")
    nonce, salt = bytes.fromhex(asked["nonce"]), bytes.fromhex(asked["salt"])
    for counter in range(TRIES_MAX):
        tried = nonce + counter.to_bytes(4, "big")
        key = pbkdf2_hmac("sha256", tried, salt, asked["cost"], asked["keyLength"]).hex()
        if key.startswith(asked["keyPrefix"]):
            return {"challenge": challenge, "solution": {"counter": counter, "derivedKey": key, "time": 12.5}}
    raise ValueError("the puzzle has no solution")


def encoded(payload: Any) -> str:
    """Return a solution as the text of the widget's form field: JSON in Base64."""
    return b64encode(json.dumps(payload).encode()).decode()


def solved(challenge: dict[str, Any]) -> str:
    """Solve a puzzle; return the solution encoded for the widget's field. Raises `ValueError` as `solve` does."""
    return encoded(solve(challenge))
