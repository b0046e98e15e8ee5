"""The audit by the settings."""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING, final

from sekisho.audit.chain import Chain, audit_key
from sekisho.audit.disclosure import Disclosure
from sekisho.audit.forms import FORMS
from sekisho.audit.places import LoggerPlace, StandardOutput
from sekisho.audit.policy import singly
from sekisho.audit.stream import CHECKPOINTS_MAX, RedisStream, StoreBridge, checkpoints_key, lines_key
from sekisho.audit.trail import AuditTrail
from sekisho.record import EventWriter, HandleKey
from sekisho.record.appender import Appender
from sekisho.record.flood import Flood
from sekisho.settings.audit import AuditAddress, AuditIdentity, AuditKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.audit.places import LinePlace
    from sekisho.record import Subjects
    from sekisho.settings import Settings
    from sekisho.settings.audit import AuditPlace


def audit_of(settings: Settings, clock_us: Callable[[], int]) -> AuditParts | None:
    """Return the parts of this process's audit; None where the settings name no audit."""
    return AuditParts(settings, settings.audit, clock_us) if settings.audit is not None else None


@final
class AuditParts:
    """Attributes:
    bridge: to the store, for event loops to join.
    handles: opens what an event holds of the exact account and address; None if the audit tells neither.
    """

    def __init__(self, settings: Settings, place: AuditPlace, clock_us: Callable[[], int]) -> None:
        self._clock_us = clock_us
        self._settings = settings
        self._place = place
        self.bridge = StoreBridge()
        tells = settings.audit_identity is not AuditIdentity.DIGEST or settings.audit_address is AuditAddress.FULL
        self.handles = HandleKey() if tells else None
        self._writer: EventWriter | None = None

    def writer(self, count: Callable[[str, str, str, int], object], subjects: Subjects) -> EventWriter:
        """Return the writer that records each event in the audit. Call it once."""
        flood = partial(Flood, subjects, singly, names_one=True)
        self._writer = EventWriter(self._trail(), count, flood=flood, clock_us=self._clock_us)
        return self._writer

    def end(self) -> None:
        """Write all events that wait, and close the audit's chain. Blocks while the disk or the store does."""
        if self._writer is not None:
            self._writer.end()

    def _trail(self) -> AuditTrail:
        settings = self._settings
        key = audit_key(next(secret for secret in settings.secrets if secret not in settings.secrets_waiting))
        seal_name: Callable[[str, str], str] | None = None
        seal_key: Callable[[bytes, str], str] | None = None
        if settings.audit_recipient:
            from sekisho.audit.sealed import RecipientSealer  # noqa: PLC0415 - a package that others need not have

            sealer = RecipientSealer(settings.audit_recipient)
            seal_name, seal_key = sealer.name, sealer.key
        if settings.audit_identity is not AuditIdentity.SEALED:
            seal_name = None
        return AuditTrail(
            self._lines(),
            FORMS[settings.audit_format](),
            Disclosure(settings.audit_identity, settings.audit_address, self.handles, seal_name),
            new_chain=partial(Chain, key, secrets.token_bytes, seal_key),
            key=key,
            checkpoints=self._checkpoints(),
            clock_us=self._clock_us,
        )

    def _lines(self) -> LinePlace:
        settings, place = self._settings, self._place
        if place.kind is AuditKind.FILE:
            return Appender(place.path, bytes_max=settings.audit_bytes_max, files_max=settings.audit_files_max)
        if place.kind is AuditKind.REDIS:
            return RedisStream(self.bridge, lines_key(settings.namespace))
        return LoggerPlace() if place.kind is AuditKind.LOGGING else StandardOutput()

    def _checkpoints(self) -> LinePlace | None:
        place = self._settings.audit_checkpoints
        if place is None:
            return None
        if place.kind is AuditKind.FILE:
            return Appender(place.path)
        return RedisStream(self.bridge, checkpoints_key(self._settings.namespace), CHECKPOINTS_MAX)
