"""Random bytes for names, read from the system in blocks: one system call for many names.

Do not use it for keys and nonces: a snapshot of a virtual machine copies the pool, and its clones would use one nonce
twice. If two clones hand out the same device name, no secret is lost.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK_BYTES: Final = 512

_FORKS: Final = [0]
"""The number of forks between this process and the first one."""


def _forked() -> None:
    _FORKS[0] += 1


# After a fork, parent and child would hand out the same bytes. Two devices of one account would then share a name and a
# budget, and the thief of one token could use up the budget of the owner's other device.
if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_forked)


@final
class RandomPool:
    """A pool of random bytes for one event loop. It hands out no byte twice.

    Args:
        source: a function from `n` to `n` random bytes.
    """

    __slots__ = ("_at", "_block", "_forks", "_source")

    def __init__(self, source: Callable[[int], bytes] = os.urandom) -> None:
        self._source: Final = source
        self._block = b""
        self._at = 0
        self._forks = -1

    def take(self, count: int) -> bytes:
        """Return `count` random bytes, at most `BLOCK_BYTES`."""
        if self._at + count > len(self._block) or self._forks != _FORKS[0]:
            self._fill()
        at = self._at
        self._at = at + count
        return self._block[at : self._at]

    def _fill(self) -> None:
        self._block = self._source(BLOCK_BYTES)
        self._at = 0
        self._forks = _FORKS[0]
