"""nftables: two sets with timeouts in a table of our own, and a chain that drops what is in them.

The kernel ends each block by itself, also if this program has ended before.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from sekisho.feed.fronts.port import FrontFault, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sekisho.feed.entries import Network
    from sekisho.feed.fronts.port import Change

TABLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
AT_ONCE: Final = 512  # elements in one command: a line of `nft` is bounded
RUN_S_MAX: Final = 30


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
        gone = list(change.removed)
        # `add` of an element that is there leaves its timeout; `delete` of one that is not fails.
        renewed = {**change.added, **change.prolonged}
        lines = [*self._lines("add", gone), *self._lines("delete", gone)]
        lines += [*self._lines("add", [*renewed]), *self._lines("delete", [*renewed])]
        return [*lines, *self._timed(renewed)]

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

    def _lines(self, word: str, networks: list[Network]) -> Iterator[str]:
        for version in (4, 6):
            texts = [shown(network) for network in networks if network.version == version]
            for at in range(0, len(texts), AT_ONCE):
                yield f"{word} element {self._table} refused{version} {{ {', '.join(texts[at : at + AT_ONCE])} }}"

    def _timed(self, ends: dict[Network, float]) -> Iterator[str]:
        for version in (4, 6):
            texts = [
                f"{shown(network)} timeout {max(1, int(left_s * 1000))}ms"
                for network, left_s in ends.items()
                if network.version == version
            ]
            for at in range(0, len(texts), AT_ONCE):
                yield f"add element {self._table} refused{version} {{ {', '.join(texts[at : at + AT_ONCE])} }}"

    async def _run(self, lines: Sequence[str]) -> None:
        await run_command((*self._command, "-f", "-"), "\n".join(lines) + "\n", "nft")


async def run_command(command: Sequence[str], text: str, name: str) -> None:
    """Run a program with a text on its standard input. Raises `FrontFault` if it cannot run, fails or takes too long.

    `name`: of the program, for the error.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise FrontFault(f"{name} cannot be run: {error.strerror}") from None
    try:
        async with asyncio.timeout(RUN_S_MAX):
            _, said = await process.communicate(text.encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise FrontFault(f"{name} did not end within {RUN_S_MAX} seconds") from None
    if process.returncode:
        raise FrontFault(f"{name} failed: {_problem(said.decode(errors='replace'))[:200]}")


_ERROR: Final = re.compile(r"error|emerg|fail|denied|not permitted", re.IGNORECASE)


def _problem(said: str) -> str:
    """The first line that tells of an error; else the first: nginx begins with a notice, nft ends with carets."""
    lines = said.splitlines() or [""]
    return next((line for line in lines if _ERROR.search(line)), lines[0])
