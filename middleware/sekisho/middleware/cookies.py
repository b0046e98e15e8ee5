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


def only(header: bytes, names: frozenset[str]) -> bytes:
    """The header with the named cookies alone."""
    pairs = (pair.strip() for pair in header.split(b";"))
    return b"; ".join(pair for pair in pairs if pair.partition(b"=")[0].decode("latin-1") in names)
