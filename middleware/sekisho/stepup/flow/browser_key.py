"""The browser key that a ticket is bound to: a cookie of a browser, or a header of a native app.

The key is random and carries no information. It stops an attacker from using a ticket elsewhere: a ticket that was
copied, sent by mail or planted in a page is worthless in any other browser (row 82).
"""

from __future__ import annotations

import re
from secrets import token_bytes
from typing import TYPE_CHECKING, NamedTuple

from sekisho.answer.cookies import attributes
from sekisho.asgi.cookies import cookie
from sekisho.model.text import base64url

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER = b"sekisho-challenge"
COOKIE_START = b"__Host-sekisho-step="
SECONDS = 900  # a little longer than a ticket's lifetime

_KEY_BYTES = 16
_KEY = re.compile(rb"[A-Za-z0-9_-]{22}")
_HERE, _ELSEWHERE = attributes(SECONDS), attributes(SECONDS, elsewhere=True)


class BrowserKey(NamedTuple):
    """Attributes:
    key: 22 characters.
    by_header: whether it is an app, which keeps no cookies.
    """

    key: str
    by_header: bool

    def line(self, *, elsewhere: bool = False) -> tuple[bytes, bytes]:
        """The header that issues the key: sent with every question, whether the key is new or not.

        `elsewhere`: see `attributes`.
        """
        if self.by_header:
            return HEADER, self.key.encode()
        return b"set-cookie", COOKIE_START + self.key.encode() + (_ELSEWHERE if elsewhere else _HERE)

    def deleted(self, *, elsewhere: bool = False) -> tuple[bytes, bytes]:
        """The header that has the client drop the key."""
        if self.by_header:
            return HEADER, b""
        return b"set-cookie", COOKIE_START + attributes(0, elsewhere=elsewhere)

    def __repr__(self) -> str:
        return f"BrowserKey(by_header={self.by_header}, ...)"


def shown_key(by_name: Mapping[bytes, bytes]) -> BrowserKey | None:
    """Return the browser key that the request's headers show; None if they show none."""
    shown = by_name.get(HEADER)
    known = shown if shown is not None else cookie(by_name.get(b"cookie", b""), COOKIE_START)
    return BrowserKey(known.decode(), shown is not None) if known and _KEY.fullmatch(known) else None


def browser_key_of(by_name: Mapping[bytes, bytes]) -> BrowserKey:
    """Return the browser key that the request's headers show; a new one if they show none."""
    if (shown := shown_key(by_name)) is not None:
        return shown
    # The same as `secrets.token_urlsafe`, in less time.
    return BrowserKey(base64url(token_bytes(_KEY_BYTES)), HEADER in by_name)
