from __future__ import annotations

from sekisho.once import Once


def test_each_key_comes_once() -> None:
    """The first time of each key counts, and no later one."""
    once = Once()

    assert [once(key) for key in ("full", "full", "gone", 28, "full", 28)] == [True, False, True, True, False, False]
    assert [once(), once()] == [True, False]


def test_what_is_remembered_is_bounded() -> None:
    """A client that can vary a problem neither fills the memory nor the log."""
    once = Once()

    assert sum(once(number) for number in range(1_000)) == 256
    assert not once(999)
