"""The sink that counts the steps of step-ups, which no other count contains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.record import Kind

if TYPE_CHECKING:
    from sekisho.record import Counts, Event


@final
class MetricsSink:
    """Args:
    counts: of this process.
    """

    kinds: Final = frozenset(
        {
            Kind.STEP_UP_ISSUED,
            Kind.STEP_UP_FAILED,
            Kind.STEP_UP_NOT_COMPLETED,
            Kind.CODE_SENT,
            Kind.NEW_DEVICE,
            Kind.FACTOR_ENROLLED,
            Kind.FACTOR_CHANGED,
        }
    )

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def take(self, event: Event) -> None:
        reason = ",".join(filter(None, (event.purpose, event.factor, event.result)))
        self._counts.add(event.door, event.kind, reason, event.times)
