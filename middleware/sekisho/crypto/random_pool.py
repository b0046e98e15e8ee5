"""Random bytes for names, read from the system in blocks: one system call for many names.

Not for keys and nonces: a snapshot of a virtual machine copies a pool, and its clones would use one nonce twice. A
device's name that two clones hand out is only a name.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK_BYTES: Final = 512

_FORKS: Final = [0]
"""How many forks lie between this process and the first one."""


def _forked() -> None:
    _FORKS[0] += 1


# After a fork, parent and child would hand out the same bytes: two devices of one account would have one name, and so
# one budget, which the thief of one token could use up for the other device's owner.
os.register_at_fork(after_in_child=_forked)


@final
class RandomPool:
    """Belongs to one event loop. No byte is handed out twice.

    Args:
        source: `n -> n` random bytes.
    """

    __slots__ = ("_at", "_block", "_forks", "_source")

    def __init__(self, source: Callable[[int], bytes] = os.urandom) -> None:
        self._source: Final = source
        self._block = b""
        self._at = 0
        self._forks = -1

    def take(self, count: int) -> bytes:
        """So many random bytes, at most `BLOCK_BYTES`."""
        if self._at + count > len(self._block) or self._forks != _FORKS[0]:
            self._fill()
        at = self._at
        self._at = at + count
        return self._block[at : self._at]

    def _fill(self) -> None:
        self._block = self._source(BLOCK_BYTES)
        self._at = 0
        self._forks = _FORKS[0]
