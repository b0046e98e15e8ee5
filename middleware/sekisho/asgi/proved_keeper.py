"""Keeps what an answer shows of a log-in that was proved before the application ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.asgi.response_observer import Keeper

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.asgi.request_context import RequestContext
    from sekisho.model import Basis, Outcome
    from sekisho.pipeline import Assessment

    Headers = list[tuple[bytes, bytes]]


@final
class ProvedKeeper(Keeper):
    """Args:
    keeper: receives everything else.
    grants: the headers that a success adds. The proof gives them, so no success rule is asked whether to believe it.
    """

    def __init__(self, keeper: Keeper, grants: Callable[[Headers, bytes], Headers]) -> None:
        self._keeper: Final = keeper
        self._grants: Final = grants

    def started(self, context: RequestContext, status: int, headers: Headers, learned: Outcome | None) -> None:
        self._keeper.started(context, status, headers, learned)

    def read(self, context: RequestContext, status: int, headers: Headers, body: bytes | None) -> None:
        self._keeper.read(context, status, headers, body)

    def unjudged(self, context: RequestContext, why: str) -> None:
        self._keeper.unjudged(context, why)

    def success_headers(
        self,
        _context: RequestContext,
        _assessment: Assessment,
        _status: int,
        headers: Headers,
        body: bytes,
        _basis: Basis,
    ) -> tuple[Headers, bool]:
        return self._grants(headers, body), True

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
