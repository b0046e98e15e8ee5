"""Two guards in front of one application: the inner one passes on what the outer one has examined.

Otherwise each attempt would be charged twice, so that owners have half the attempts, and a proof that the one accepts
would be used up for the other.
"""

from __future__ import annotations

from typing import Final, final

ASIDE: Final = "sekisho.aside"
"""A key of scopes: the mark of the guard that has examined it, or `MADE` by one. Clients cannot set keys of a scope."""
MADE: Final = "made"


@final
class Mark:
    """The mark of one guard.

    Args:
        means: all by which it examines. Guards with equal ones examine alike.
    """

    __slots__ = ("means",)

    def __init__(self, means: object) -> None:
        self.means = means

    def is_alike(self, other: object) -> bool:
        """Whether another guard's mark is of one that examines alike."""
        return isinstance(other, Mark) and bool(other.means == self.means)

    def __repr__(self) -> str:
        # Error reporters print a scope, and settings hold secrets.
        return "Mark(...)"
