"""A site's colours and logo: readable for everybody, and nothing in the picture that could run or load."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sekisho import settings
from sekisho.model import SettingsError
from sekisho.model.brand import Brand
from sekisho.model.contrast import contrast, readable_on
from sekisho.settings import brand

if TYPE_CHECKING:
    from sekisho.model.brand import Logo

SECRET = "kR4-vw0cM1zQ8sXy7bTn2JdLhG5uPfAe"
CSS = Path(brand.__file__).parents[1] / "stepup" / "pages" / "page.css"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{}</svg>'
IHDR = struct.pack(">IIBBBBB", 2, 1, 8, 0, 0, 0, 0)
IDAT = zlib.compress(b"\0\1\2")


def chunk(name: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(*chunks: bytes, ihdr: bytes = IHDR) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + b"".join(chunks) + chunk(b"IDAT", IDAT) + chunk(b"IEND")


def read(tmp_path: Path, content: bytes | str) -> Logo:
    path = tmp_path / "logo"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return brand.logo_of(str(path), "SEKISHO_BRAND_LOGO")


def problem(tmp_path: Path, content: bytes | str) -> str:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, content)
    assert caught.value.name == "SEKISHO_BRAND_LOGO"
    assert str(tmp_path) not in str(caught.value)
    return caught.value.problem


@pytest.mark.parametrize(
    ("one", "other", "ratio"),  # as W3C's own examples and the usual checkers have them
    [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#767676", "#ffffff", 4.54)],
)
def test_contrast_is_that_of_the_standard(one: str, other: str, ratio: float) -> None:
    """Ratios as WCAG 2.2 defines them, in either order."""
    assert round(contrast(one, other), 2) == round(contrast(other, one), 2) == ratio
    assert contrast(one, readable_on(one)) >= 4.5


def test_colors_are_checked_against_the_pages_own() -> None:
    """The backgrounds of the check are those of the style sheet, light and dark."""
    light, dark = CSS.read_text().split("@media (prefers-color-scheme: dark)")[:2]
    for sheet, backgrounds in ((light, brand.BACKGROUNDS_LIGHT), (dark, brand.BACKGROUNDS_DARK)):
        found = re.search(r"--back: (#[0-9a-f]+); --card: (#[0-9a-f]+);", sheet)
        assert found is not None
        assert tuple(one.replace("#fff", "#ffffff") if len(one) == 4 else one for one in found.groups()) == backgrounds


@pytest.mark.parametrize(
    ("name", "color", "ratio"),
    [
        ("BRAND_COLOR", "#ff6600", "2.69:1"),
        ("BRAND_COLOR", "#757575", "4.22:1"),
        ("BRAND_COLOR_DARK", "#0b57c2", "2.46:1"),
    ],
)
def test_a_color_that_some_cannot_read_stops_the_start(name: str, color: str, ratio: str) -> None:
    """The error names the setting and the ratio, and says what the standard wants."""
    with pytest.raises(SettingsError) as caught:
        settings.load({"SEKISHO_SECRET": SECRET, f"SEKISHO_{name}": color})
    assert str(caught.value) == (f"SEKISHO_{name}: has a contrast of {ratio} to its pages; WCAG 2.2 (AA) wants 4.5:1")


@pytest.mark.parametrize("text", ["red", "#06c", "#0b57c2;}", "0b57c2", "#0b57c2 "])
def test_a_color_is_six_digits(text: str) -> None:
    """Nothing else would stay a colour in a style sheet."""
    with pytest.raises(SettingsError, match="wants a colour as #rrggbb"):
        brand.color(text, "SEKISHO_BRAND_COLOR")


def test_the_brand_is_read_once(tmp_path: Path) -> None:
    """Name, colours and logo arrive in one value; the guard serves the logo below its mount."""
    path = tmp_path / "logo.png"
    path.write_bytes(png())
    environ = {"SECRET": SECRET, "SERVICE_NAME": "Shop", "BRAND_COLOR": "#0B57C2", "BRAND_LOGO": str(path)}
    found = settings.load({f"SEKISHO_{name}": value for name, value in environ.items()}).brand
    assert found.logo is not None
    assert re.fullmatch(r"/logo-[0-9a-f]{16}\.png", found.logo.path)
    assert found == Brand("Shop", "#0b57c2", "", "/sekisho" + found.logo.path, found.logo)
    assert settings.load({"SEKISHO_SECRET": SECRET}).brand == Brand()
    # A site without pages of the guard has no path to serve it at: refusals would show a broken picture.
    bare = {**{f"SEKISHO_{name}": value for name, value in environ.items()}, "SEKISHO_CHALLENGES": "none"}
    assert settings.load(bare).brand.logo_address == ""


def test_a_logo_of_the_sites_own_is_named_by_its_path() -> None:
    """After `url:` stands a path of the same site: no other host learns who logs in."""
    found = settings.load({"SEKISHO_SECRET": SECRET, "SEKISHO_BRAND_LOGO": "url:/static/logo.svg"}).brand
    assert found == Brand(logo_address="/static/logo.svg")
    for text in ("url:https://cdn.example/logo.svg", "url://cdn.example/logo.svg", 'url:/a"onerror=', "logo.svg"):
        with pytest.raises(SettingsError, match="wants a"):
            brand.place(text, "SEKISHO_BRAND_LOGO")


def test_a_png_loses_what_is_no_picture(tmp_path: Path) -> None:
    """Its pixels are kept; texts, places and all bytes behind its end are dropped."""
    told = [chunk(b"tEXt", b"Author\0Hana"), chunk(b"eXIf", b"MM\0*gps"), chunk(b"acTL", b"\0" * 8)]
    found = read(tmp_path, png(*told) + b"<script>alert(1)</script>")
    assert (found.content_type, found.body) == (b"image/png", png())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (png()[:-6], "is a damaged PNG"),
        (png().replace(IDAT, IDAT[::-1]), "is a damaged PNG"),
        (b"\x89PNG\r\n\x1a\n" + b"\xff" * 40, "is a damaged PNG"),
        (b"\x89PNG\r\n\x1a\n", "is a damaged PNG"),
        (png(ihdr=struct.pack(">IIBBBBB", 1025, 1, 8, 0, 0, 0, 0)), "more than 1024 pixels"),
        (b"\xff\xd8\xff\xe0 JFIF", "neither PNG nor SVG"),
        (b"x" * 65_537, "more than 65536 bytes"),
        ("<svg xmlns='http://www.w3.org/1999/xhtml'/>", "is no SVG"),
        ("<svg", "neither PNG nor SVG"),
        (SVG.format("<g/>" * 1_000), "is no SVG of at most 1000 elements"),
    ],
)
def test_what_is_no_small_picture_is_refused(tmp_path: Path, content: bytes | str, reason: str) -> None:
    """Damaged, large and other files stop the start with the reason, and without their content."""
    assert reason in problem(tmp_path, content)


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        '<rect onload="alert(1)"/>',
        '<rect ONclick="alert(1)"/>',
        '<image href="https://elsewhere.example/a.png"/>',
        '<use href="https://elsewhere.example/a.svg#a"/>',
        '<use xmlns:x="http://www.w3.org/1999/xlink" x:href="data:image/svg+xml,a"/>',
        '<a href="#"/>',
        "<style>@import 'https://elsewhere.example'</style>",
        '<rect style="fill:url(https://elsewhere.example/a)"/>',
        '<rect style="fill:u\\72l(https://elsewhere.example/a)"/>',
        '<rect fill="URL( //elsewhere.example)"/>',
        '<foreignObject><p xmlns="http://www.w3.org/1999/xhtml"/></foreignObject>',
        '<animate attributeName="href" to="javascript:alert(1)"/>',
        '<set attributeName="onload" to="alert(1)"/>',
    ],
)
def test_an_svg_that_could_run_or_load_something_is_refused(tmp_path: Path, inside: str) -> None:
    """An SVG is a document: one with a script would run it on the site's own origin."""
    assert "could load or run" in problem(tmp_path, SVG.format(inside))


@pytest.mark.parametrize("before", ["<!DOCTYPE svg>", '<!doctype x [<!ENTITY a "b">]>', "<?xml-stylesheet href='a'?>"])
def test_an_svg_declares_no_entities(tmp_path: Path, before: str) -> None:
    """Entities may expand without end, or load files."""
    assert "could load or run" in problem(tmp_path, before + SVG.format(""))


def test_an_svg_of_shapes_is_written_anew(tmp_path: Path) -> None:
    """What browsers get is what was checked: without comments, and always in one encoding."""
    shapes = '<defs><linearGradient id="a"/></defs><path d="M0 0" fill="url(#a)" style="opacity:.5"/><use href="#a"/>'
    found = read(tmp_path, '<?xml version="1.0" encoding="utf-16"?><!-- by Hana -->' + SVG.format(shapes))
    assert found.content_type == b"image/svg+xml; charset=utf-8"
    assert b"Hana" not in found.body
    assert b"utf-16" not in found.body
    assert found.body.count(b"url(#a)") == 1
