"""A client that works: reads a puzzle as the page is given it, and answers as a browser would.

Written from the format and not with the library that the guard uses, so that each holds the other to it.
"""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import pbkdf2_hmac
from itertools import count
from typing import Any


def solve(challenge: dict[str, Any]) -> dict[str, Any]:
    """The payload before it is encoded."""
    asked = challenge["parameters"]
    assert asked["algorithm"] == "PBKDF2/SHA-256"
    nonce, salt = bytes.fromhex(asked["nonce"]), bytes.fromhex(asked["salt"])
    for counter in count():
        tried = nonce + counter.to_bytes(4, "big")
        key = pbkdf2_hmac("sha256", tried, salt, asked["cost"], asked["keyLength"]).hex()
        if key.startswith(asked["keyPrefix"]):
            return {"challenge": challenge, "solution": {"counter": counter, "derivedKey": key, "time": 12.5}}
    raise AssertionError


def encoded(payload: Any) -> str:
    """As the widget's form field holds it."""
    return b64encode(json.dumps(payload).encode()).decode()


def solved(challenge: dict[str, Any]) -> str:
    return encoded(solve(challenge))
