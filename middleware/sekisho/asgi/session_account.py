"""The account of a request's session, as the service's own function tells it: the only place that calls the function.

The function may ask a database, so it can fail or hang. A request whose session is unknown then is never taken for one
without a session: each caller decides what it does without an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from inspect import isawaitable
from operator import is_
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sekisho.model import SessionUnread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SessionAccount = Callable[[Any], "str | Awaitable[str | None] | None"]
"""Maps a request's scope to its session's account, as the application reads it; None where there is none."""

SECONDS_MAX: Final = 2.0
ASKING_MAX: Final = 256  # at once; a flood must not fill a database's queue behind one that hangs
UNREAD: Final = (
    "session_account does not tell whose session a request shows ({}): at doors that need it attempts are answered by "
    "503, and no proof opens a protected route"
)


class _Kept(NamedTuple):
    """The answer for one request, known by the very objects of its headers: another request has others.

    The list itself may be another after the application has run: Starlette puts a copy into the scope.
    """

    asked: SessionAccounts
    headers: tuple[object, ...]
    account: str | None
    is_unread: bool

    def __repr__(self) -> str:
        return "_Kept(...)"


_KEPT: ContextVar[_Kept | None] = ContextVar("sekisho_session_account", default=None)


class SessionAccounts:
    """Asks once for each request.

    Args:
        given: the service's function, or coroutine function; None where it gave none.
        unread: told, in words, of each time that the function gave no answer.
        network_of: the name of the network that a request comes from.
    """

    def __init__(
        self,
        given: SessionAccount | None,
        unread: Callable[[str], object],
        network_of: Callable[[Mapping[str, Any]], bytes] = lambda _: b"",
    ) -> None:
        self._given = given
        self._unread = unread
        self._network_of = network_of
        self._asking: dict[object, bytes] = {}
        self.are_told: Final = given is not None

    async def of(self, scope: Mapping[str, Any]) -> str | None:
        """Return the account of the request's session; None where there is none, or no function tells it.

        Raises:
            SessionUnread: the function failed or took longer than two seconds.
        """
        if self._given is None:
            return None
        if (kept := self._kept(scope)) is None:
            kept = await self._learn(self._given, scope)
        return _told(kept)

    def learnt(self, scope: Mapping[str, Any]) -> str | None:
        """Return the same as `of`, which must have been awaited for this request. Raises `SessionUnread`."""
        kept = self._kept(scope)
        return None if kept is None else _told(kept)

    def _kept(self, scope: Mapping[str, Any]) -> _Kept | None:
        kept = _KEPT.get()
        return kept if kept is not None and kept.asked is self and _are_same(kept.headers, scope["headers"]) else None

    async def _learn(self, given: SessionAccount, scope: Mapping[str, Any]) -> _Kept:
        headers = tuple(scope["headers"])
        try:
            kept = _Kept(self, headers, await self._asked(given, scope), is_unread=False)
        except Exception as error:  # noqa: BLE001 - a function of the service's own
            # Its text may hold an account or a session.
            self._unread(UNREAD.format(type(error).__name__))
            kept = _Kept(self, headers, None, is_unread=True)
        _KEPT.set(kept)
        return kept

    async def _asked(self, given: SessionAccount, scope: Mapping[str, Any]) -> str | None:
        told = given(scope)
        if isawaitable(told):
            told = await self._awaited(told, self._network_of(scope))
        if not isinstance(told, str | None):
            raise TypeError
        return told

    async def _awaited(self, told: Awaitable[str | None], network: bytes) -> str | None:
        seconds, turn = SECONDS_MAX if self._has_room(network) else 0, object()
        self._asking[turn] = network
        try:
            async with asyncio.timeout(seconds):
                return await told
        finally:
            del self._asking[turn]

    def _has_room(self, network: bytes) -> bool:
        """Whether a network has fewer look-ups under way than half of the places that are left.

        So no number of one network's sessions that take long keeps owners elsewhere out, and forty networks leave
        a dozen places (a dynamic threshold: Choudhury and Hahne, 1998).
        """
        left = ASKING_MAX - len(self._asking)
        return 2 * list(self._asking.values()).count(network) < left


def _are_same(some: Sequence[object], others: Sequence[object]) -> bool:
    return 0 < len(some) == len(others) and all(map(is_, some, others))


def _told(kept: _Kept) -> str | None:
    if kept.is_unread:
        raise SessionUnread
    return kept.account
