"""Challenges that cannot be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.model import hazards
from sekisho.settings.extras import installing
from sekisho.settings.factors import POW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.model.diagnosis import Diagnosis
    from sekisho.settings import Settings


def checks(settings: Settings) -> Iterator[Diagnosis]:
    """Yield a diagnosis if attempts beyond a limit cost an attacker no work, because a package is missing."""
    if not settings.challenges_set and POW not in settings.challenges:
        yield hazards.NO_WORK.found(
            "SEKISHO_CHALLENGES: no work is asked for, as what it needs is not installed: "
            f"{installing('step-up')}, or set it to none",
            installing("step-up"),
        )
