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


def same_site(*, elsewhere: bool) -> bytes:
    """The attributes that control which sites' pages send the guard's cookies.

    `Lax`: no other site can post with it. `elsewhere`: for a page on another site whose origin the operator has named.
    It gets a partitioned cookie of its own, which is sent from that site's pages alone.
    """
    return b"SameSite=None; Partitioned" if elsewhere else b"SameSite=Lax"
