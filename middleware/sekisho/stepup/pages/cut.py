"""Caches a rendered page, cut at the values that differ between requests. Each request only joins the pieces.

Rendering a template takes some two hundred microseconds, as much as the rest of a refusal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Mapping

# No template, word or setting contains NUL, and no client can send it, so no replaced value is taken for a mark.
_MARK: Final = re.compile("\0([a-z]+)\0")

_SIGNS: Final = ("&", "<", ">", '"', "'")
_JSON_ESCAPES: Final = (("&", r"\u0026"), ("<", r"\u003c"), (">", r"\u003e"), ("'", r"\u0027"))


def mark(name: str) -> Markup:
    """Return a placeholder for a value that is not known yet. Escaping does not change it."""
    return Markup(f"\0{name}\0")  # noqa: S704 - letters of ours


class Cut(NamedTuple):
    """A text, cut at its placeholders.

    Attributes:
        parts: every second part is empty and stands for a value.
        places: the index in `parts` and the name of each value.
    """

    parts: tuple[bytes, ...]
    places: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, text: str) -> Self:
        """Cut a text at its placeholders."""
        found = _MARK.split(text)
        parts = (b"" if at % 2 else part.encode("utf-8", "replace") for at, part in enumerate(found))
        return cls(tuple(parts), tuple((at, found[at]) for at in range(1, len(found), 2)))

    def filled(self, values: Mapping[str, bytes]) -> bytes:
        """Return the text with `values` in place of the placeholders. Raises `KeyError` if one is missing.

        The caller escapes each value, by `escaped` or `json_in_attribute`.
        """
        parts = list(self.parts)
        for at, name in self.places:
            parts[at] = values[name]
        return b"".join(parts)


def escaped(value: str) -> bytes:
    """Escape a value for a page's text or attribute. Most values are base64, in which five searches find no sign."""
    for sign in _SIGNS:
        if sign in value:
            return escape(value).encode("utf-8", "replace")
    return value.encode("utf-8", "replace")


def json_in_attribute(text: str) -> bytes:
    """Escape JSON for an attribute in single quotes, as Jinja's `tojson` does; no character can end the attribute."""
    for sign, written in _JSON_ESCAPES:
        if sign in text:
            text = text.replace(sign, written)
    return text.encode("utf-8", "replace")
