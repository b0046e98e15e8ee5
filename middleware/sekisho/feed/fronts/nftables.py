"""nftables: two sets with timeouts in a table of our own, and a chain that drops what is in them.

The kernel ends each block by itself, also if this program has ended before.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sekisho.feed.fronts.command import run_command
from sekisho.feed.fronts.port import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sekisho.feed.entries import Network
    from sekisho.feed.fronts.port import Change

TABLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
AT_ONCE: Final = 512  # elements in one command: a line of `nft` is bounded


class Nftables:
    """Args:
    command: how `nft` is called.
    table: the name of the table, of the family inet. It belongs to this program.
    ports: TCP ports of the service.
    entries_max: the size of each set.
    """

    forgets: Final = True
    every_s: Final = 0.0

    def __init__(self, command: Sequence[str], table: str, ports: Sequence[int], entries_max: int) -> None:
        self._command = tuple(command)
        self._table = f"inet {table}"
        self._ports = ", ".join(map(str, ports))
        self._entries_max = entries_max

    def steps(self, change: Change) -> list[str]:
        """Return the lines that `begin` and `apply` would give to `nft`. For `--dry-run`: a whole file."""
        return [*self._table_lines(), *self._element_lines(change)]

    def _element_lines(self, change: Change) -> list[str]:
        gone = {network: shown(network) for network in change.removed}
        # `add` of an element that is there leaves its timeout; `delete` of one that is not fails.
        renewed = {**change.added, **change.prolonged}
        there = {network: shown(network) for network in renewed}
        timed = {
            network: f"{there[network]} timeout {max(1, int(left_s * 1000))}ms" for network, left_s in renewed.items()
        }
        words = ("add", gone), ("delete", gone), ("add", there), ("delete", there), ("add", timed)
        return [line for word, elements in words for line in self._lines(word, elements)]

    async def begin(self) -> None:
        """Create the table anew, with its sets and its chain. Blocks of an earlier run end. Raises `FrontFault`."""
        await self._run(self._table_lines())

    async def apply(self, change: Change) -> None:
        """Make a change of the sets in one transaction: all of it, or nothing. Raises `FrontFault`."""
        await self._run(self._element_lines(change))

    def _table_lines(self) -> list[str]:
        size = self._entries_max
        return [
            f"add table {self._table}",
            f"delete table {self._table}",
            f"add table {self._table}",
            f"add set {self._table} refused4 {{ type ipv4_addr; flags timeout; size {size}; }}",
            f"add set {self._table} refused6 {{ type ipv6_addr; flags interval, timeout; size {size}; }}",
            f"add chain {self._table} input {{ type filter hook input priority -10; policy accept; }}",
            f"add rule {self._table} input tcp dport {{ {self._ports} }} ip saddr @refused4 counter drop",
            f"add rule {self._table} input tcp dport {{ {self._ports} }} ip6 saddr @refused6 counter drop",
        ]

    def _lines(self, word: str, elements: dict[Network, str]) -> Iterator[str]:
        for version in (4, 6):
            texts = [text for network, text in elements.items() if network.version == version]
            for at in range(0, len(texts), AT_ONCE):
                yield f"{word} element {self._table} refused{version} {{ {', '.join(texts[at : at + AT_ONCE])} }}"

    async def _run(self, lines: Sequence[str]) -> None:
        await run_command((*self._command, "-f", "-"), "\n".join(lines) + "\n", "nft")
