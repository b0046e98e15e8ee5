"""The display of a demonstration: progress while it runs, and a table at the end."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sekisho.cli.bar import Bar
from sekisho.cli.progress import ProgressLines
from sekisho.files import replace_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.cli.progress import Drawing
    from sekisho.simulate.demo import DemoRun, DemoView
    from sekisho.simulate.tally import Tally

WIDTH = 88


def console() -> Console:
    """Standard output, at most `WIDTH` columns wide."""
    wide = Console()
    return Console(width=min(WIDTH, wide.width)) if wide.is_terminal else Console(width=WIDTH)


class _Screen:
    """A demonstration's `Screen` over any `Drawing`. The engine counts and keeps the time."""

    def __init__(self, drawn: Drawing) -> None:
        self._seconds = 0.0
        self._drawn = drawn

    def say(self, text: str) -> None:
        self._drawn.say(text)

    def begin(self, title: str, attempts: int) -> None:
        self._seconds = 0.0
        self._drawn.begin(title, attempts, "attempts")

    def look(self, tally: Tally, seconds: float) -> None:
        self._seconds = seconds
        self._drawn.look(tally.attempts, news(tally))

    def end(self) -> None:
        self._drawn.end()

    def _now(self) -> float:
        return self._seconds


class RichScreen(_Screen):
    """For a terminal."""

    def __init__(self) -> None:
        super().__init__(Bar(clock_s=self._now))


class PlainScreen(_Screen):
    """For a file or a pipe."""

    def __init__(self) -> None:
        super().__init__(ProgressLines(clock_s=self._now))


def news(tally: Tally) -> str:
    """The state of a run in a few words, shown beside its rate."""
    return f"{len(tally.taken):,} taken over · {sum(tally.stopped.values()):,} stopped"


def show(shown: DemoView, out: Console) -> None:
    """Print a demonstration's result: the table, the promises and the explanation."""
    out.print()
    out.print(_table(shown))
    out.print(_promises(shown))
    for paragraph in reading(shown):
        out.print(Padding(paragraph, (1, 0, 0, 0)), highlight=False)


def write_svg(shown: DemoView, path: str) -> None:
    """Write the output of `show` as an SVG picture."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        recorder = Console(width=WIDTH, record=True, file=nowhere, force_terminal=True)
        show(shown, recorder)
    # The picture must not load fonts from other servers.
    picture = re.sub(r"@font-face \{.*?\}\s*", "", recorder.export_svg(title="make demo"), flags=re.DOTALL)
    replace_text(Path(path), picture)


def _table(shown: DemoView) -> Table:
    campaign = shown.scenario.campaign
    title = (
        f"{shown.unguarded.tally.attempts:,} stolen pairs from {campaign.addresses:,} addresses "
        f"at {shown.scenario.owners:,} owners"
    )
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    table.add_column("without", justify="right")
    table.add_column("with the guard", justify="right", style="bold")
    for row in _rows(shown.unguarded, shown.guarded):
        table.add_row(*row)
    return table


def _promises(shown: DemoView) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    for claim in shown.claims():
        table.add_row(Text("kept", "green") if claim.kept else Text("BROKEN", "bold red"), claim.text)
    return table


def _rows(unguarded: DemoRun, guarded: DemoRun) -> Iterator[tuple[str, str, str]]:
    before, after = unguarded.tally, guarded.tally
    yield "attackers' attempts", f"{before.attempts:,}", f"{after.attempts:,}"
    for code in sorted(before.stopped | after.stopped):
        yield f"  stopped: {code}", f"{before.stopped[code]:,}", f"{after.stopped[code]:,}"
    yield "  reached the password check", _share(before, before.reached), _share(after, after.reached)
    if before.unanswered or after.unanswered:
        yield "  got no answer (anybody)", f"{before.unanswered:,}", f"{after.unanswered:,}"
    for code in sorted(before.right | after.right):
        what = f"  right password: {code or 'let in'}"
        yield what, _right(before, code), _right(after, code)
    yield "accounts taken over", f"{len(before.taken):,}", f"{len(after.taken):,}"
    yield "owners' log-ins", f"{before.logins:,}", f"{after.logins:,}"
    yield "  showed a second proof", f"{before.proved:,}", f"{after.proved:,}"
    if after.worked:
        yield "  did work first", f"{before.worked:,}", f"{after.worked:,}"
    if before.came_back or after.came_back:
        yield "  came back after a 503", f"{before.came_back:,}", f"{after.came_back:,}"
    yield "owners refused", f"{len(before.refused):,}", f"{len(after.refused):,}"
    for code in sorted(before.refused_by | after.refused_by):
        yield f"  refused: {code}", f"{before.refused_by[code]:,}", f"{after.refused_by[code]:,}"
    yield "owners waited, p50 / p99 ms", _waited(before), _waited(after)
    yield "server CPU, seconds", f"{unguarded.cpu_seconds:.1f}", f"{guarded.cpu_seconds:.1f}"


def _right(tally: Tally, code: str) -> str:
    return f"{tally.right[code]:,} ({tally.unlisted[code]:,} in no list)" if tally.right[code] else "0"


def _share(tally: Tally, some: int) -> str:
    return f"{some:,} ({some / max(1, tally.attempts):.0%})"


def _waited(tally: Tally) -> str:
    return f"{tally.owners_ms.percentile_ms(50):.1f} / {tally.owners_ms.percentile_ms(99):.1f}"


def reading(shown: DemoView) -> Iterator[str]:
    """Yield the explanation of a demonstration's figures, a paragraph at a time."""
    before, after = shown.unguarded.tally, shown.guarded.tally
    yield (
        f"The list had the right password of {len(before.taken):,} owners, and without the guard all of them lost "
        f"their account. With it {len(after.taken):,} did: {after.unlooked:,} attempts were refused before anybody "
        "looked at the password."
    )
    if after.refused:
        yield f"Owners who stood outside with the right password: {len(after.refused):,}. That must not happen."
    yield (
        f"A right password alone opens nothing. {after.stopped['step_up_required']:,} attempts were asked for a second "
        f"proof, those with a right password in the same words as those with a wrong one; {after.proved:,} owners were "
        "asked as well, on devices that were new, and had it. DEMO_KEEP=1 leaves the service running, with its page."
    )
    if after.came_back:
        yield (
            f"The guard's process had no time left on this machine: owners' log-ins that came back after a 503: "
            f"{after.came_back:,}. DEMO_SECONDS=60 attacks more slowly."
        )
    planned = shown.scenario.campaign.attempts
    if min(before.attempts, after.attempts) < planned:
        yield (
            f"This machine was too slow for {planned:,} attempts in the time; {before.attempts:,} and "
            f"{after.attempts:,} were made. Give them longer with DEMO_SECONDS."
        )
