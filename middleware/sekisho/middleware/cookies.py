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


def same_site(*, elsewhere: bool) -> bytes:
    """The attributes that say which pages send a cookie of ours along.

    `Lax`: no other site has anything posted with it. `elsewhere`: a page of an origin that the operator named, on
    another site, which gets one of its own: partitioned, it is sent from beneath that site's pages and no others.
    """
    return b"SameSite=None; Partitioned" if elsewhere else b"SameSite=Lax"
