"""CSRF protections: the tokens of their forms, and the cookies of those that submit a token twice.

Such cookies have exact names, and an exact syntax of their values. They identify a browser and hold no session. The
name alone does not suffice: an application may keep its session in a cookie called `csrftoken`. A value without the
syntax of a known library is treated as such a session.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sekisho.model import SuccessBy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sekisho.model import Door
    from sekisho.read.set_cookies import SetCookie

_SIGNED = r"[A-Za-z0-9_-]{8,128}(?:\.[A-Za-z0-9_-]{4,86}){1,2}"  # itsdangerous: payload, time, signature
_HEX = r"[0-9a-f]{32}|[0-9a-f]{64}|[0-9a-f]{128}"  # Litestar's token and its HMAC are 128
_WORD = r"[A-Za-z0-9]{32}|[A-Za-z0-9]{64}"  # Django's secret, and its masked form
_URLSAFE = r"[A-Za-z0-9_-]{22,86}"  # `secrets.token_urlsafe`
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join([f"(?:{pattern})" for pattern in patterns]), re.ASCII)


CSRF_COOKIES: Final[dict[str, tuple[re.Pattern[str], str]]] = {
    # Django, Litestar, starlette-csrf, asgi-csrf, Piccolo
    "csrftoken": (_any(_WORD, _HEX, _SIGNED, _URLSAFE), "x-csrftoken"),
    # Angular, axios
    "XSRF-TOKEN": (_any(_WORD, _HEX, _SIGNED, _URLSAFE, _UUID), "x-xsrf-token"),
    "csrf_token": (_any(_WORD, _HEX, _SIGNED, _URLSAFE, _UUID), "x-csrf-token"),
    "csrf-token": (_any(_WORD, _HEX, _SIGNED, _URLSAFE, _UUID), "x-csrf-token"),
    "fastapi-csrf-token": (_any(_SIGNED), "x-csrf-token"),
}
"""Name → the syntax of its value, and the header in which scripts repeat it."""


def csrf_names(doors: Iterable[Door]) -> frozenset[str]:
    """Return the names in `CSRF_COOKIES`, without those that a door's success rule uses as a session."""
    sessions = {rule.name for door in doors for rule in door.success if rule.by is SuccessBy.COOKIE}
    return frozenset(CSRF_COOKIES.keys() - sessions)


def is_csrf_cookie(name: str, value: str) -> bool:
    """Whether `CSRF_COOKIES` has a cookie's name, and the value has the syntax that belongs to that name."""
    entry = CSRF_COOKIES.get(name)
    return entry is not None and entry[0].fullmatch(value) is not None


_WORDS: Final = "csrf|xsrf|antiforgery|authenticity_token|verificationtoken"
_TOKEN_NAME: Final = re.compile(_WORDS, re.IGNORECASE)
# A field with a value: of a form, of JSON, or of multipart.
_TOKEN_SENT: Final = re.compile(
    rb"(?:^|[&\"])[\w.%\[\]-]{0,64}(?:"
    + _WORDS.encode()
    + rb")[\w.%\[\]-]{0,64}(?:=[^&]|\"[ \t]*:[ \t]*\"[^\"]|\"\r?\n)",
    re.IGNORECASE,
)


def is_form_token(name: str) -> bool:
    """Whether the name of a field is that of a CSRF token, as `csrf_token` and `csrfmiddlewaretoken` are."""
    return _TOKEN_NAME.search(name) is not None


def has_form_token(body: bytes) -> bool:
    """Whether a request's body has a field with the name of a CSRF token, and a value."""
    return _TOKEN_SENT.search(body) is not None


def token_cookie(door: Door, cookies: Sequence[SetCookie]) -> str:
    """The cookie in which an application may keep its token, and that a log-in behind a step-up does not show it.

    Args:
        door: the door whose page has a form with a token.
        cookies: that the page sets.

    Returns:
        A session's name before another; "" where each is shown, or one of them is a CSRF cookie.
    """
    kept = [cookie for cookie in cookies if not cookie.deletes]
    if any(cookie.name in door.cookies or is_csrf_cookie(cookie.name, cookie.value) for cookie in kept):
        return ""
    names = [cookie.name for cookie in kept if cookie.is_called_session] + [cookie.name for cookie in kept]
    return names[0] if names else ""
