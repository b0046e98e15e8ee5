"""What receives all that an application's answer shows of an attempt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sekisho.asgi.request_context import RequestContext
    from sekisho.assessment import Assessment
    from sekisho.model import Basis, Outcome
    from sekisho.model.headers import Headers


class Keeper(ABC):
    """Receives what an answer shows. A base class and no protocol: compiled, its methods are called directly."""

    @abstractmethod
    def started(self, context: RequestContext, status: int, headers: Headers, learned: Outcome | None) -> None:
        """Take status and headers of an answer, and the outcome that they show.

        `learned`: None where the body decides.
        """

    @abstractmethod
    def read(self, context: RequestContext, status: int, headers: Headers, body: bytes | None) -> None:
        """Take the body of an answer that was held until its outcome is known.

        `body`: None where it could not be unpacked.
        """

    @abstractmethod
    def unjudged(self, context: RequestContext, why: str) -> None:
        """Take the news that an answer's body could not be read. `why`: `large` or `file`."""

    @abstractmethod
    def success_headers(
        self, context: RequestContext, assessment: Assessment, status: int, headers: Headers, body: bytes, basis: Basis
    ) -> tuple[Headers, bool]:
        """Return the headers to add to a successful answer, and whether a device token is among them.

        `status`, `headers`: the answer's own. `body`: its body where the answer was held, else empty.
        """

    @abstractmethod
    def ended(
        self,
        context: RequestContext,
        assessment: Assessment,
        outcome: Outcome,
        basis: Basis,
        *,
        renewed: bool,
        account: str,
        status: int,
    ) -> None:
        """Take the outcome of the attempt: called exactly once, before the last message of the answer leaves.

        Args:
            context: of the request.
            assessment: of the attempt.
            outcome: of the attempt.
            basis: how the outcome is known.
            renewed: whether a device token was sent.
            account: the application's id of the account, or the name that was tried.
            status: of the answer; 0 for none.
        """


class ForwardingKeeper(Keeper):
    """Hands everything on to another keeper; subclasses change what they must."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper: Final = keeper

    def started(self, context: RequestContext, status: int, headers: Headers, learned: Outcome | None) -> None:
        self._keeper.started(context, status, headers, learned)

    def read(self, context: RequestContext, status: int, headers: Headers, body: bytes | None) -> None:
        self._keeper.read(context, status, headers, body)

    def unjudged(self, context: RequestContext, why: str) -> None:
        self._keeper.unjudged(context, why)

    def success_headers(
        self, context: RequestContext, assessment: Assessment, status: int, headers: Headers, body: bytes, basis: Basis
    ) -> tuple[Headers, bool]:
        return self._keeper.success_headers(context, assessment, status, headers, body, basis)

    def ended(
        self,
        context: RequestContext,
        assessment: Assessment,
        outcome: Outcome,
        basis: Basis,
        *,
        renewed: bool,
        account: str,
        status: int,
    ) -> None:
        self._keeper.ended(context, assessment, outcome, basis, renewed=renewed, account=account, status=status)
