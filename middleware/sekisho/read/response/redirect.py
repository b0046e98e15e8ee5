"""The target of a redirect, and whether the client chose it.

If an application redirects a failed log-in back to its origin, the client chooses the target: by `Referer`, by
`?next=`, by a hidden field, by a cookie. Such a target proves nothing.
"""

from __future__ import annotations

import re
from posixpath import normpath
from typing import TYPE_CHECKING, Any, Final, final
from urllib.parse import unquote, urljoin, urlsplit

from sekisho.model.value import Value
from sekisho.read.names import unquoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sekisho.model.headers import Header

# Text beyond these counts as naming the target; see `_names`.
SENT_BYTES_MAX: Final = 65_536
ESCAPES_MAX: Final = 2_048  # analytics' cookies have hundreds
PARTS_MAX: Final = 2_000
PLACE_CHARS_MAX: Final = 4_096  # of the parts that are resolved
PLACE_CHARS_MIN: Final = 64  # what resolving any part costs, in characters
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
_ESCAPED_SLASH: Final = re.compile(r"%(?:2[fF5]|5[cC])")  # `/`, `\` or `%`
_ESCAPED: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
_IGNORED: Final = {ord(character): None for character in "\t\n\r"}  # browsers ignore them in a URL


@final
class RedirectTarget(Value):
    """The target of a redirect.

    Attributes:
        host: in lower case, without a default port; "" if the redirect names no host.
        path: unescaped, without dot segments, doubled or trailing slashes.
        rest: query and fragment, each with its mark.
        folded: the path with its case folded.
        segment: the text that any name of this target contains in the same request, folded; see `_last_named`.
    """

    __slots__ = ("folded", "host", "path", "rest", "segment")

    def __init__(self, host: str, path: str, rest: str, asked: str) -> None:
        self.host: Final = host
        self.path: Final = path
        self.rest: Final = rest
        self.folded: Final = path.casefold()
        self.segment: Final = _last_named(self.folded, asked)


def target_of(location: str, path: str) -> RedirectTarget | None:
    """Return the target of a `Location`, resolved against the request's path; None if empty, invalid or not http(s)."""
    if _PLAIN.fullmatch(location):  # as nearly all are
        return RedirectTarget("", location.rstrip("/") or "/", "", path)
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
    return RedirectTarget(_host(parts.netloc), flat(parts.path), rest, path)


def flat(path: str) -> str:
    """Normalise a path as a browser does: `/account/%2e%2e/login/` is `/login`."""
    return "/" + normpath("/" + unquote(path)).strip("/")


def stays(target: RedirectTarget, headers: Iterable[Header]) -> bool:
    """Whether a redirect stays on the host that the request names."""
    if not target.host:
        return True
    asked = next((value for name, value in headers if name == b"host"), b"")
    return target.host == _host(asked.decode("latin-1"))


def is_below(path: str, place: str) -> bool:
    """Whether a path is this place or below it, by whole segments. The place `/` matches only itself."""
    return path == place or (place != "/" and path.startswith(place + "/"))


def leads_to(target: RedirectTarget, wanted: RedirectTarget, headers: Iterable[Header]) -> bool:
    """Whether a redirect matches a rule's target `wanted`: its host, its path or one below, exactly its query.

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


def is_named_by(scope: Mapping[str, Any], body: bytes, target: RedirectTarget) -> bool:
    """Whether a request names the target of its redirect in its query, headers, cookies or body.

    A request that would take long to search counts as naming it; see `_names`.

    Args:
        scope: of the request; `query_string` and `headers` are read.
        body: of the request, as it was sent.
        target: of the answer's redirect.
    """
    path, query, body_may = scope["path"], scope.get("query_string", b""), _may_hold_slash(body)
    headers: Iterable[Header] = scope.get("headers", ())
    naming = [query]
    for name, value in headers:
        if name in _NAME_NO_PLACE:
            continue
        # A compressed body is not searched here, and may name any target.
        if name == b"content-encoding":
            return True
        naming.append(value)
    wanted, segment = target.folded, target.segment
    if not body_may and not _may_name(b"\n".join(naming), segment):
        return False  # as nearly always, and at a third of what a search of each header costs
    if (query and _names(query, wanted, segment, path, words=True)) or (
        body_may and _names(body, wanted, segment, path)
    ):
        return True
    # At once, so that a thousand headers are searched within the bounds of one text.
    naming = [value for value in naming[1:] if _may_hold_slash(value)]
    return bool(naming) and _names(b"\n".join(naming), wanted, segment, path)


def _may_name(sent: bytes, segment: str) -> bool:
    """Whether text may hold this segment of a path, plain or escaped."""
    if not sent.isascii() or _PERCENT in sent or _BACKSLASH in sent:
        return True
    # Searched as text, because bytes are searched by way of an error; see below. Bytes are sooner in lower case.
    return segment in sent.lower().decode("ascii")


def _last_named(wanted: str, path: str) -> str:
    """The text that names a target: its last segment; "" if dots in the request's path may lead to the target."""
    return "" if "/." in path or "//" in path or path.casefold().startswith(wanted) else wanted.rpartition("/")[2]


