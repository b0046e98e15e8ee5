"""A client that works: reads a puzzle as a page is given it, and answers as a browser would.

Written from ALTCHA's format and not with the library that the guard uses, so that each holds the other to it.
"""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import pbkdf2_hmac
from typing import Any

TRIES_MAX = 1 << 20  # 256 times the longest puzzle's mean: what takes longer is none of ours


def solve(challenge: dict[str, Any]) -> dict[str, Any]:
    """The payload before it is encoded. Computes for seconds; give it a thread.

    Raises:
        ValueError: no puzzle that this knows, or none that has a solution.
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
    """As the widget's form field holds it."""
    return b64encode(json.dumps(payload).encode()).decode()


def solved(challenge: dict[str, Any]) -> str:
    """The whole of it: from the puzzle to the text that is sent back."""
    return encoded(solve(challenge))
