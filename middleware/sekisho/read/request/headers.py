"""Normalised headers for the rest of the package: names in lower case, and one `Cookie` value.

Some servers pass names as received (Hypercorn's `h11_pass_raw_headers`), and some pass the cookie crumbs of HTTP/2 as
separate headers (granian). Both are normalised once, here, so that no look-up elsewhere misses a header.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence
    from typing import Any

    from sekisho.model.headers import Header


SHAPES_MAX: Final = 256
SHAPE_BYTES_MAX: Final = 1_024

# Sequences of names known to be in lower case: a few dozen for all browsers. Checking each letter again would cost more
# than reading the path.
_LOWER: Final[set[tuple[bytes, ...]]] = set()


def read_headers(scope: MutableMapping[str, Any]) -> tuple[MutableMapping[str, Any], dict[bytes, bytes]]:
    """The scope with header names in lower case, and its headers by name. The same object if nothing has to change."""
    given: Any = scope.get("headers") or ()
    by_name: dict[bytes, bytes] = {}
    for pair in given:
        if not isinstance(pair, tuple):  # some servers send lists (Mangum)
            return read_headers({**scope, "headers": [(name, value) for name, value in given]})
        name, value = pair
        by_name[name] = value
    headers: Sequence[Header] = given
    if (names := tuple(by_name)) not in _LOWER and not _are_lower(names):
        headers = [(bytes(name).lower(), value) for name, value in headers]
        return {**scope, "headers": headers}, headers_by_name(headers)
    return scope, by_name if len(by_name) == len(headers) else headers_by_name(headers)


def _are_lower(names: tuple[bytes, ...]) -> bool:
    joined = b"".join(names)
    if names and not joined.islower():
        return False
    # Bounded: an attacker with invented names can only undo this saving.
    if len(joined) <= SHAPE_BYTES_MAX:
        if len(_LOWER) >= SHAPES_MAX:
            _LOWER.clear()
        _LOWER.add(names)
    return True


def headers_by_name(headers: Sequence[Header]) -> dict[bytes, bytes]:
    """Values by name: the last of a repeated name, but all of several `Cookie` lines (RFC 9113 section 8.2.3)."""
    by_name = dict(headers)
    if len(by_name) != len(headers) and b"cookie" in by_name:
        by_name[b"cookie"] = b"; ".join([value for name, value in headers if name == b"cookie"])
    return by_name
