"""A script in Redis, and the same script as a library.

A module of its own: other classes inherit from it, which compiled code would not allow.

Redis runs a script from its first line in every call; for a long script that is most of the cost of a small call. A
library (Redis 7) is defined once, and each call runs one of its functions. A script that ends in `RUN` can be both.
"""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

RUN = "return run(KEYS, ARGV)\n"


class Script:
    """A constant script that takes a batch of operations.

    `leading` goes before the operations in every call, and `leading_over_budget` instead while a server that runs it
    holds more than its budget. The script answers with one string: `reply_bytes` for each
    operation that was asked, in order, and nothing for those that were only told.

    Attributes:
        in_full, by_digest, by_name: the first words of a command that runs it; `by_name` needs the loaded `library`.
        library: the argument of `FUNCTION LOAD`; None where the script cannot be a library. Its name is derived from
            its source, so that workers of two versions do not replace each other's.
    """

    def __init__(
        self,
        source: str,
        leading: Sequence[bytes],
        reply_bytes: int,
        *,
        leading_over_budget: Sequence[bytes] = (),
    ) -> None:
        self.source = source.encode()
        sha = sha1(self.source, usedforsecurity=False).hexdigest()
        name = f"sekisho_{sha}"
        self.in_full = (b"EVAL", self.source)
        self.by_digest = (b"EVALSHA", sha.encode())
        self.by_name = (b"FCALL", name.encode())
        self.library = _library(source, name).encode() if source.endswith(RUN) else None
        self.leading = tuple(leading)
        self._within = self.leading
        self._beyond = tuple(leading_over_budget or leading)
        self._over: set[object] = set()
        self.reply_bytes = reply_bytes

    def weigh(self, server: object, *, over_budget: bool) -> None:
        """Record whether a server is over its memory budget. While one is, calls begin with `leading_over_budget`."""
        before = bool(self._over)
        (self._over.add if over_budget else self._over.discard)(server)
        if bool(self._over) is not before:
            self.leading = self._beyond if self._over else self._within


def _library(source: str, name: str) -> str:
    return f"#!lua name={name}\n{source.removesuffix(RUN)}redis.register_function('{name}', run)\n"
