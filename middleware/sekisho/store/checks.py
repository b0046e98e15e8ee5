"""A doubtful choice of the store, before it is asked anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.model import hazards
from sekisho.settings.store import MEMORY, is_unverified

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.model.diagnosis import Diagnosis
    from sekisho.settings import Settings


def checks(settings: Settings) -> Iterator[Diagnosis]:
    """Yield a diagnosis if the store is one process's memory, or a server whose certificate is not checked."""
    if settings.store == MEMORY:
        yield from _alone(settings)
    elif is_unverified(settings.store):
        yield hazards.UNVERIFIED_STORE.found("SEKISHO_STORE: the server's certificate is not checked")


def _alone(settings: Settings) -> Iterator[Diagnosis]:
    yield hazards.MEMORY_STORE.found("SEKISHO_STORE: counts live in this process alone; a restart forgets them")
    # Each process would grant an attacker the whole limit.
    if settings.processes > 1:
        yield hazards.SEVERAL_WORKERS_ALONE.found(
            "SEKISHO_STORE: the server starts several processes (--workers, WEB_CONCURRENCY), and each counts alone"
        )
