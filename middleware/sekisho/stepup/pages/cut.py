"""A page that is rendered once, and cut where requests differ: the rest of a flood pays for joining its pieces.

A template takes some two hundred microseconds, as much as all else that a refusal costs.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Mapping

# No template, word or setting holds a NUL, and none can be sent: what replaces a mark is not looked at again.
_MARK: Final = re.compile("\0([a-z]+)\0")


@lru_cache(maxsize=16)
def mark(name: str) -> Markup:
    """What stands in a template for a value that is not known yet. Escaping leaves it as it is."""
    return Markup(f"\0{name}\0")  # noqa: S704 - letters of ours


class Cut(NamedTuple):
    """Attributes:
    pieces: between the places of values; one more than `names`.
    names: of the values, in order.
    """

    pieces: tuple[bytes, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Self:
        """A text with marks."""
        parts = _MARK.split(text)
        return cls(tuple(part.encode("utf-8", "replace") for part in parts[::2]), tuple(parts[1::2]))

    def filled(self, values: Mapping[str, str]) -> bytes:
        """The text with `values` in their places, escaped but for `Markup`. Raises `KeyError` for a missing one."""
        encoded = {name: escape(value).encode("utf-8", "replace") for name, value in values.items()}
        parts = [self.pieces[0]]
        for name, piece in zip(self.names, self.pieces[1:], strict=True):
            parts += (encoded[name], piece)
        return b"".join(parts)
