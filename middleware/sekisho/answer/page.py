"""The two formats of a refusal: `application/problem+json` (RFC 9457), and a small page for people.

The page loads nothing but the site's logo, and runs nothing. Its readers only wanted to log in, perhaps on a phone at
night: so it has large text, a dark scheme where preferred, their language, and one heading for screen readers.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.answer.words import WORDS
from sekisho.model.brand import NO_BRAND

if TYPE_CHECKING:
    from sekisho.model.brand import Brand

JSON_TYPE: Final = b"application/problem+json"
HTML_TYPE: Final = b"text/html; charset=utf-8"

_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{margin:0;min-height:100vh;display:grid;place-items:center;"
    'font:1.125rem/1.7 system-ui,-apple-system,"Hiragino Sans","Noto Sans JP",sans-serif;'
    "background:Canvas;color:CanvasText}"
    "main{max-width:32rem;padding:2rem 1.25rem;overflow-wrap:anywhere}"
    "h1{font-size:1.5rem;line-height:1.4;margin:0 0 1rem}"
    "h1:lang(ja){word-break:auto-phrase}"
    "p{margin:0 0 1rem;text-wrap:pretty}"
    "pre{white-space:pre-wrap;font-size:.9375rem}"
)


class _Dress(NamedTuple):
    """The parts of a page that a site's brand decides.

    Attributes:
        policy: what the page may load: nothing but its style sheet, and a logo from its own site.
        style: the style sheet.
        header: above the heading; empty for a site without a name and a logo.
    """

    policy: str
    style: str
    header: str


@lru_cache(maxsize=16)  # a process has one brand; tests have more
def _dress(brand: Brand) -> _Dress:
    style = _STYLE + _brand_style(brand)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    logo = f'<img src="{escape(brand.logo_address)}" alt=""> ' if brand.logo_address else ""
    # Nothing may be loaded or submitted; the one style sheet is allowed by its hash. In the page rather than in a
    # header, which would cost the server half a microsecond per refusal in a flood. A policy in a page cannot forbid
    # framing, but this page has nothing to click on.
    images = " img-src 'self';" if logo else ""
    policy = f"default-src 'none'; style-src 'sha256-{digest}';{images} base-uri 'none'; form-action 'none'"
    header = f"<header>{logo}{escape(brand.name)}</header>\n" if logo or brand.name else ""
    return _Dress(policy, style, header)


def _brand_style(brand: Brand) -> str:
    """The header's rules. The colour draws a line and no text: the page's background is the system's choice."""
    if not (brand.name or brand.logo_address):
        return ""
    dark = f"@media(prefers-color-scheme:dark){{header{{border-color:{brand.color_dark}}}}}" if brand.color_dark else ""
    return (
        "header{margin:0 0 1.5rem;padding:0 0 .75rem;font-weight:600;"
        f"border-bottom:.25rem solid {brand.color or 'GrayText'}}}"
        "header img{max-width:100%;height:2.5rem;vertical-align:middle}"
        f"{dark}"
    )


def problem(status: int, code: str, language: str, text: str = "") -> bytes:
    """Return a problem document (RFC 9457) without its closing brace, so that `retry_after` can be appended.

    `text`: is added to the detail.
    """
    words = WORDS[language][code]
    members = {
        "type": f"urn:problem-type:sekisho:{code}",
        "title": words.title,
        "status": status,
        "detail": f"{words.detail} {text}" if text else words.detail,
        "code": code,
    }
    return json.dumps(members, ensure_ascii=False).encode("utf-8", "replace").removesuffix(b"}")


def page(code: str, language: str, text: str = "", brand: Brand = NO_BRAND) -> tuple[bytes, bytes]:
    """Return an HTML page in two parts, with room for a paragraph about waiting between them. `text`: is added."""
    words, dress = WORDS[language][code], _dress(brand)
    head = (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{dress.policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(words.title)}</title>\n<style>{dress.style}</style>\n</head>\n<body>\n<main>\n{dress.header}"
        f"<h1>{escape(words.title)}</h1>\n<p>{escape(words.detail)}</p>\n"
    )
    if text:
        head += f"<pre>{escape(text)}</pre>\n"
    return head.encode("utf-8", "replace"), b"</main>\n</body>\n</html>\n"
