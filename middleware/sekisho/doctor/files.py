"""Examines the files that the service appends to: whether this user may write to them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sekisho.doctor.report import DoctorReport
from sekisho.model import hazards
from sekisho.settings.audit import AuditKind

ROOM_BYTES_MIN: Final = 1 << 20

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.model.diagnosis import Diagnosis
    from sekisho.settings import Settings


def files_report(settings: Settings) -> DoctorReport:
    """A report on the files of events and of the audit. Nothing is written."""
    return DoctorReport(diagnoses=tuple(_checks(settings)))


def _checks(settings: Settings) -> Iterator[Diagnosis]:
    if settings.events_file and (problem := _problem(Path(settings.events_file))):
        yield hazards.UNWRITABLE_EVENTS.found(f"SEKISHO_EVENTS_FILE: {problem}")
    for variable, place in (
        ("SEKISHO_AUDIT", settings.audit),
        ("SEKISHO_AUDIT_CHECKPOINTS", settings.audit_checkpoints),
    ):
        if place is not None and place.kind is AuditKind.FILE and (problem := _problem(Path(place.path))):
            line = f"{variable}=file:/var/log/sekisho/{variable.rpartition('_')[2].lower()}.jsonl"
            yield hazards.UNWRITABLE_AUDIT.found(f"{variable}: {problem}", line)


def _problem(path: Path) -> str:
    """Why this user cannot append to a file, which may be missing; empty where it can."""
    if path.is_dir():
        return "it is a folder, and no file"
    if not path.parent.is_dir():
        return "the folder of the file is not there"
    if path.exists():
        if not os.access(path, os.W_OK):
            return "the user of this command may not write to the file"
    elif not os.access(path.parent, os.W_OK | os.X_OK):
        return "the user of this command may not write to its folder"
    return "" if _has_room(path.parent) else "its disk is full"


def _has_room(folder: Path) -> bool:
    """Whether the disk of a folder has room for a second of lines, for users who are not root."""
    disk = os.statvfs(folder)
    # Some file systems have no fixed size, and tell of none.
    return not disk.f_blocks or disk.f_bavail * disk.f_frsize >= ROOM_BYTES_MIN
