"""A doubtful way to count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.model import hazards
from sekisho.settings import StoreFailure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.model.diagnosis import Diagnosis
    from sekisho.settings import Settings


def checks(settings: Settings) -> Iterator[Diagnosis]:
    """Diagnose settings that let all attempts in, uncounted, while the store does not answer."""
    if settings.on_store_failure is StoreFailure.OPEN:
        yield hazards.OPEN_ON_FAILURE.found(
            "SEKISHO_ON_STORE_FAILURE: while the store is gone, nobody counts and everybody passes"
        )
