"""Caps: the greatest sum of amounts that one account may move in a period."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sekisho.model.door import Fields


class Cap(NamedTuple):
    """No window of `period_us` microseconds holds amounts that add up to more than `sum_max` minor units."""

    sum_max: int
    period_us: int


class OverCap(Enum):
    """What happens to a request that would exceed a cap."""

    REFUSE = "refuse"
    STEP_UP = "step_up"  # it passes, uncounted, after a proof that was asked for this amount


@dataclass(frozen=True, slots=True)
class CappedRoute:
    """The caps of one protected route, which has the same `method` and `path`.

    `fields` say where a request names its amount; `caps` all hold at once.
    """

    method: str
    path: str
    fields: tuple[Fields, ...]
    caps: tuple[Cap, ...]
    over: OverCap = OverCap.REFUSE

    @property
    def name(self) -> str:
        """The route's name in logs and metrics, such as `POST /payout`: the same as its `ProtectedRoute` has."""
        return f"{self.method} {self.path}"
