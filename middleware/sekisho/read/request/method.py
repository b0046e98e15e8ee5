"""The methods that a request may be routed as, and whether it has a body."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from sekisho.read.names import OVERRIDE_FIELD, Mention

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator, Mapping

    from sekisho.model.headers import Header

HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods for viewing a page. With a body, an override or a secret in the query they may be an attempt."""

METHOD_BYTES_MAX: Final = 64
MENTIONS_MAX: Final = 64  # of a method in one query; the first already suffices to find an override

_IN_QUERY: Final = Mention([OVERRIDE_FIELD])
_OVERRIDES: Final = frozenset({b"x-http-method-override", b"x-method-override", b"x-http-method"})


def overrides(scope: Mapping[str, Any]) -> list[str]:
    """The methods with which headers and the query override the request's own, in upper case."""
    # Some applications still read WSGI's environment, which does not distinguish `_` and `-` in a name.
    in_headers = [
        value for name, value in scope["headers"] if name[:1] == b"x" and name.replace(b"_", b"-") in _OVERRIDES
    ]
    in_query = [unquote_to_bytes((mention["value"] or b"")[:METHOD_BYTES_MAX]) for mention in _mentions(scope)]
    # Applications strip more than blanks: 0xA0 is white space to `str.strip`.
    return [method.decode("latin-1").replace("+", " ").strip().upper() for method in (*in_headers, *in_query)]


def _mentions(scope: Mapping[str, Any]) -> Iterator[re.Match[bytes]]:
    return islice(_IN_QUERY.finditer(scope.get("query_string", b"")), MENTIONS_MAX)


def announces_body(headers: Iterable[Header]) -> bool:
    """Whether a header announces a body: `Content-Length` above zero, or `Transfer-Encoding`."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and bool(value.strip().strip(b"0")))
        for name, value in headers
    )


def may_hide_body(scope: Mapping[str, Any]) -> bool:
    """Whether there may be a body that no header announces: in HTTP/2 and later only the stream shows it."""
    return scope.get("method") in HARMLESS and not scope.get("http_version", "1.1").startswith(("0", "1"))
