"""The dialects of the audit's lines: one event in the words of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from sekisho.audit.forms.ecs import EcsForm
from sekisho.audit.forms.ocsf import OcsfForm
from sekisho.audit.forms.owasp import OwaspForm
from sekisho.audit.forms.sekisho import SekishoForm
from sekisho.settings.audit import AuditFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sekisho.audit.disclosure import Told
    from sekisho.record import Event


class LineDialect(Protocol):
    """A dialect. Both methods return a line in two parts, between which its link belongs; see `Chain.add`."""

    def line(self, event: Event, told: Told, total: int) -> tuple[str, str]:
        """Write an event as a line, in two parts.

        Args:
            event: the event.
            told: what is told of its subject.
            total: how many such events the chain has told of; 0: the line does not say it.
        """
        ...

    def mark(self, kind: str, at_us: int, fields: Mapping[str, str | int]) -> tuple[str, str]:
        """Write a line of the chain itself, in two parts. `kind`: `audit_opened` or `audit_closed`."""
        ...


FORMS: Final[dict[AuditFormat, Callable[[], LineDialect]]] = {
    AuditFormat.SEKISHO: SekishoForm,
    AuditFormat.OCSF: OcsfForm,
    AuditFormat.ECS: EcsForm,
    AuditFormat.OWASP: OwaspForm,
}
