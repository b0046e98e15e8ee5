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


SHAPES_MAX = 256
SHAPE_BYTES_MAX = 1_024

# Names in lower case, in the order in which they came: a few dozen for all browsers. To look at each letter again would
# cost more than to read the path.
_LOWER: set[tuple[bytes, ...]] = set()


def read_headers(scope: MutableMapping[str, Any]) -> tuple[MutableMapping[str, Any], dict[bytes, bytes]]:
    """The scope with header names in lower case, itself where they are, as ASGI promises; and its headers by name."""
    headers: Headers = scope.get("headers") or ()
    named = dict(headers)
    if (names := tuple(named)) not in _LOWER and not _are_lower(names):
        headers = [(bytes(name).lower(), value) for name, value in headers]
        return {**scope, "headers": headers}, by_name(headers)
    return scope, named if len(named) == len(headers) else by_name(headers)


def _are_lower(names: tuple[bytes, ...]) -> bool:
    joined = b"".join(names)
    if names and not joined.islower():
        return False
    # Bounded: a client that makes names up only slows requests down by the look that is saved here.
    if len(joined) <= SHAPE_BYTES_MAX:
        if len(_LOWER) >= SHAPES_MAX:
            _LOWER.clear()
        _LOWER.add(names)
    return True


def by_name(headers: Headers) -> dict[bytes, bytes]:
    """Values by name; of a repeated name the last, of several `Cookie` lines all (RFC 9113 section 8.2.3)."""
    named = dict(headers)
    if len(named) != len(headers) and b"cookie" in named:
        named[b"cookie"] = b"; ".join([value for name, value in headers if name == b"cookie"])
    return named