def came_from(scope: Mapping[str, Any], target: RedirectTarget) -> bool:
    """Whether a redirect leads back to the page in the client's `Referer`."""
    referer = next((value for name, value in scope.get("headers", ()) if name == b"referer"), b"")
    path = scope["path"]
    return _names(referer, target.folded, target.segment, path)


def _names(sent: bytes, wanted: str, segment: str, path: str, *, words: bool = False) -> bool:
    """Whether any part of a text is a place that an application might resolve to a target.

    64 KiB of slashes and escapes would take a quarter of a second to resolve. Text with more of them than any browser
    sends counts as naming the target: its own account's log-in then proves nothing, which costs its sender alone.

    Args:
        sent: the text.
        wanted: the target's folded path.
        segment: see `_last_named`.
        path: of the request.
        words: also try words without a slash, as in `?next=home`; not in a body, where a word may be the account.
    """
    folded = sent.decode(errors="replace").casefold()
    # Most text does not contain the segment and is skipped, unless it contains an escape.
    escapes = folded.count("%") + folded.count("\\")
    if not (escapes or segment in folded):
        return False
    if len(sent) > SENT_BYTES_MAX or escapes > ESCAPES_MAX:
        return True
    chars = PLACE_CHARS_MAX
    for text in _spellings(sent):
        parts = _NO_PLACE.split(text, PARTS_MAX)
        if len(parts) > PARTS_MAX:
            return True
        for part in parts:
            if not (words or "/" in part or "\\" in part) or not ("%" in part or segment in part.casefold()):
                continue
            chars -= len(part) + PLACE_CHARS_MIN
            if chars < 0 or _resolves_to(wanted, part, path):
                return True
    return False


def _spellings(sent: bytes) -> set[str]:
    """A text as an application may decode it: JSON's escapes, then percent-encoding up to twice."""
    text = sent.decode(errors="replace")
    spelled = _ESCAPED.sub(_character, text.replace("\\/", "/"))
    once = _unquoted(spelled)
    return {text, spelled, once, _unquoted(once)}


def _character(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16))


def _unquoted(text: str) -> str:
    return unquoted(text.replace("+", " ").encode(errors="replace")).decode(errors="replace")


def _resolves_to(wanted: str, part: str, path: str) -> bool:
    # `https://shop.example` without a path is an `Origin`; every form sends one.
    target = None if _is_bare_origin(part) else target_of(part, path)
    return target is not None and target.folded == wanted


def _may_hold_slash(sent: bytes) -> bool:
    """Whether text may hold a slash, plain or escaped: without one it names no path. Most text has none."""
    # Numbers, not bytes: `bytes.__contains__` first tries bytes as a number, and the error costs a thousand steps.
    if _SLASH in sent or _BACKSLASH in sent:
        return True
    if _PERCENT not in sent:
        return False
    if len(sent) > ESCAPES_MAX and sent.count(b"%") > ESCAPES_MAX:
        return True
    # Most escapes are of other characters: `@` in each form's mail address.
    text = sent.decode("latin-1")
    return ("%2" in text or "%5" in text) and _ESCAPED_SLASH.search(text) is not None


def _is_bare_origin(text: str) -> bool:
    return text.count("/") == 2 and "://" in text


def _host(netloc: str) -> str:
    host = netloc.lower().rstrip(".")
    for port in _PLAIN_PORTS:
        host = host.removesuffix(port)
    return host
