"""What a session is shown by: what a successful answer hands out, and what a request presents.

Only read here; `challenge/tie.py` ties it to an account. A request that can be read in two ways shows nothing: if the
application took the other reading, the proof of one account would open the session of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sekisho.model import SuccessBy
from sekisho.read.cookie_names import is_ours, may_be_session
from sekisho.read.response.tree import json_tree, usual_token, value_at
from sekisho.read.set_cookies import set_cookies

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sekisho.model import Door

    Headers = Sequence[tuple[bytes, bytes]]

COOKIES_MAX = 8
VALUE_CHARS_MAX = 4_096
NAME_CHARS_MAX = 128
SHOWN_BYTES_MAX = 65_536  # more than servers take; what is longer is not looked at

_SEPARATORS = bytes.maketrans(b',"\t\n\v\f\r ', b";" * 8)


class SessionCredentials(NamedTuple):
    """Attributes:
    cookies: name and value of each, by name.
    bearer: the token, without its scheme; "" where there is none.
    """

    cookies: tuple[tuple[str, str], ...] = ()
    bearer: str = ""

    def __bool__(self) -> bool:
        return bool(self.cookies or self.bearer)

    def __repr__(self) -> str:
        return f"SessionCredentials({len(self.cookies)} cookies, bearer={bool(self.bearer)})"


NONE = SessionCredentials()


class Presented(NamedTuple):
    """What a request shows.

    Attributes:
        cookies: value by name, of those asked for that are shown once and no more.
        bearer: the token of `Authorization: Bearer`; "" where there is none.
        other_authorization: whether `Authorization` says something else, or several things.
    """

    cookies: dict[str, str]
    bearer: str
    other_authorization: bool

    def __repr__(self) -> str:
        return f"Presented({len(self.cookies)} cookies, bearer={bool(self.bearer)})"


def credentials_set(door: Door, headers: Headers, body: bytes) -> SessionCredentials:
    """What a successful answer of `door` hands out.

    Cookies with `HttpOnly` that may hold a session, or the one that the door's rule names; the token of a JSON body,
    at the rule's place or under a usual name. Nothing at all where some of it is beyond the bounds: what is left could
    be something that is the same for everybody, such as a language.
    """
    by = {rule.by for rule in door.success}
    named = {rule.name for rule in door.success if rule.by is SuccessBy.COOKIE}
    only_json = SuccessBy.JSON in by and SuccessBy.COOKIE not in by
    only_cookies = SuccessBy.COOKIE in by and SuccessBy.JSON not in by
    found = SessionCredentials(
        () if only_json else _cookies(headers, named),
        "" if only_cookies else _token(door, body),
    )
    return found if _is_bounded(found) else NONE


def _cookies(headers: Headers, named: Collection[str]) -> tuple[tuple[str, str], ...]:
    kept: dict[str, str] = {}
    for cookie in set_cookies(headers):
        # The last line of a name is what a browser keeps.
        kept.pop(cookie.name, None)
        wanted = cookie.name in named if named else cookie.may_be_session and not _is_refresh(cookie.name)
        if wanted and not cookie.deletes and not is_ours(cookie.name):
            kept[cookie.name] = cookie.value
    return tuple(sorted(kept.items()))


def _is_refresh(name: str) -> bool:
    # Sent to one path alone, for a new token: no other request shows it.
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


def credentials_shown(headers: Headers, names: Collection[str]) -> Presented:
    """What a request shows of the cookies in `names`, and its bearer token. Bounded work, whatever is sent."""
    lines = [value for name, value in headers if name == b"cookie"]
    said = [value for name, value in headers if name == b"authorization"]
    header = b";".join(lines)
    cookies = _shown(header, names) if len(header) <= SHOWN_BYTES_MAX else {}
    bearer = _bearer(said[0]) if len(said) == 1 else ""
    return Presented(cookies, bearer, bool(said) and not bearer)


def other_session(headers: Headers, names: Collection[str]) -> bool:
    """Whether a request shows a cookie that is called like a session and is none of `names`."""
    header = b";".join(value for name, value in headers if name == b"cookie")
    if len(header) > SHOWN_BYTES_MAX:
        return True
    return any(may_be_session(name) for name in _mentioned(header) if name not in names)


def _shown(header: bytes, names: Collection[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in header.split(b";"):
        name, _, value = pair.partition(b"=")
        if (text := name.strip().decode("latin-1")) in names:
            values[text] = value.strip().decode("latin-1")
    mentioned = _mentioned(header)
    return {name: value for name, value in values.items() if mentioned.count(name) == 1}


def _mentioned(header: bytes) -> list[str]:
    """Every name that any parser may see: some also part cookies at commas, spaces and quotes (`http.cookies`)."""
    tight = b"=".join(part.strip() for part in header.split(b"="))
    pairs = tight.translate(_SEPARATORS).split(b";")
    return [pair.partition(b"=")[0].decode("latin-1") for pair in pairs if b"=" in pair]


def _bearer(value: bytes) -> str:
    scheme, _, token = value.strip().partition(b" ")
    if scheme.lower() != b"bearer" or len(token) > VALUE_CHARS_MAX:
        return ""
    return token.strip().decode("latin-1")
