"""Tables, on the screen and in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

WIDTH = 220
"""Columns of the screen at least: no figure is cut off, and pipes get whole lines."""


def wide_console() -> Console:
    return Console(width=max(WIDTH, Console().width))


def screen_table(
    title: str, headings: Sequence[str], rows: Iterable[Sequence[str]], *, left: Collection[str] | None = None
) -> Table:
    """A table for the screen. Columns align to the right but for those named in `left`, by default the first.

    An empty row draws a line.
    """
    left = headings[:1] if left is None else left
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in left else "right")
    for row in rows:
        if row:
            table.add_row(*row)
        else:
            table.add_section()
    return table


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, column: str = "---:") -> Iterator[str]:
    """The lines of a table; all columns but the first align as `column` says."""
    yield f"| {' | '.join(headings)} |"
    yield f"|---|{f'{column}|' * (len(headings) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
