"""The table of an examination, for a terminal or a file. It needs no package: servers have the base installation."""

from __future__ import annotations

import os
import shutil
import textwrap
from typing import TYPE_CHECKING, Final

from sekisho.model.diagnosis import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from sekisho.doctor import DoctorReport
    from sekisho.model.diagnosis import Diagnosis

WIDTH_MAX: Final = 100
_LEFT: Final = 17
_RESET: Final = "\x1b[0m"
_BOLD: Final = "\x1b[1m"
_COLOURS: Final = {Severity.DANGER: "\x1b[1;31m", Severity.WARNING: "\x1b[33m", Severity.ADVICE: "\x1b[36m"}
_ORDER: Final = {severity: rank for rank, severity in enumerate(Severity)}


def is_coloured(out: TextIO) -> bool:
    """Whether to write colours: on a terminal, unless `NO_COLOR` (no-color.org) or a dumb terminal forbids it."""
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def as_text(report: DoctorReport, *, coloured: bool) -> str:
    """An examination's report as text: the examined parts, the findings, worst first, and the parts not examined.

    `coloured`: whether to write colours.
    """
    width = min(WIDTH_MAX, shutil.get_terminal_size((WIDTH_MAX, 24)).columns)
    blocks = ["\n".join(_row(subject, said, width) for subject, said in report.facts)]
    found = sorted(report.diagnoses, key=lambda each: (_ORDER[each.hazard.severity], each.hazard.number))
    blocks += ["\n".join(_lines(each, width, coloured=coloured)) for each in found]
    blocks += ["\n".join(_row("not examined", each.what, width) for each in report.unseen)]
    return "\n\n".join([*filter(None, blocks), _sum(report)])


def _lines(diagnosis: Diagnosis, width: int, *, coloured: bool) -> Iterator[str]:
    hazard = diagnosis.hazard
    head = f"{hazard.severity.value:8}{hazard.number}"
    title = hazard.title
    if coloured:
        head, title = f"{_COLOURS[hazard.severity]}{head}{_RESET}", f"{_BOLD}{title}{_RESET}"
    yield f"{head}   {title}"
    yield _row("", f"{diagnosis.what}.", width)
    yield _row("why", hazard.why, width)
    # Never wrapped: it is there to be copied.
    yield f"{'write':>{_LEFT - 2}}  {diagnosis.write}"


def _row(left: str, text: str, width: int) -> str:
    return textwrap.fill(
        text,
        width,
        initial_indent=f"{left:>{_LEFT - 2}}  ",
        subsequent_indent=" " * _LEFT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _sum(report: DoctorReport) -> str:
    count = len(report.diagnoses)
    found = {0: "nothing was found", 1: "1 finding"}.get(count, f"{count} findings")
    missed = "" if report.is_complete else "; the examination is incomplete"
    return f"{found}{missed}. docs/warnings.md has a section for each number"
