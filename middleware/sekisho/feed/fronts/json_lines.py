"""JSON lines on standard output, for programs that we do not know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from sekisho.feed.fronts.port import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sekisho.feed.fronts.port import Change


class JsonLines:
    """Args:
    write: takes a line.
    clock_s: Unix time.
    """

    forgets: Final = True
    every_s: Final = 0.0

    def __init__(self, write: Callable[[str], object], clock_s: Callable[[], float]) -> None:
        self._write = write
        self._clock_s = clock_s

    def steps(self, change: Change) -> list[str]:
        """Return the JSON lines that `apply` would write. For `--dry-run`."""
        return [json.dumps(line) for line in self._lines(change)]

    async def begin(self) -> None:
        """Do nothing: standard output needs no set-up."""

    async def apply(self, change: Change) -> None:
        for line in self.steps(change):
            self._write(line)

    def _lines(self, change: Change) -> Iterator[dict[str, object]]:
        for network in change.removed:
            yield {"do": "release", "network": shown(network)}
        for network, left_s in {**change.added, **change.prolonged}.items():
            yield {"do": "refuse", "network": shown(network), "until": round(self._clock_s() + left_s, 3)}
