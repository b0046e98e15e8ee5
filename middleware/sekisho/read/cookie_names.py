"""Names of session cookies and of other cookies, for decisions that only a name can support.

Answers and requests follow different rules. A guessed success must not rest on a cookie that is no session; so in an
answer any part of a name counts, for a session and against it. A request with a second session is refused; so only
whole words count there, or every cookie of an analytics service would be a session.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

NAMES_KEPT: Final = 256  # an application has few cookie names, and every success looks each of them up

_OURS: Final = "__host-sekisho"
_FORM_TOKENS: Final = ("csrf", "xsrf", "antiforgery")
_SESSION_WORDS: Final = frozenset(
    {"session", "sessionid", "sess", "sid", "phpsessid", "jsessionid", "auth", "token", "jwt", "login", "remember"}
)
_SESSION_PARTS: Final = (
    *("sess", "sid", "auth", "token", "jwt", "login", "remember"),
    *("logged", "identity", "user", "account", "sso"),
)
# HttpOnly cookies that hold no log-in; Django keeps its one-time messages in one.
_OTHER_PARTS: Final = (
    *("csrf", "xsrf", "flash", "message", "lang", "locale"),
    *("consent", "theme", "mfa", "otp", "2fa", "challenge"),
)
# Names of sessions before a log-in.
_BEFORE_PARTS: Final = (
    *("pending", "pre_auth", "preauth", "pre-auth", "partial", "temp", "anon", "guest", "visitor", "notice", "alert"),
    *("error", "state", "nonce", "pkce", "verifier", "redirect", "return", "saml", "refer", "track"),
)
_WORD_ENDS: Final = str.maketrans("-_.:", "    ")


@lru_cache(maxsize=NAMES_KEPT)
def is_never_session(name: str) -> bool:
    """Whether the name of a cookie in an answer shows that it holds no session, such as `csrftoken` or `lang`."""
    folded = name.lower()
    return any(part in folded for part in _OTHER_PARTS)


@lru_cache(maxsize=NAMES_KEPT)
def is_session(name: str) -> bool:
    """Whether the name of an answer's cookie marks it as a session."""
    folded = name.lower()
    return any(part in folded for part in _SESSION_PARTS) and not any(part in folded for part in _BEFORE_PARTS)


def is_ours(name: str) -> bool:
    """Whether a cookie is one of sekisho's own."""
    return name.lower().startswith(_OURS)


def may_be_session(name: str) -> bool:
    """Whether the name of a cookie in a request has a session's word; False for sekisho's cookies and form tokens."""
    words = set(name.lower().translate(_WORD_ENDS).split())
    return not is_ours(name) and words.isdisjoint(_FORM_TOKENS) and not words.isdisjoint(_SESSION_WORDS)
