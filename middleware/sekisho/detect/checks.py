"""An attack that is recognised and not answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.model import hazards
from sekisho.settings import StepUpFrom, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.model.diagnosis import Diagnosis
    from sekisho.settings import Settings


def checks(settings: Settings) -> Iterator[Diagnosis]:
    """Yield a diagnosis if a recognised attack would only be told: the site has no second factor to ask for."""
    if settings.goes_by_posture and not settings.factors:
        by = table.STEP_UP_FAMILIAR if settings.step_up is StepUpFrom.ALWAYS else table.STEP_UP
        yield hazards.ALARM_ALONE.found(
            f"{by.variable}: there is no second factor to ask for, so a recognised attack is told, and not stopped"
        )
