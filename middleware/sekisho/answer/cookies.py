"""The attributes of the guard's own cookies."""

from __future__ import annotations


def attributes(seconds: int, *, elsewhere: bool = False) -> bytes:
    """The attributes with which the guard sets a cookie, after its value; `seconds` is its lifetime, 0 deletes it.

    `Secure` with `Path=/` and no `Domain` is what `__Host-` names demand: no other host can set the cookie. `HttpOnly`:
    a script that an attacker smuggles into a page cannot read it. `Lax`: no other site can post with it, so none can
    try passwords as this browser.

    `elsewhere`: for a page on another site whose origin the operator has named. It gets a partitioned cookie of its
    own, which is sent from that site's pages alone.
    """
    same_site = b"SameSite=None; Partitioned" if elsewhere else b"SameSite=Lax"
    return b"; Max-Age=%d; Path=/; Secure; HttpOnly; " % seconds + same_site
