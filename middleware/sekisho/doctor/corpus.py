"""Examines the file of leaked passwords: whether it opens, and its age."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sekisho.breach.corpus_file import Corpus
from sekisho.breach.header import CorpusError
from sekisho.doctor.report import DoctorReport, Unseen
from sekisho.model import hazards

if TYPE_CHECKING:
    from sekisho.settings import Settings

DAY_S = 86_400


def corpus_report(settings: Settings, now_s: float) -> DoctorReport:
    """A report on the file that `SEKISHO_CORPUS` names; an empty one where it names none. `now_s`: Unix time."""
    path = settings.corpus
    if path is None:
        return DoctorReport()
    try:
        built_s = Corpus.open(Path(path), kind="passwords").header.built
    except CorpusError as error:
        problem = str(error).removeprefix(f"{path}: ")
        return DoctorReport(
            unseen=(Unseen(f"SEKISHO_CORPUS names a file that cannot be used: {problem}", is_failure=True),)
        )
    days = int(now_s - built_s) // DAY_S
    facts = (("leaked passwords", f"a file built {days:,} days ago"),)
    if days <= settings.corpus_days_max:
        return DoctorReport(facts)
    allowed = f"SEKISHO_CORPUS_DAYS_MAX allows {settings.corpus_days_max:,}"
    return DoctorReport(
        facts, (hazards.OLD_CORPUS.found(f"SEKISHO_CORPUS: it was built {days:,} days ago, and {allowed}"),)
    )
