"""Counts as readers see them: a mapping that is always up to date.

A module of its own: compiled classes cannot inherit from `Mapping`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    Key = tuple[str, str, str]


class HasNumber(Protocol):
    number: int


class LiveCounts(Mapping["Key", int]):
    """The numbers of `Counts`, by place, what and why. Other threads may count while it is read."""

    def __init__(self, counts: Mapping[object, HasNumber]) -> None:
        self._counts = counts

    def __getitem__(self, key: Key) -> int:
        return self._counts[key].number

    def __iter__(self) -> Iterator[Key]:
        # A copy, made at once: new counts may come while its reader goes on.
        return iter(cast("list[Key]", list(self._counts)))

    def __len__(self) -> int:
        return len(self._counts)
