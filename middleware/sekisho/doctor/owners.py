"""Examines the owners' database: its answer, its tables, the query, and whether its role may write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.doctor.report import DoctorReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.settings import Settings

DEADLINE_US: Final = 10_000_000  # no log-in waits for an examination


async def owners_report(settings: Settings, clock_s: Callable[[], float]) -> DoctorReport:
    """A report on the database that `SEKISHO_OWNERS` names; an empty one where it names none.

    Its tables get a row that is changed and removed again. `clock_s`: seconds, for the deadline of its answers.
    """
    if settings.owners is None:
        return DoctorReport()
    from sekisho.owners import OwnersError  # noqa: PLC0415 - a database driver, only for sites with a database
    from sekisho.owners.remedies import diagnosed  # noqa: PLC0415 - the same
    from sekisho.owners.sql import SqlOwners  # noqa: PLC0415 - the same

    owners = SqlOwners(settings.owners, settings.owners_query or "", deadline_us=DEADLINE_US, clock_s=clock_s)
    try:
        await owners.check()
        await owners.check_writing()
    except OwnersError as error:
        return DoctorReport(diagnoses=(diagnosed(str(error)),))
    finally:
        await owners.aclose()
    return DoctorReport((("owners", "the tables and the query are correct, and the role can write"),))
