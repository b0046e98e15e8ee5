"""A rule of success under suspicion, and the attempt that raised it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sekisho.judge import RuleTrust
    from sekisho.middleware.visit import Visit


class Suspicion(NamedTuple):
    """Attributes:
    rule: under suspicion.
    visit: the attempt that raised it.
    status, headers: of the answer that was believed.
    """

    rule: RuleTrust
    visit: Visit
    status: int
    headers: list[tuple[bytes, bytes]]

    def __repr__(self) -> str:
        return f"Suspicion({self.rule.door.name!r}, ...)"
