"""The register of hazards, `docs/warnings.md` and the lines of the log name the same numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sekisho.model import hazards
from sekisho.model.diagnosis import Diagnosis, Hazard, Severity
from sekisho.model.hazards import HAZARDS

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "middleware" / "sekisho"
PAGE = (REPOSITORY / "docs" / "warnings.md").read_text()
SECTIONS = {
    title: " ".join(text.split())
    for title, text in re.findall(r"^## (SEK\d{3}: .+?)\n(.+?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
}
SOURCES = {path: path.read_text() for path in PACKAGE.rglob("*.py") if path.name != "hazards.py"}


def test_the_page_has_a_section_for_each_number_and_for_no_other() -> None:
    """Each number has one section, in order, under its title."""
    assert list(SECTIONS) == [f"{each.number}: {each.title}" for each in HAZARDS]
    assert len({each.number for each in HAZARDS}) == len(HAZARDS)


@pytest.mark.parametrize("hazard", HAZARDS, ids=lambda hazard: hazard.number)
def test_a_section_says_why_and_what_to_write(hazard: Hazard) -> None:
    """A section begins with the severity, and has the reason and the line as the code has them."""
    section = SECTIONS[f"{hazard.number}: {hazard.title}"]

    assert section.startswith(f"*{hazard.severity.value.capitalize()}.* ")
    assert f" {hazard.why} ```text {' '.join(hazard.write.split())} ```" in section


def test_the_register_lists_every_hazard() -> None:
    """A hazard that the register left out would have no section."""
    assert [each for each in vars(hazards).values() if isinstance(each, Hazard)] == list(HAZARDS)


def test_a_line_of_the_log_names_a_number_of_the_register() -> None:
    """The number at the end of a line is one of the register."""
    named = {number for text in SOURCES.values() for number in re.findall(r"\bSEK\d{3}\b(?!`)", text)}

    assert named <= {each.number for each in HAZARDS}


def test_every_hazard_can_be_found() -> None:
    """Each hazard is reported by some code: by its name, or by its number in a line of the log."""
    text = "".join(SOURCES.values())
    names = {name: each.number for name, each in vars(hazards).items() if isinstance(each, Hazard)}

    used = set(re.findall(r"\bhazards\.([A-Z_]+)\b", text))
    assert [name for name, number in names.items() if name not in used and number not in text] == []


def test_every_hazard_is_shown_by_a_test() -> None:
    """Each number is expected by a test: a finding that none shows may have fallen silent."""
    tests = [path for path in (REPOSITORY / "tests").rglob("*.py") if path != Path(__file__)]
    shown = set(re.findall(r"\bSEK\d{3}\b", "".join(path.read_text() for path in tests)))

    assert [each.number for each in HAZARDS if each.number not in shown] == []


def test_each_of_twelve_set_ups_has_a_test() -> None:
    """The table names, for each set-up, a test that exists."""
    rows = re.findall(r"^\| .+ \| `(tests/[\w/]+\.py)::(\w+)` \|$", PAGE, re.MULTILINE)

    assert len(rows) == 12
    assert [name for path, name in rows if f"def {name}(" not in (REPOSITORY / path).read_text()] == []


def test_a_diagnosis_is_logged_with_its_number() -> None:
    """The log has the sentence and the number; the line to write may be the hazard's own or a closer one."""
    hazard = Hazard("SEK999", Severity.DANGER, "a title", "It matters.", "SETTING=value")

    assert hazard.found("SETTING: it happens").logged == "SETTING: it happens [SEK999]"
    assert hazard.found("it happens") == Diagnosis(hazard, "it happens", "SETTING=value")
    assert hazard.found("it happens", "SETTING=other").write == "SETTING=other"
