"""The contrast of two colours (WCAG 2.2, section 1.4.3, and its *relative luminance* and *contrast ratio*)."""

from __future__ import annotations

from typing import Final

TEXT_MIN: Final = 4.5
"""The least contrast of text to its background at level AA."""

_WHITE: Final = "#ffffff"
_BLACK: Final = "#000000"


def contrast(one: str, other: str) -> float:
    """The contrast ratio, 1 to 21, of two colours as `#rrggbb`."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def readable_on(color: str) -> str:
    """The colour of text on `color`: white or black. The better of them always reaches `TEXT_MIN`."""
    return max(_WHITE, _BLACK, key=lambda text: contrast(text, color))


def _luminance(color: str) -> float:
    red, green, blue = [_linear(int(color[at : at + 2], 16) / 255) for at in (1, 3, 5)]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
