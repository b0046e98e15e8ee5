"""How a fetch ends: its figures, and the error that says what is missing and what to do."""

from __future__ import annotations

from typing import NamedTuple

from sekisho.model import SekishoError

_NAMED_MAX = 10


class Failure(NamedTuple):
    """A range that was given up. Its prefix is no secret here: every prefix is asked for.

    Attributes:
        prefix: five hex digits.
        reason: what the last try met, in words.
    """

    prefix: str
    reason: str


class FetchReport(NamedTuple):
    """What a fetch did.

    Attributes:
        fetched: ranges that came with a body.
        unchanged: ranges that the server said are as they were (304).
        kept: ranges that an interrupted fetch had brought less than a day ago; the server was not asked again.
        failed: ranges given up.
        bytes: of the bodies, as they came over the wire.
    """

    fetched: int
    unchanged: int
    kept: int
    failed: tuple[Failure, ...]
    bytes: int


class FetchError(SekishoError):
    """Ranges are missing, or the fetch could not go on. Whatever has landed stays; the next fetch goes on from there.

    Attributes:
        report: how far it came; `None` where it did not start.
    """

    def __init__(self, problem: str, report: FetchReport | None = None) -> None:
        self.report = report
        super().__init__(problem)


def missing(report: FetchReport) -> FetchError:
    """The error of a fetch that went to the end and left ranges out."""
    named = ", ".join(f"{failure.prefix} ({failure.reason})" for failure in report.failed[:_NAMED_MAX])
    more = f" and {len(report.failed) - _NAMED_MAX} more" if len(report.failed) > _NAMED_MAX else ""
    ranges = "1 range is" if len(report.failed) == 1 else f"{len(report.failed)} ranges are"
    return FetchError(f"{ranges} missing: {named}{more}. Run it again: what is there is not fetched twice.", report)


class Damaged(Exception):  # noqa: N818 - a verdict about an answer, taken for a try that failed
    """An answer that is not the range it should be. Says what is wrong with it; holds nothing the server sent."""
