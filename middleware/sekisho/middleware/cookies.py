"""One cookie among those of a request."""

from __future__ import annotations


def cookie(header: bytes, start: bytes) -> bytes:
    """The value of the first cookie that begins so (`name=`), or nothing."""
    if start not in header:
        return b""
    for pair in header.split(b";"):
        if (stripped := pair.strip()).startswith(start):
            return stripped[len(start) :]
    return b""
