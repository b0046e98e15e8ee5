"""Caches a rendered page, cut at the values that differ between requests. Each request only joins the pieces.

Rendering a template takes some two hundred microseconds, as much as the rest of a refusal.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Mapping

# No template, word or setting contains NUL, and no client can send it, so no replaced value is taken for a mark.
_MARK: Final = re.compile("\0([a-z]+)\0")


@lru_cache(maxsize=16)
def mark(name: str) -> Markup:
    """Return a placeholder for a value that is not known yet. Escaping does not change it."""
    return Markup(f"\0{name}\0")  # noqa: S704 - letters of ours


class Cut(NamedTuple):
    """A text, cut at its placeholders.

    Attributes:
        pieces: the parts between the values; one more than `names`.
        names: the names of the values, in order.
    """

    pieces: tuple[bytes, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Self:
        """Cut a text at its placeholders."""
        parts = _MARK.split(text)
        return cls(tuple(part.encode("utf-8", "replace") for part in parts[::2]), tuple(parts[1::2]))

    def filled(self, values: Mapping[str, str]) -> bytes:
        """Fill in `values`, escaped except for `Markup`. Raises `KeyError` if one is missing."""
        encoded = {name: escape(value).encode("utf-8", "replace") for name, value in values.items()}
        parts = [self.pieces[0]]
        for name, piece in zip(self.names, self.pieces[1:], strict=True):
            parts += (encoded[name], piece)
        return b"".join(parts)
