"""A row of the table of recent log-ins. Apart from the table, because reading it needs no database's packages."""

from __future__ import annotations

from typing import NamedTuple


class LogInRow(NamedTuple):
    """Attributes:
    id: a letter for its class, and 31 hexadecimal digits. A row replaces an earlier one of its id.
    at_s: Unix time.
    sealed: the content.
    """

    id: str
    at_s: int
    sealed: bytes

    def __repr__(self) -> str:
        return "LogInRow(...)"
