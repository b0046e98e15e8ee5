"""Normalised headers for the rest of the package: names in lower case, and one `Cookie` value.

Some servers pass names as received (Hypercorn's `h11_pass_raw_headers`), and some pass the cookie crumbs of HTTP/2 as
separate headers (granian). Both are normalised once, here, so that no look-up elsewhere misses a header.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence
    from typing import Any

    Headers = Sequence[tuple[bytes, bytes]]


def read_headers(scope: MutableMapping[str, Any]) -> tuple[MutableMapping[str, Any], dict[bytes, bytes]]:
    """The scope with header names in lower case (the same object if they already are), and its headers by name."""
    headers: Headers = scope.get("headers") or ()
    by_name = dict(headers)
    if by_name and not b"".join(by_name).islower():
        headers = [(bytes(name).lower(), value) for name, value in headers]
        return {**scope, "headers": headers}, headers_by_name(headers)
    return scope, by_name if len(by_name) == len(headers) else headers_by_name(headers)


def headers_by_name(headers: Headers) -> dict[bytes, bytes]:
    """Values by name: the last of a repeated name, but all of several `Cookie` lines (RFC 9113 section 8.2.3)."""
    by_name = dict(headers)
    if len(by_name) != len(headers) and b"cookie" in by_name:
        by_name[b"cookie"] = b"; ".join([value for name, value in headers if name == b"cookie"])
    return by_name
