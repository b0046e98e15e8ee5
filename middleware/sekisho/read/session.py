"""Session credentials: those that a successful answer issues, and those that a request presents.

This module only reads them; `stepup/session_binding.py` binds them to an account. An ambiguous request presents
nothing: if the application read it differently, the proof of one account would open the session of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from sekisho.model import SuccessBy
from sekisho.read.cookie_names import is_ours, may_be_session
from sekisho.read.outcome import cookies_brought, is_new, is_signed
from sekisho.read.response.tree import json_tree, usual_token, value_at
from sekisho.read.set_cookies import set_cookies

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sekisho.model import Door
    from sekisho.model.headers import Header


COOKIES_MAX = 8
VALUE_CHARS_MAX = 4_096
NAME_CHARS_MAX = 128
SHOWN_BYTES_MAX = 65_536  # more than servers accept; longer headers are not read
PARTS_MAX = 4_096  # of that header; browsers keep 180 cookies, some with a hundred marks of JSON in them

ODD_MAX = 64  # cookies with an escape or a prefix in the name; sites have a few
_PREFIXES = ("__Host-", "__Secure-")
_SEPARATORS = bytes.maketrans(b',"\t\n\v\f\r ', b";" * 8)


class SessionCredentials(NamedTuple):
    """Attributes:
    cookies: name and value of each, by name.
    bearer: the token, without its scheme; "" if there is none.
    """

    cookies: tuple[tuple[str, str], ...] = ()
    bearer: str = ""

    @property
    def is_empty(self) -> bool:
        # No `__bool__`: compiled code takes any named tuple for true.
        return not (self.cookies or self.bearer)

    def __repr__(self) -> str:
        return f"SessionCredentials({len(self.cookies)} cookies, bearer={bool(self.bearer)})"


NONE = SessionCredentials()


class Presented(NamedTuple):
    """The session credentials that a request presents.

    Attributes:
        cookies: the requested cookies that occur exactly once, value by name.
        bearer: the token of `Authorization: Bearer`; "" if there is none.
        other_authorization: whether there is another `Authorization`, or several.
    """

    cookies: dict[str, str]
    bearer: str
    other_authorization: bool

    def __repr__(self) -> str:
        return f"Presented({len(self.cookies)} cookies, bearer={bool(self.bearer)})"


def credentials_set(door: Door, headers: Sequence[Header], body: bytes) -> SessionCredentials:
    """The session credentials that a successful answer of `door` issues.

    These are the `HttpOnly` cookies that may hold a session, or the one that the door's rule names, and the token of a
    JSON body, at the rule's path or under a usual name. If any is beyond the bounds, none is returned: the rest could
    be a value that all clients share, such as a language.
    """
    by = {rule.by for rule in door.success}
    names = {rule.name for rule in door.success if rule.by is SuccessBy.COOKIE}
    only_json = SuccessBy.JSON in by and SuccessBy.COOKIE not in by
    only_cookies = SuccessBy.COOKIE in by and SuccessBy.JSON not in by
    found = SessionCredentials(
        () if only_json else _cookies(headers, names),
        "" if only_cookies else _token(door, body),
    )
    return found if _is_bounded(found) else NONE


def keeps_session(door: Door, headers: Sequence[Header], scope: Mapping[str, Any], body: bytes) -> bool:
    """Whether a success left the client with the session that it had brought, in a cookie that the door names.

    Behind a seal that session would be logged in before the proof. A signed session stands in the cookie itself:
    the client holds no other until it gets the answer.

    Args:
        door: its `cookies` reach the application behind a seal.
        headers: of the answer, as `body`.
        scope: of the request, as the application saw it.
        body: unpacked.
    """
    named = [name for name in door.cookies if may_be_session(name)]
    if not any(value and not is_signed(value) for name, value in cookies_brought(scope) if name in named):
        return False
    fresh = [line for line in headers if all(is_new(cookie, scope) for cookie in set_cookies([line]))]
    return credentials_set(door, fresh, body).is_empty


def _cookies(headers: Sequence[Header], names: Collection[str]) -> tuple[tuple[str, str], ...]:
    kept: dict[str, str] = {}
    for cookie in set_cookies(headers):
        # A browser keeps the last line of a name.
        kept.pop(cookie.name, None)
        wanted = cookie.name in names if names else cookie.may_be_session and not _is_refresh(cookie.name)
        if wanted and not cookie.deletes and not is_ours(cookie.name):
            kept[cookie.name] = cookie.value
    return tuple(sorted(kept.items()))


def _is_refresh(name: str) -> bool:
    # A refresh cookie is sent to one path only, for a new token: no other request presents it.
    return "refresh" in name.lower()


def _token(door: Door, body: bytes) -> str:
    tree = json_tree(body) if body else None
    if tree is None:
        return ""
    paths = [rule.path for rule in door.success if rule.by is SuccessBy.JSON]
    values = [value_at(tree, path) for path in paths] if paths else [usual_token(tree)]
    return next((value for value in values if isinstance(value, str) and value), "")


def _is_bounded(found: SessionCredentials) -> bool:
    pairs = (*found.cookies, ("", found.bearer))
    return len(found.cookies) <= COOKIES_MAX and all(
        len(name) <= NAME_CHARS_MAX and len(value) <= VALUE_CHARS_MAX for name, value in pairs
    )


def credentials_shown(headers: Sequence[Header], names: Collection[str]) -> Presented:
    """The cookies in `names` that a request presents, and its bearer token. The work is bounded for any request."""
    lines = [value for name, value in headers if name == b"cookie"]
    said = [value for name, value in headers if name == b"authorization"]
    header = b";".join(lines)
    cookies = {} if _takes_long(header) else _shown(header, names)
    bearer = _bearer(said[0]) if len(said) == 1 else ""
    return Presented(cookies, bearer, bool(said) and not bearer)


def other_session(headers: Sequence[Header], names: Collection[str]) -> bool:
    """Whether a request has a cookie named like a session and not in `names`. True for too many cookies to read."""
    header = b";".join(value for name, value in headers if name == b"cookie")
    if _takes_long(header):
        return True
    return any(may_be_session(name) for name in _mentioned(header) if name not in names)


def _takes_long(header: bytes) -> bool:
    """Whether a header is longer than servers accept, or of so many parts that reading it would take milliseconds."""
    if len(header) > SHOWN_BYTES_MAX:
        return True
    return header.count(b"=") + header.translate(_SEPARATORS).count(b";") > PARTS_MAX


def _shown(header: bytes, names: Collection[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in header.split(b";"):
        name, _, value = pair.partition(b"=")
        if (text := name.strip().decode("latin-1")) in names:
            values[text] = value.strip().decode("latin-1")
    mentioned = _mentioned(header)
    odd = [one for one in mentioned if "%" in one or one.startswith(_PREFIXES)]
    if len(odd) > ODD_MAX:
        return {}
    return {name: value for name, value in values.items() if mentioned.count(name) == 1 and _is_alone(name, odd)}


def _is_alone(name: str, odd: list[str]) -> bool:
    """Whether no framework reads another cookie of a request as this name.

    BlackSheep decodes names, and Sanic prefers `__Host-sid` to `sid`. Beside an attacker's own session, and its proof,
    that other one would be the victim's (R4).

    Args:
        name: of a cookie that is mentioned once.
        odd: the names with an escape or a prefix.
    """
    others = [unquote(one) for one in odd if one != name]
    return _bare(name) not in [_bare(one) for one in others if one == name or one.startswith(_PREFIXES)]


def _bare(name: str) -> str:
    while name.startswith(_PREFIXES):
        name = name.partition("-")[2]
    return name


def _mentioned(header: bytes) -> list[str]:
    """Every name that any parser may read: some also split cookies at commas, spaces and quotes (`http.cookies`)."""
    tight = b"=".join(part.strip() for part in header.split(b"="))
    pairs = tight.translate(_SEPARATORS).split(b";")
    return [pair.partition(b"=")[0].decode("latin-1") for pair in pairs if b"=" in pair]


def _bearer(value: bytes) -> str:
    scheme, _, token = value.strip().partition(b" ")
    if scheme.lower() != b"bearer" or len(token) > VALUE_CHARS_MAX:
        return ""
    return token.strip().decode("latin-1")
