"""A site's colours and logo: what could not be read, or could run, stops the start."""

from __future__ import annotations

import re
import struct
import zlib
from hashlib import blake2b
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from sekisho.model import SettingsError
from sekisho.model.brand import Logo
from sekisho.model.contrast import TEXT_MIN, contrast
from sekisho.settings import parse
from sekisho.settings.files import NotReadable, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator

LOGO_BYTES_MAX: Final = 65_536
LOGO_PIXELS_MAX: Final = 1_024  # on each side
ELEMENTS_MAX: Final = 1_000
AT: Final = "url:"

# The backgrounds of text and buttons in `stepup/pages/page.css`: pages and cards. A test compares them.
BACKGROUNDS_LIGHT: Final = ("#f4f5f7", "#ffffff")
BACKGROUNDS_DARK: Final = ("#111418", "#1b2026")

_COLOR: Final = re.compile(r"#[0-9a-f]{6}")
_ADDRESS: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_CHUNKS: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"sRGB", b"IDAT", b"IEND"})  # pixels, and no text

_SVG: Final = "{http://www.w3.org/2000/svg}"
# fmt: off
_ELEMENTS: Final = frozenset(
    _SVG + name
    for name in (
        "svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "defs", "use", "clipPath",
        "linearGradient", "radialGradient", "stop", "mask", "title", "desc",
    )
)
# fmt: on
_HREF: Final = frozenset({"href", "{http://www.w3.org/1999/xlink}href"})
_SPACE: Final = "{http://www.w3.org/XML/1998/namespace}space"
_ATTRIBUTE: Final = re.compile(r"(?!on)[A-Za-z][A-Za-z0-9-]*", re.IGNORECASE)
# A backslash would write `url(` in other letters.
_LOADS: Final = re.compile(r"url\((?!\s*['\"]?#)|\\|@|javascript:", re.IGNORECASE)
_DECLARES: Final = re.compile(r"<!(?:doctype|entity)|<\?xml-stylesheet", re.IGNORECASE)
_RUNS: Final = "holds what could load or run something; export it as plain SVG, of shapes alone"


def color(text: str, setting: str) -> str:
    """Read the brand's colour on light pages, `#rrggbb`.

    Raises `SettingsError` if its contrast is too low to be read.
    """
    return _readable(text, setting, BACKGROUNDS_LIGHT)


def color_dark(text: str, setting: str) -> str:
    """Read the brand's colour on dark pages, `#rrggbb`.

    Raises `SettingsError` if its contrast is too low to be read.
    """
    return _readable(text, setting, BACKGROUNDS_DARK)


def _readable(text: str, setting: str, backgrounds: tuple[str, ...]) -> str:
    found = text.lower()
    if not _COLOR.fullmatch(found):
        raise SettingsError(setting, "wants a colour as #rrggbb")
    worst = min(contrast(found, background) for background in backgrounds)
    if worst < TEXT_MIN:
        ratio = f"{int(worst * 100) / 100:.2f}:1"  # rounded down: 4.499 is no 4.50
        raise SettingsError(setting, f"has a contrast of {ratio} to its pages; WCAG 2.2 (AA) wants {TEXT_MIN}:1")
    return found


def place(text: str, setting: str) -> str:
    """Check where the logo is: a file's path, or `url:` and a path of the same site. Returns the text unchanged.

    Raises `SettingsError`.
    """
    if not text.startswith(AT):
        return parse.path(text, setting)
    if not _ADDRESS.fullmatch(text.removeprefix(AT)):
        raise SettingsError(setting, "wants a path on this site after url:, such as url:/static/logo.svg")
    return text


def logo_of(path: str, setting: str) -> Logo:
    """Read the logo's file. Raises `SettingsError`, without its path or content, for all but a small PNG or SVG."""
    try:
        content = read_file(path, bytes_max=LOGO_BYTES_MAX)
    except (OSError, NotReadable, ValueError) as error:
        raise SettingsError(setting, f"names a file that cannot be read ({type(error).__name__})") from None
    if len(content) > LOGO_BYTES_MAX:
        raise SettingsError(setting, f"names a file of more than {LOGO_BYTES_MAX} bytes")
    try:
        return _png(content) if content.startswith(_PNG) else _svg(content)
    except _Unusable as unusable:
        raise SettingsError(setting, f"names a file that {unusable}") from None


class _Unusable(Exception):  # noqa: N818 - says why a file is none of ours
    pass


def _png(content: bytes) -> Logo:
    kept = _PNG + b"".join(_pixels(content))
    width, height = struct.unpack_from(">II", kept, 16)
    if not (0 < width <= LOGO_PIXELS_MAX and 0 < height <= LOGO_PIXELS_MAX):
        raise _Unusable(f"has more than {LOGO_PIXELS_MAX} pixels on a side")
    return _logo("png", b"image/png", kept)


def _pixels(content: bytes) -> Iterator[bytes]:
    """The chunks that make the picture. Others are dropped: they tell who made it, with what, and where."""
    at, names = len(_PNG), []
    while at < len(content) and b"IEND" not in names:
        chunk = content[at : at + 12 + int.from_bytes(content[at : at + 4], "big")]
        name = chunk[4:8]
        if len(chunk) < 12 or zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
            raise _Unusable("is a damaged PNG")
        if name in _CHUNKS:
            names.append(name)
            yield chunk
        at += len(chunk)
    if not {b"IHDR", b"IDAT", b"IEND"}.issubset(names) or names[0] != b"IHDR":
        raise _Unusable("is a damaged PNG")


def _svg(content: bytes) -> Logo:
    try:
        text = content.decode("utf-8-sig")
        # A document type could declare entities that expand without end, or load files.
        if _DECLARES.search(text):
            raise _Unusable(_RUNS)
        root = ET.fromstring(text)  # noqa: S314 - without a document type there are no entities
    except (UnicodeDecodeError, ET.ParseError):
        raise _Unusable("is neither PNG nor SVG in UTF-8") from None
    elements = list(root.iter())
    if root.tag != _SVG + "svg" or len(elements) > ELEMENTS_MAX:
        raise _Unusable(f"is no SVG of at most {ELEMENTS_MAX} elements")
    if not all(_is_shape(element) for element in elements):
        raise _Unusable(_RUNS)
    # Written anew, so that browsers read the tree that was checked.
    return _logo("svg", b"image/svg+xml; charset=utf-8", ET.tostring(root))


def _is_shape(element: ET.Element) -> bool:
    return element.tag in _ELEMENTS and all(_is_harmless(name, value) for name, value in element.attrib.items())


def _is_harmless(name: str, value: str) -> bool:
    if name in _HREF:
        return value.startswith("#")
    return (name == _SPACE or bool(_ATTRIBUTE.fullmatch(name))) and not _LOADS.search(value)


def _logo(suffix: str, content_type: bytes, body: bytes) -> Logo:
    return Logo(f"/logo-{blake2b(body, digest_size=8).hexdigest()}.{suffix}", content_type, body)
