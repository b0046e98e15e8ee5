"""The file of leaked passwords is opened, and its age is compared with the setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.doctor.corpus import corpus_report
from sekisho.settings import Settings, load
from tests.breach.making import corpus_file, digest

if TYPE_CHECKING:
    from pathlib import Path

BUILT = 1_700_000_000
DAY = 86_400


def settings(path: Path) -> Settings:
    return load(
        {
            "SEKISHO_SECRET": "mB7tXq2LwPz9RkVn4HsYc6JdGf3AeUo8",
            "SEKISHO_CORPUS": str(path),
            "SEKISHO_CORPUS_DAYS_MAX": "30",
        }
    )


@pytest.mark.parametrize(("days", "numbers"), [(0, []), (30, []), (31, ["SEK020"])])
def test_an_old_file_is_found(tmp_path: Path, days: int, numbers: list[str]) -> None:
    """A file is old from the day after the last that the setting allows."""
    corpus_file(tmp_path / "passwords", {digest("x"): 1}, built=BUILT)

    report = corpus_report(settings(tmp_path / "passwords"), BUILT + days * DAY + 60.0)

    assert [each.hazard.number for each in report.diagnoses] == numbers
    assert report.facts == (("leaked passwords", f"a file built {days} days ago"),)


def test_a_file_that_cannot_be_used_was_not_examined(tmp_path: Path) -> None:
    """A damaged file makes the examination incomplete; its path is not printed."""
    (tmp_path / "canary").write_bytes(b"no corpus")

    report = corpus_report(settings(tmp_path / "canary"), BUILT)

    assert not report.is_complete
    assert "canary" not in str(report)
