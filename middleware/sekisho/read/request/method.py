"""Which method a request may end as, and whether it brings a body."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from sekisho.read.names import OVERRIDE_FIELD, mention_of

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator, Mapping

HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods by which a page is looked at. With a body, an override or a secret in the query they are more than a look."""

METHOD_BYTES_MAX: Final = 64
MENTIONS_MAX: Final = 64  # of a method in one query; whoever writes more is found by the first

_IN_QUERY: Final = mention_of([OVERRIDE_FIELD])
_OVERRIDES: Final = frozenset({b"x-http-method-override", b"x-method-override", b"x-http-method"})


def overrides(scope: Mapping[str, Any]) -> list[str]:
    """The methods that headers and the query name in place of the request's own, in upper case."""
    # WSGI's environment, which some applications still read, takes `_` in a name for `-`.
    in_headers = [
        value for name, value in scope["headers"] if name[:1] == b"x" and name.replace(b"_", b"-") in _OVERRIDES
    ]
    in_query = [unquote_to_bytes((mention["value"] or b"")[:METHOD_BYTES_MAX]) for mention in _mentions(scope)]
    return [method.decode("latin-1").strip(" +").upper() for method in (*in_headers, *in_query)]


def _mentions(scope: Mapping[str, Any]) -> Iterator[re.Match[bytes]]:
    return islice(_IN_QUERY.finditer(scope.get("query_string", b"")), MENTIONS_MAX)


def announces_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether any header says that a body follows: `Content-Length` above zero, or `Transfer-Encoding`."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and bool(value.strip().strip(b"0")))
        for name, value in headers
    )


def may_hide_body(scope: Mapping[str, Any]) -> bool:
    """Whether a body may follow that no header announces: in HTTP/2 and later only the stream itself says so."""
    return scope.get("method") in HARMLESS and not scope.get("http_version", "1.1").startswith(("0", "1"))
