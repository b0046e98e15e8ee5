"""A script in Redis. A module by itself: others inherit from it, which they could not if it were compiled."""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Script:
    """A constant script that takes a batch of operations.

    `leading` goes before the operations in every call. The script answers with one string: `reply_bytes` for each
    operation that was asked, in order, and nothing for those that were only told.
    """

    def __init__(self, source: str, leading: Sequence[bytes], reply_bytes: int) -> None:
        self.source = source.encode()
        self.sha = sha1(self.source, usedforsecurity=False).hexdigest().encode()
        self.leading = tuple(leading)
        self.reply_bytes = reply_bytes
