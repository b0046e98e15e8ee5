"""The two formats of a refusal: `application/problem+json` (RFC 9457), and a small page for people.

The page loads and runs nothing. Its readers only wanted to log in, perhaps on a phone at night: so it has large text, a
dark scheme where preferred, their language, and one heading for screen readers.
"""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from typing import Final

from sekisho.answer.words import WORDS

JSON_TYPE: Final = b"application/problem+json"
HTML_TYPE: Final = b"text/html; charset=utf-8"

_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{margin:0;min-height:100vh;display:grid;place-items:center;"
    'font:1.125rem/1.7 system-ui,-apple-system,"Hiragino Sans","Noto Sans JP",sans-serif;'
    "background:Canvas;color:CanvasText}"
    "main{max-width:32rem;padding:2rem 1.25rem;overflow-wrap:anywhere}"
    "h1{font-size:1.5rem;line-height:1.4;margin:0 0 1rem}"
    "p{margin:0 0 1rem}"
    "pre{white-space:pre-wrap;font-size:.9375rem}"
)
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

# Nothing may be loaded or submitted; the one style sheet is allowed by its hash. In the page rather than in a header,
# which would cost the server half a microsecond per refusal in a flood. A policy in a page cannot forbid framing, but
# this page has nothing to click on.
_POLICY: Final = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"


def problem(status: int, code: str, language: str, text: str = "") -> bytes:
    """A problem document without its closing brace, so that `retry_after` can be appended."""
    words = WORDS[language][code]
    members = {
        "type": f"urn:problem-type:sekisho:{code}",
        "title": words.title,
        "status": status,
        "detail": f"{words.detail} {text}" if text else words.detail,
        "code": code,
    }
    return json.dumps(members, ensure_ascii=False).encode("utf-8", "replace").removesuffix(b"}")


def page(code: str, language: str, text: str = "") -> tuple[bytes, bytes]:
    """An HTML page in two parts; a paragraph about waiting can be put between them."""
    words = WORDS[language][code]
    head = (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(words.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(words.title)}</h1>\n<p>{escape(words.detail)}</p>\n"
    )
    if text:
        head += f"<pre>{escape(text)}</pre>\n"
    return head.encode("utf-8", "replace"), b"</main>\n</body>\n</html>\n"
