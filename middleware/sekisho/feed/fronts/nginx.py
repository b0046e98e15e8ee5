"""nginx: a file that its configuration includes, in a `geo` block or as `deny` lines, and a reload after each change.

nginx ends no block by itself: this program writes the file anew, and empties it when it ends.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from sekisho.feed.fronts.command import run_command
from sekisho.feed.fronts.port import shown
from sekisho.files import replace_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sekisho.feed.entries import Network
    from sekisho.feed.fronts.port import Change

FORMS: Final = {"geo": "{} 1;\n", "deny": "deny {};\n"}


class Nginx:
    """Args:
    path: the file; its folder must be writable.
    form: of `FORMS`.
    reload: the command after each change.
    every_s: the shortest time between two reloads: each starts new workers.
    """

    forgets: Final = False

    def __init__(self, path: Path, form: str, reload: Sequence[str], every_s: float) -> None:
        self._path = path
        self._line = FORMS[form]
        self._reload = tuple(reload)
        self.every_s = every_s

    def steps(self, change: Change) -> list[str]:
        """Return the file's content that `apply` would write, and the command that reloads nginx. For `--dry-run`."""
        return [self._text(change.wanted).rstrip("\n"), " ".join(self._reload)]

    async def begin(self) -> None:
        """Replace the file by an empty one, and reload nginx. Raises `FrontFault`."""
        await self._write({})

    async def apply(self, change: Change) -> None:
        """Replace the file and reload nginx, if a network is added or removed. Prolonging changes nothing.

        Raises `FrontFault`.
        """
        if change.added or change.removed:
            await self._write(change.wanted)

    async def _write(self, wanted: dict[Network, float]) -> None:
        # In one step: nginx must not read half of it.
        await asyncio.to_thread(replace_text, self._path, self._text(wanted))
        await run_command(self._reload, "", "the reload")

    def _text(self, wanted: dict[Network, float]) -> str:
        lines = [self._line.format(shown(network)) for network in wanted]
        return "# written by `sekisho feed nginx`\n" + "".join(lines)
