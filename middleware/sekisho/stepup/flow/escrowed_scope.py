"""The request as an escrowed run sees it: the attempt, without any identity of the client.

A stranger with a right password has the application run before any proof. Many applications would join another identity
in the request to the new log-in: they put the owner into the session of an attacker's cookie, or let the user of a
header in. So the scope and the headers are copied by **allow-lists**; a deny-list would lack the next proxy's
`X-…-User` (R1).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sekisho.asgi.stacked import ASIDE
from sekisho.read.csrf import is_csrf_cookie

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sekisho.model import Door
    from sekisho.model.headers import Header

    Scope = Mapping[str, Any]

SCOPE_KEYS = frozenset(
    {
        # Of ASGI. `extensions` and `state` are made anew: the one holds the client's certificate (`tls`), the other
        # what outer middleware found out about the client.
        *("type", "asgi", "http_version", "method", "scheme", "path", "raw_path", "query_string", "root_path"),
        *("client", "server"),
        # Where a framework has come to in its own routing, when the guard stands inside of it.
        *("app", "app_root_path", "endpoint", "path_params", "route", "router", "starlette.exception_handlers"),
        *("litestar_app", "path_template", "route_handler"),
        ASIDE,  # a second guard behind this one, which would ask for a proof of its own
    }
)

HEADERS = frozenset(
    {
        # The body, and how the client wants its answer.
        *(b"content-type", b"content-length", b"content-encoding", b"transfer-encoding"),
        *(b"accept", b"accept-charset", b"accept-encoding", b"accept-language", b"user-agent"),
        *(b"sec-ch-ua", b"sec-ch-ua-mobile", b"sec-ch-ua-platform"),
        # Pages in parts: they decide between a redirect and a header that stands for one.
        *(b"hx-boosted", b"hx-current-url", b"hx-request", b"hx-target", b"turbo-frame"),
        *(b"x-inertia", b"x-inertia-version"),
        # Which page sent it: what defences against cross-site requests look at.
        *(b"host", b"origin", b"referer", b"x-requested-with"),
        *(b"sec-fetch-dest", b"sec-fetch-mode", b"sec-fetch-site", b"sec-fetch-user"),
        *(b"anti-csrf-token", b"csrf-token", b"requestverificationtoken", b"x-csrf-protection", b"x-csrf-token"),
        *(b"x-csrftoken", b"x-xsrf-token", b"xsrf-token"),
        # Where it came in. Applications believe these from their proxies alone, and they name an address at most.
        *(b"forwarded", b"front-end-https", b"x-scheme", b"x-url-scheme", b"x-original-host"),
        *(b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-path", b"x-forwarded-port", b"x-forwarded-prefix"),
        *(b"x-forwarded-proto", b"x-forwarded-protocol", b"x-forwarded-scheme", b"x-forwarded-server"),
        *(b"x-forwarded-ssl", b"cf-connecting-ip", b"cf-ipcountry", b"fly-client-ip", b"true-client-ip"),
        *(b"x-client-ip", b"x-real-ip"),
        # Which request it is, for the logs.
        *(b"traceparent", b"tracestate", b"x-amzn-trace-id", b"x-correlation-id", b"x-request-id"),
    }
)
"""Headers that reach an escrowed run, beside those that the door names with `headers=`."""

# RFC 6265 section 4.1.1, bare or in quotes. A blank, a comma or a quote inside would be the end of the cookie for
# `http.cookies`, Bottle and WebOb, and the rest of it another cookie: a session, for one.
_OCTETS = rb"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*"
_COOKIE_VALUE = re.compile(_OCTETS + b'|"' + _OCTETS + b'"')


def escrowed_scope(
    scope: Scope, door: Door, lifespan_state: Mapping[str, object], csrf: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Return a copy of the scope without all that identifies the client.

    Args:
        scope: of the request, as the server and outer middleware left it.
        door: may name cookies and headers that its application cannot do without.
        lifespan_state: the state of the application's lifespan, which is the same for every request. Of
            `scope["state"]` only the same objects are kept: outer middleware writes there whose request it is.
        csrf: names of `read.csrf.CSRF_COOKIES` that this site uses for nothing else.
    """
    state: Mapping[str, object] = scope.get("state") or {}
    kept = {name: value for name, value in state.items() if name in lifespan_state and lifespan_state[name] is value}
    return {
        **{name: value for name, value in scope.items() if name in SCOPE_KEYS},
        "headers": list(_anonymous(scope["headers"], door, csrf)),
        "extensions": {},
        "state": kept,
    }


def _anonymous(headers: Iterable[Header], door: Door, csrf: frozenset[str]) -> Iterator[Header]:
    pairs: list[bytes] = []
    for original, value in headers:
        name = original.lower()
        if name == b"cookie":
            pairs += _pairs(value, door.cookies, csrf)
        elif name in HEADERS or name.decode("latin-1") in door.headers:
            yield name, value
    if pairs:
        yield b"cookie", b"; ".join(pairs)


def _pairs(line: bytes, names: frozenset[str], csrf: frozenset[str]) -> Iterator[bytes]:
    """The harmless cookies of a `Cookie` line, written anew: every parser splits them where this one does."""
    for pair in line.split(b";"):
        name, equals, value = pair.strip(b" \t").partition(b"=")
        if not equals or not _COOKIE_VALUE.fullmatch(value):
            continue
        text = name.decode("latin-1")
        if text in names or (text in csrf and is_csrf_cookie(text, value.decode("ascii"))):
            yield name + b"=" + value
