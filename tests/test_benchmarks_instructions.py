"""The table of instructions: every step is found, and the marks' own cost is subtracted."""

from __future__ import annotations

import pytest

from benchmarks.instructions import REST, STEPS, Counted, Marks, Step, by_label, place, steps, whole

NAMES = [*(step.name for step in STEPS), REST]


@pytest.fixture
def marks(monkeypatch: pytest.MonkeyPatch) -> Marks:
    monkeypatch.setenv("BENCH_STORE", "memory://")
    return Marks()


async def test_an_attempt_meets_every_step_in_order(marks: Marks) -> None:
    """An attempt passes every step in order; a renamed, skipped or moved step would be counted for another."""
    await Counted(marks).count_loads(["fail"], requests=32, stepwise=1)

    stepwise = marks.labels[marks.labels.index("fail whole") + 2 : -2]
    assert stepwise == [f"fail {name}" for name in NAMES]


async def test_what_is_refused_from_memory_meets_few_of_them(marks: Marks) -> None:
    """A shed attempt passes few of them in the same order, without body, charge or judge."""
    await Counted(marks).count_loads(["shed"], requests=32, stepwise=1)

    stepwise = [label.removeprefix("shed ") for label in marks.labels[marks.labels.index("shed whole") + 2 : -2]]
    assert stepwise == [name for name in NAMES if name in stepwise]
    assert {"find the door", "the request context, the gate", REST} <= set(stepwise)
    assert not {"take in the body", "digests and charge", "ledger (a constant), judge"} & set(stepwise)


def test_a_step_that_has_gone_is_named() -> None:
    """A missing step is named, or its instructions would count for the next one."""
    with pytest.raises(SystemExit, match=r"sekisho\.pipeline:Guard\.gone has gone"):
        place("sekisho.pipeline:Guard.gone")


def test_what_marks_add_is_taken_off() -> None:
    """A mark's cost (1,000 alone, 3,000 in a function, 5,000 in a coroutine) is subtracted, the marked code's is
    not.
    """
    found = by_label(
        ["mark", "call", "await", "marked call", "marked await", "fail find the door", "fail take in the body"],
        [1_000, 1_200, 1_700, 3_200, 5_700, 13_000, 25_000],
    )

    assert steps("fail", found) == {"find the door": 10.0, "take in the body": 20.0}


def test_the_harness_is_taken_off() -> None:
    """The harness's own instructions are subtracted."""
    found = by_label(
        ["fail harness", "fail bare", "fail whole", "fail packed"], [200_000, 300_000, 2_200_000, 2_400_000]
    )

    assert whole("fail", found, requests=10) == {"harness": 20.0, "bare": 10.0, "whole": 200.0, "packed": 220.0}


@pytest.mark.parametrize(
    ("until", "awaited"), [("sekisho.read.doors:Doors.find", False), ("sekisho.asgi.body_reader:BodyReader.read", True)]
)
def test_coroutines_are_told_from_functions(until: str, *, awaited: bool) -> None:
    """Coroutines, whose marks cost more, are told from functions."""
    assert Step("", until).awaited is awaited
