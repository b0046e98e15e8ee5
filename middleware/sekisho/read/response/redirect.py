"""The target of a redirect, and whether the client chose it.

If an application redirects a failed log-in back to its origin, the client chooses the target: by `Referer`, by
`?next=`, by a hidden field, by a cookie. Such a target proves nothing.
"""

from __future__ import annotations

import re
from posixpath import normpath
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote, unquote_plus, urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SENT_BYTES_MAX: Final = 65_536  # longer text is not searched: it counts as naming the target
_PLAIN_PORTS: Final = (":443", ":80")
_PLAIN: Final = re.compile(r"(?:/[A-Za-z0-9_-]+)+/?|/")
_NO_PLACE: Final = re.compile(r"[\s\"'<>;,&=(){}|^`]+")
# Each redirect that would be a success searches the request's headers; these name no target and are skipped.
_NAME_NO_PLACE: Final = frozenset(
    {
        *(b"host", b"origin", b"user-agent", b"accept", b"accept-encoding", b"accept-language", b"connection"),
        *(b"content-type", b"content-length", b"cache-control", b"dnt", b"priority", b"upgrade-insecure-requests"),
        *(b"sec-ch-ua", b"sec-ch-ua-mobile", b"sec-ch-ua-platform", b"te"),
        *(b"sec-fetch-dest", b"sec-fetch-mode", b"sec-fetch-site", b"sec-fetch-user"),
    }
)
_SLASH: Final = ord("/")
_BACKSLASH: Final = ord("\\")
_PERCENT: Final = ord("%")
_ESCAPED_SLASH: Final = re.compile(rb"%(?:2[fF5]|5[cC])")  # `/`, `\` or `%`
_ESCAPED: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
_IGNORED: Final = {ord(character): None for character in "\t\n\r"}  # browsers ignore them in a URL


class Target(NamedTuple):
    """The target of a redirect.

    Attributes:
        host: in lower case, without a default port; "" if the redirect names no host.
        path: unescaped, without dot segments, doubled or trailing slashes.
        rest: query and fragment, each with its mark.
    """

    host: str
    path: str
    rest: str


def target_of(location: str, path: str) -> Target | None:
    """The target of a `Location`, resolved against the path of the request; None if it is no page."""
    if _PLAIN.fullmatch(location):  # as nearly all are
        return Target("", location.rstrip("/") or "/", "")
    # Browsers treat a backslash as a slash, so `/\\other.example` is another host.
    text = location.strip().translate(_IGNORED).replace("\\", "/")
    if not text:
        return None
    try:
        parts = urlsplit(urljoin(path, text))
    except ValueError:  # an invalid address in brackets
        return None
    if parts.scheme not in {"", "http", "https"}:
        return None
    rest = (f"?{parts.query}" if parts.query else "") + (f"#{parts.fragment}" if parts.fragment else "")
    return Target(_host(parts.netloc), flat(parts.path), rest)


def flat(path: str) -> str:
    """Normalise a path as a browser does: `/account/%2e%2e/login/` is `/login`."""
    return "/" + normpath("/" + unquote(path)).strip("/")


