"""Tries doors with an invented log-in and, if one is given, with a right one, to test their success rules."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho.check.advice import rule_line
from sekisho.check.log_in import LogIn, invented, log_in_at, plain_scope
from sekisho.check.trial import Trial, tried
from sekisho.model import Basis, Credentials, Door, DoorKind
from sekisho.read.csrf import CSRF_COOKIES
from sekisho.read.set_cookies import set_cookies

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from sekisho.asgi.types import App

    Headers = list[tuple[bytes, bytes]]


class Result(Enum):
    """What the trials show about a door."""

    GOOD = "good"  # the invented log-in failed, the right one succeeded
    HELD = "held"  # the invented log-in failed; no right one was tried
    WRONG = "wrong"  # the invented log-in was believed
    BLIND = "blind"  # the right log-in was not believed
    MISSING = "missing"  # the path does not exist, or not for this method
    UNTOLD = "untold"  # the application did not check the secret


class DoorReport(NamedTuple):
    """The result for one door.

    Attributes:
        door: the door.
        invented: the trial with an invented log-in.
        known: the trial with the right log-in, where there was one.
    """

    door: Door
    invented: Trial
    known: Trial | None = None

    @property
    def result(self) -> Result:
        if self.invented.status in {404, 405}:
            return Result.MISSING
        if self.invented.is_believed:
            return Result.WRONG
        if self.known is not None:
            if self.known.is_believed:
                return Result.GOOD if self.invented.tells else Result.UNTOLD
            return Result.BLIND if self.known.tells else Result.UNTOLD
        return Result.HELD if self.invented.tells else Result.UNTOLD

    @property
    def advice(self) -> str:
        """What to write, or to try, in one sentence; "" where nothing is wrong."""
        result, guessed = self.result, self.invented.basis is Basis.GUESS
        if result is Result.MISSING:
            return f"Correct the method or the path in SEKISHO_{self.door.kind.name}: the real one is open"
        if result is Result.UNTOLD:
            return "The application refused the request itself, whatever its secret (a CSRF check, a field it lacks)"
        if result in {Result.WRONG, Result.BLIND} or guessed:
            return rule_line(self.door, self.known.answer if self.known else None, self.invented.answer)
        return ""


class Probe:
    """Args:
    app: the application behind the guard.
    doors: all of the guard's.
    around: keys that the framework puts into all its scopes.
    chance: `n -> n` random bytes.
    """

    def __init__(
        self, app: App, doors: Iterable[Door], around: Mapping[str, Any], chance: Callable[[int], bytes]
    ) -> None:
        self._app = app
        self._doors = tuple(doors)
        self._around = around
        self._chance = chance

    async def __call__(self, known: Credentials | None = None, names: Collection[str] = ()) -> list[DoorReport]:
        """Try the doors, one after the other.

        Args:
            known: a right log-in. It is tried only at `LOGIN` doors.
            names: doors to try besides the `LOGIN` doors; their requests may do more than open a session.
        """
        wanted = [door for door in self._doors if door.kind is DoorKind.LOGIN or door.name in names]
        return [await self._try(door, known if door.kind is DoorKind.LOGIN else None) for door in wanted]

    async def _try(self, door: Door, known: Credentials | None) -> DoorReport:
        like = await self._as_a_browser(door)
        made_up = await tried(self._app, door, log_in_at(door, invented(self._chance), like))
        right = await tried(self._app, door, log_in_at(door, known, like)) if known is not None else None
        return DoorReport(door, made_up, right)

    async def _as_a_browser(self, door: Door) -> dict[str, Any]:
        """A scope with the CSRF token of the log-in page, where there is one."""
        page = plain_scope(door, self._around, method="GET", headers=[(b"accept", b"text/html")])
        answer = await tried(self._app, door, LogIn(page, b"", Credentials("", ""))) if door.reads_body else None
        return plain_scope(door, self._around, headers=_csrf(door, answer.answer.headers) if answer is not None else [])


def _csrf(door: Door, headers: Headers) -> Headers:
    """The CSRF cookies of a page, and the headers that its scripts would add."""
    tokens = [cookie for cookie in set_cookies(headers) if cookie.name in CSRF_COOKIES and not cookie.deletes]
    found = [(CSRF_COOKIES[cookie.name][1].encode(), cookie.value.encode("latin-1")) for cookie in tokens]
    pairs = [f"{cookie.name}={cookie.value}".encode("latin-1") for cookie in tokens]
    origin = [(b"origin", b"https://localhost"), (b"referer", f"https://localhost{door.path}".encode())]
    return [*found, *origin, (b"cookie", b"; ".join(pairs))] if tokens else []
