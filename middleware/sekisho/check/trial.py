"""Sends one log-in through the application behind the guard, and records what the guard would have believed."""

from __future__ import annotations

import asyncio
from pathlib import Path, PurePath
from sysconfig import get_path
from traceback import walk_tb
from typing import TYPE_CHECKING, NamedTuple

from sekisho.asgi.report import Report
from sekisho.asgi.response_observer import BODIES
from sekisho.check.answer import TrialAnswer
from sekisho.model import UNKNOWN, Action, Attempt, Basis, Decision, Door, Origin, Outcome
from sekisho.read import ANSWER_BYTES_MAX

if TYPE_CHECKING:
    from sekisho.asgi.types import App, Message
    from sekisho.check.log_in import LogIn
    from sekisho.model.headers import Headers


SECONDS_MAX = 30.0  # like an escrowed run
_ALLOWED = Decision(Action.ALLOW, Action.ALLOW, (), 0)
_NOWHERE = Origin("", (), b"")
# Python's own code, installed packages, this package, and code that has no file.
_NOT_ITS_OWN = (get_path("stdlib"), get_path("purelib"), get_path("platlib"), str(Path(__file__).parents[1]), "<")
# Statuses that say nothing about the secret: no such path, a CSRF check, a form that the application does not accept.
_BESIDE_THE_POINT = frozenset({403, 404, 405, 406, 411, 413, 415, 421, 422, 426, 429})


class Trial(NamedTuple):
    """The result of one log-in.

    Attributes:
        answer: `status` is 0 where the application raised, answered nothing, or took longer than `SECONDS_MAX`.
        outcome, basis: what the guard would have believed, and on what basis.
        error: the type of the exception that was raised, and where; empty where none was.
    """

    answer: TrialAnswer
    outcome: Outcome
    basis: Basis
    error: str = ""

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def is_believed(self) -> bool:
        return self.outcome is Outcome.SUCCEEDED

    @property
    def tells(self) -> bool:
        """Whether the application has checked the secret, as far as the answer shows."""
        return self.is_believed or (0 < self.status < 500 and self.status not in _BESIDE_THE_POINT)

    def __repr__(self) -> str:
        return f"Trial({self.status}, {self.outcome.value})"


class _Kept:
    """Keeps an answer, up to the length that the guard would judge."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = []
        self.body = bytearray()
        self.is_whole = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
        elif message["type"] in BODIES:
            self.body += message.get("body", b"")[: ANSWER_BYTES_MAX + 1 - len(self.body)]
            self.is_whole = not message.get("more_body", False)


async def tried(app: App, door: Door, log_in: LogIn, *, seconds_max: float = SECONDS_MAX) -> Trial:
    """Send a log-in through the application; return the answer, and what the guard would have believed of it.

    Never raises what the application raises: `Trial.error` names it and its place. `seconds_max`: for the answer.
    """
    credentials = log_in.credentials
    attempt = Attempt(door, _NOWHERE, credentials.account, credentials.account, credentials.secret)
    report = Report(attempt, _ALLOWED, UNKNOWN)
    scope = {**log_in.scope, "state": {**log_in.scope.get("state", {}), "sekisho": report}}
    kept = _Kept()
    error = ""
    try:
        async with asyncio.timeout(seconds_max):
            await app(scope, log_in.receive, kept.send)
    except Exception as raised:  # noqa: BLE001 - any exception at an odd log-in is the application's answer to it
        error = _told(raised)
    answer = TrialAnswer(kept.status, kept.headers, log_in.scope, log_in.body, bytes(kept.body))
    if not kept.is_whole:
        return Trial(answer._replace(status=0), Outcome.FAILED, report.basis, error or "no answer")
    return Trial(answer, report.outcome or answer.outcome(door), report.basis, error)


def _told(raised: Exception) -> str:
    """The type of an exception, and the last line of the application's own code in it; its text might hold a secret."""
    places = [(frame.f_code.co_filename, line) for frame, line in walk_tb(raised.__traceback__)]
    own = [f"{PurePath(file).name}:{line}" for file, line in places if not file.startswith(_NOT_ITS_OWN)]
    return f"{type(raised).__name__} at {own[-1]}" if own else type(raised).__name__