def stays(target: Target, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a redirect stays on the host that the request names."""
    if not target.host:
        return True
    asked = next((value for name, value in headers if name == b"host"), b"")
    return target.host == _host(asked.decode("latin-1"))


def is_below(path: str, place: str) -> bool:
    """Whether a path is this place or below it, by whole segments; nothing is below `/`."""
    return path == place or (place != "/" and path.startswith(place + "/"))


def leads_to(target: Target, wanted: Target, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a redirect matches a rule: on its host, at its path or below, with exactly the rule's query.

    Another query could report a failure: `/home?login=failed`. A parameter without a value in the rule may have any
    value.
    """
    on_host = target.host == wanted.host if wanted.host else stays(target, headers)
    if not on_host or not is_below(target.path, wanted.path):
        return False
    return target.rest == wanted.rest or ("?" in wanted.rest and _has_same_names(target.rest, wanted.rest))


def _has_same_names(rest: str, wanted: str) -> bool:
    query, _, fragment = rest.removeprefix("?").partition("#")
    wanted_query, _, wanted_fragment = wanted.removeprefix("?").partition("#")
    pairs, wanted_pairs = _pairs(query), _pairs(wanted_query)
    if fragment != wanted_fragment or len(pairs) != len(wanted_pairs):
        return False
    return all(
        name == wanted_name and value_wanted in {"", value}
        for (name, value), (wanted_name, value_wanted) in zip(pairs, wanted_pairs, strict=True)
    )


def _pairs(query: str) -> list[tuple[str, str]]:
    return sorted((name, value) for name, _, value in (pair.partition("=") for pair in query.split("&")))


def is_named_by(scope: Mapping[str, Any], body: bytes, target: Target) -> bool:
    """Whether a request names the target of its redirect in its query, headers, cookies or body.

    Args:
        scope: of the request; `query_string` and `headers` are read.
        body: of the request, as it was sent.
        target: of the answer's redirect.
    """
    path, query, body_may = scope["path"], scope.get("query_string", b""), _may_hold_slash(body)
    headers: Iterable[tuple[bytes, bytes]] = scope.get("headers", ())
    values = []
    for name, value in headers:
        # A compressed body is not searched here, and may name any target.
        if name == b"content-encoding":
            return True
        values.append(value)
    wanted = target.path.casefold()
    segment = _last_named(wanted, path)
    if not body_may and not _may_name(b"\n".join([query, *values]), segment):
        return False  # as nearly always, and at a third of what a search of each header costs
    if (query and _names(query, wanted, segment, path, words=True)) or (
        body_may and _names(body, wanted, segment, path)
    ):
        return True
    for name, value in headers:
        if _may_hold_slash(value) and name not in _NAME_NO_PLACE and _names(value, wanted, segment, path):
            return True
    return False


def _may_name(sent: bytes, segment: str) -> bool:
    """Whether text may hold this segment of a path, plain or escaped."""
    if not (sent.isascii() and segment.isascii()):
        return True
    folded = sent.decode("ascii").lower()  # text, because bytes are searched by way of an error; see below
    return segment in folded or "%" in folded or "\\" in folded


def _last_named(wanted: str, path: str) -> str:
    """The text that names a target: its last segment; "" if dots in the request's path may lead to the target."""
    return "" if "/." in path or "//" in path or path.casefold().startswith(wanted) else wanted.rpartition("/")[2]


def came_from(scope: Mapping[str, Any], target: Target) -> bool:
    """Whether a redirect leads back to the page in the client's `Referer`."""
    referer = next((value for name, value in scope.get("headers", ()) if name == b"referer"), b"")
    # No `in`: a compiled generator has none.
    return any(place == target.path for place in _places(referer.decode(errors="replace"), scope["path"]))


def _names(sent: bytes, wanted: str, segment: str, path: str, *, words: bool = False) -> bool:
    """Whether text names a target: `wanted` is its folded path, `segment` see `_last_named`, `path` the request's."""
    text = sent.decode(errors="replace")
    # Most text does not contain the segment and is skipped, unless it contains an escape.
    folded = text.casefold()
    if not (segment in folded or "%" in folded or "\\" in folded):
        return False
    if len(sent) > SENT_BYTES_MAX:
        return True
    # No `in`: a compiled generator has none.
    return any(place.casefold() == wanted for place in _places(text, path, words=words))


def _may_hold_slash(sent: bytes) -> bool:
    """Whether text may hold a slash, plain or escaped: without one it names no path. Most text has none."""
    # Numbers, not bytes: `bytes.__contains__` first tries bytes as a number, and the error costs a thousand steps.
    if _SLASH in sent or _BACKSLASH in sent:
        return True
    return _PERCENT in sent and _ESCAPED_SLASH.search(sent) is not None


def _places(sent: str, path: str, *, words: bool = False) -> Iterator[str]:
    """Yield every path that a part of a text may be, as an application might resolve it.

    `words`: also words without a slash, as in `?next=home`; not for a body, where a word may be the account.
    """
    spelled = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), sent.replace("\\/", "/"))
    for text in {sent, spelled, unquote_plus(spelled), unquote_plus(unquote_plus(spelled))}:
        for part in _NO_PLACE.split(text):
            # `https://shop.example` without a path is an `Origin`; every form sends one.
            if (
                (words or "/" in part or "\\" in part)
                and not _is_bare_origin(part)
                and (target := target_of(part, path))
            ):
                yield target.path


def _is_bare_origin(text: str) -> bool:
    return text.count("/") == 2 and "://" in text


def _host(netloc: str) -> str:
    host = netloc.lower().rstrip(".")
    for port in _PLAIN_PORTS:
        host = host.removesuffix(port)
    return host
