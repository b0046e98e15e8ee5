"""Reads one cookie of a request."""

from __future__ import annotations


def cookie(header: bytes, start: bytes) -> bytes:
    """The value of the first cookie that starts with `start` (`name=`); empty if there is none."""
    if start not in header:
        return b""
    for pair in header.split(b";"):
        if (stripped := pair.strip()).startswith(start):
            return stripped[len(start) :]
    return b""
