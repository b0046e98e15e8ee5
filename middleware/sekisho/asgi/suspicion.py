"""A success rule under suspicion, and the attempt that raised the suspicion."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sekisho.asgi.request_context import RequestContext
    from sekisho.judge import RuleTrust
    from sekisho.model.headers import Headers


class Suspicion(NamedTuple):
    """Attributes:
    rule: under suspicion.
    context: the attempt that raised the suspicion.
    status, headers: of the answer that was taken for a success.
    """

    rule: RuleTrust
    context: RequestContext
    status: int
    headers: Headers

    def __repr__(self) -> str:
        return f"Suspicion({self.rule.door.name!r}, ...)"
