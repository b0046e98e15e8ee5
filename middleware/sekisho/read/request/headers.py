"""Headers as the rest of the package reads them: names in lower case, and one value where HTTP means one.

Some servers pass names as they came (Hypercorn's `h11_pass_raw_headers`), and some hand on the cookie crumbs of HTTP/2
one by one (granian). Both are settled here, once, so that no look-up elsewhere can miss a header.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence
    from typing import Any

    Headers = Sequence[tuple[bytes, bytes]]


def lowered(scope: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The scope with header names in lower case: itself where they are, as ASGI promises; else a copy."""
    headers: Headers = scope.get("headers") or ()
    # One look at all names together: a loop over them would cost every attempt more than reading its path does.
    if not headers or b"".join([name for name, _ in headers]).islower():
        return scope
    return {**scope, "headers": [(bytes(name).lower(), value) for name, value in headers]}


def by_name(headers: Headers) -> dict[bytes, bytes]:
    """Values by name; of a repeated name the last, of several `Cookie` lines all (RFC 9113 section 8.2.3)."""
    named: dict[bytes, bytes] = dict(headers)
    if len(named) != len(headers) and b"cookie" in named:
        named[b"cookie"] = b"; ".join([value for name, value in headers if name == b"cookie"])
    return named
