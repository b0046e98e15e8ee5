"""The cookies that an escrowed run may see: CSRF cookies that the door does not name, beside those that it names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sekisho.model import SessionUnread
from sekisho.read.csrf import CSRF_COOKIES, csrf_names
from sekisho.stepup.flow.escrowed_scope import escrowed_scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sekisho.asgi.session_account import SessionAccounts
    from sekisho.model import Door

    Scope = Mapping[str, Any]

# Beside those of the table: names that CSRF protections use, whose values have no syntax of their own.
_OTHERS = ("_csrf", "csrf", "XSRF", "_xsrf", "__Host-csrf", "__Host-csrftoken", "__Secure-csrftoken")
LIKELY = (*CSRF_COOKIES, *_OTHERS)
"""What a door may have to name in `cookies=`. A log takes names from here alone, never from a request."""


class CsrfCookies:
    """Args:
    doors: a cookie that a rule of success takes for a session is none of these.
    sessions: whose session the application takes a request for, where it can tell.
    """

    def __init__(self, doors: Iterable[Door], sessions: SessionAccounts) -> None:
        self._names = csrf_names(doors)
        self._sessions = sessions
        self._without: dict[str, Door] = {}

    def shown_at(self, door: Door) -> Door:
        """The door with the cookies that its escrowed runs see: none, once `withhold` was called for it."""
        return self._without.get(door.name, door)

    def withhold(self, door: Door) -> None:
        """Let no run at this door see the cookies that the door names: one of them holds a session that is kept."""
        self._without[door.name] = replace(door, cookies=frozenset())

    async def of(self, scope: Scope, door: Door, lifespan_state: Mapping[str, object]) -> frozenset[str]:
        """Return the names of the request's CSRF cookies that its escrowed run may see, beside the door's `cookies`."""
        offered = (self._names & shown(scope)) - door.cookies
        if not offered or not self._sessions.are_told:
            return offered
        # If such a cookie alone makes a session, it is a session cookie, regardless of its name.
        seen = escrowed_scope(scope, door, lifespan_state, offered)
        seen["headers"] = [(name, value) for name, value in seen["headers"] if name == b"cookie"]
        return frozenset() if await self._show_session(seen) else offered

    async def _show_session(self, scope: Scope) -> bool:
        try:
            return await self._sessions.of(scope) is not None
        except SessionUnread:
            return True


def withheld(scope: Scope, door: Door, csrf: frozenset[str]) -> str:
    """The likely name of a CSRF cookie that the run of this request did not see; "" where there is none."""
    names = shown(scope) - door.cookies - csrf
    return next((name for name in LIKELY if name in names), "")


def shown(scope: Scope) -> frozenset[str]:
    """Return the names of the request's cookies."""
    lines = [value for name, value in scope["headers"] if name.lower() == b"cookie"]
    pairs = (pair.strip().partition(b"=") for line in lines for pair in line.split(b";"))
    return frozenset(name.decode("latin-1") for name, equals, _ in pairs if equals)
