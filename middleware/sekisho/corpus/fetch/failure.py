"""The end of a download: its figures, and the error that states what is missing and what to do."""

from __future__ import annotations

from typing import NamedTuple

from sekisho.model import SekishoError

_NAMED_MAX = 10


class Failure(NamedTuple):
    """A range that was given up. Its prefix is no secret here, since every prefix is requested.

    Attributes:
        prefix: five hex digits.
        reason: why the last try failed, in words.
    """

    prefix: str
    reason: str


class FetchReport(NamedTuple):
    """The figures of a download.

    Attributes:
        fetched: ranges that were received with a body.
        unchanged: ranges that the server reported as unchanged (304).
        kept: ranges that an interrupted download stored less than a day ago; the server was not asked again.
        failed: ranges given up.
        bytes: size of the bodies as received.
    """

    fetched: int
    unchanged: int
    kept: int
    failed: tuple[Failure, ...]
    bytes: int


class FetchError(SekishoError):
    """Ranges are missing, or the download could not continue. Stored ranges stay; the next download resumes.

    Attributes:
        report: the progress so far; `None` if it did not start.
    """

    def __init__(self, problem: str, report: FetchReport | None = None) -> None:
        self.report = report
        super().__init__(problem)


def missing(report: FetchReport) -> FetchError:
    """Return the error of a finished download that lacks ranges."""
    named = ", ".join(f"{failure.prefix} ({failure.reason})" for failure in report.failed[:_NAMED_MAX])
    more = f" and {len(report.failed) - _NAMED_MAX} more" if len(report.failed) > _NAMED_MAX else ""
    ranges = "1 range is" if len(report.failed) == 1 else f"{len(report.failed)} ranges are"
    return FetchError(f"{ranges} missing: {named}{more}. Run it again: stored ranges are not fetched twice.", report)


class Damaged(Exception):  # noqa: N818 - a verdict about an answer; it counts as a failed try
    """An answer is not the requested range. The text states the problem, and contains nothing that the server sent."""
