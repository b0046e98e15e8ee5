"""What cookies are called that hold a session, and what others are called: where nothing but a name can tell.

An answer and a request are judged by different measures. A success that is guessed must not rest on a cookie that is
none; so of an answer any part of a name counts, for a session and against it. A request is shut out where it shows a
second session; so only whole words count there, or every cookie of an analytics service would be one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

NAMES_KEPT: Final = 256  # an application has few names for its cookies, and each is looked at in every success

_OURS: Final = "__host-sekisho"
_FORM_TOKENS: Final = ("csrf", "xsrf", "antiforgery")
_SESSION_WORDS: Final = frozenset(
    {"session", "sessionid", "sess", "sid", "phpsessid", "jsessionid", "auth", "token", "jwt", "login", "remember"}
)
_SESSION_PARTS: Final = (
    *("sess", "sid", "auth", "token", "jwt", "login", "remember"),
    *("logged", "identity", "user", "account", "sso"),
)
# HttpOnly cookies that say nothing about who is logged in; Django keeps its one-time messages in one.
_OTHER_PARTS: Final = (
    *("csrf", "xsrf", "flash", "message", "lang", "locale"),
    *("consent", "theme", "mfa", "otp", "2fa", "challenge"),
)
# What a session is called before anybody is logged in.
_BEFORE_PARTS: Final = (
    *("pending", "pre_auth", "preauth", "pre-auth", "partial", "temp", "anon", "guest", "visitor", "notice", "alert"),
    *("error", "state", "nonce", "pkce", "verifier", "redirect", "return", "saml", "refer", "track"),
)
_WORD_ENDS: Final = str.maketrans("-_.:", "    ")


@lru_cache(maxsize=NAMES_KEPT)
def is_never_session(name: str) -> bool:
    """Whether a cookie of an answer is called like one that logs nobody in."""
    folded = name.lower()
    return any(part in folded for part in _OTHER_PARTS)


@lru_cache(maxsize=NAMES_KEPT)
def is_session(name: str) -> bool:
    """Whether a cookie of an answer is called like one that logs somebody in."""
    folded = name.lower()
    return any(part in folded for part in _SESSION_PARTS) and not any(part in folded for part in _BEFORE_PARTS)


def is_ours(name: str) -> bool:
    """Whether a cookie is one of the guard's own."""
    return name.lower().startswith(_OURS)


def may_be_session(name: str) -> bool:
    """Whether a cookie of a request is called like a session. Ours is none, nor is the token of a form."""
    words = set(name.lower().translate(_WORD_ENDS).split())
    return not is_ours(name) and words.isdisjoint(_FORM_TOKENS) and not words.isdisjoint(_SESSION_WORDS)
