"""What an application's answer shows of an attempt, and what receives it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from sekisho.model import Basis, Outcome

if TYPE_CHECKING:
    from sekisho.asgi.request_context import RequestContext
    from sekisho.assessment import Assessment
    from sekisho.model.headers import Headers


_UNKNOWN: Final = Outcome.UNKNOWN  # the name alone is a call in Python 3.11
_GUESS: Final = Basis.GUESS


class AnsweredAttempt:
    """An attempt with all that was seen of the application's answer to it so far.

    Attributes:
        context: of the request.
        assessment: of the attempt.
        status: of the answer; 0 before it begins, and where there is none.
        headers: the application's own.
        outcome: of the attempt.
        basis: how the outcome is known.
        account: the application's id of the account, or the name that was tried.
        renewed: whether a device token was sent.
        browser_key: of the browser that the answer was held for; empty where it was not held.
    """

    status: int = 0
    outcome: Outcome = _UNKNOWN
    basis: Basis = _GUESS
    renewed: bool = False
    browser_key: str = ""

    def __init__(self, context: RequestContext, assessment: Assessment) -> None:
        self.context: Final = context
        self.assessment: Final = assessment
        self.account = assessment.attempt.account
        self.headers: Headers = []


class Keeper(ABC):
    """Receives what an answer shows. A base class and no protocol: compiled, its methods are called directly."""

    @abstractmethod
    def started(self, answered: AnsweredAttempt, learned: Outcome | None) -> None:
        """Take the head of an answer, and the outcome that it shows.

        `learned`: None where the body decides.
        """

    @abstractmethod
    def read(self, answered: AnsweredAttempt, body: bytes | None) -> None:
        """Take the body of an answer that was held until its outcome is known.

        `body`: None where it could not be unpacked.
        """

    @abstractmethod
    def unjudged(self, answered: AnsweredAttempt, why: str) -> None:
        """Take the news that an answer's body could not be read. `why`: `large` or `file`."""

    @abstractmethod
    def success_headers(self, answered: AnsweredAttempt, body: bytes) -> tuple[Headers, bool]:
        """Return the headers to add to a successful answer, and whether a device token is among them.

        `body`: the answer's where it was held, else empty.
        """

    @abstractmethod
    def ended(self, answered: AnsweredAttempt) -> None:
        """Take the outcome of the attempt: called exactly once, before the last message of the answer leaves."""


class ForwardingKeeper(Keeper):
    """Hands everything on to another keeper; subclasses change what they must."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper: Final = keeper

    def started(self, answered: AnsweredAttempt, learned: Outcome | None) -> None:
        self._keeper.started(answered, learned)

    def read(self, answered: AnsweredAttempt, body: bytes | None) -> None:
        self._keeper.read(answered, body)

    def unjudged(self, answered: AnsweredAttempt, why: str) -> None:
        self._keeper.unjudged(answered, why)

    def success_headers(self, answered: AnsweredAttempt, body: bytes) -> tuple[Headers, bool]:
        return self._keeper.success_headers(answered, body)

    def ended(self, answered: AnsweredAttempt) -> None:
        self._keeper.ended(answered)
