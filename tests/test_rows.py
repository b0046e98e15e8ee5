"""The table of external findings is right about its tests."""

from __future__ import annotations

from tests.rows import Row, found, problems, read


def test_a_row_without_a_test_is_a_problem() -> None:
    """A row that no test holds is only a sentence."""
    assert problems([Row("1.1", "this", ())], set()) == ["1.1 this: no test"]


def test_a_test_that_is_not_there_is_a_problem() -> None:
    """A renamed test no longer holds its row."""
    row = Row("1.1", "this", ("tests/test_rows.py::test_gone",))

    assert problems([row], set()) == ["1.1 this: tests/test_rows.py::test_gone is not a test"]


def test_tests_are_found_by_file_and_by_name() -> None:
    """A row may name a whole file."""
    named = ["tests/test_rows.py", "tests/test_rows.py::test_tests_are_found_by_file_and_by_name", "tests/gone.py"]

    assert found(named) == set(named[:2])


def test_the_table_can_be_read() -> None:
    """Rows have a number each and stand in their order."""
    numbers = [tuple(map(int, row.number.split("."))) for row in read()]

    assert numbers == sorted(set(numbers))
