"""Negotiates format and language with the client (RFC 9110 section 12.5).

Strangers write these headers: the part that is read is bounded, invalid items are ignored, and the worst effect of a
hostile header is an answer in English.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from sekisho.answer.words import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sekisho.model.headers import Header

HEADER_BYTES_MAX: Final = 256
ITEMS_MAX: Final = 8  # as many as Chrome sends; each costs a stranger nothing and the worker two microseconds

_QUALITY: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_JSON: Final = ("application/problem+json", "application/json")
_HTML: Final = ("text/html",)


@lru_cache(maxsize=512)  # browsers send a few dozen; strangers can fill 128 KiB with 256-byte headers
def prefers_html(accept: bytes) -> bool:
    """Whether HTML is preferred to JSON. A tie, `*/*` and no header mean JSON: programs send these."""
    qualities = dict(_items(accept))
    return _quality(qualities, _HTML) > _quality(qualities, _JSON)


@lru_cache(maxsize=512)
def language(accept_language: bytes) -> str:
    """The one of `LANGUAGES` that an `Accept-Language` header prefers.

    Among equals the first named; English where none is accepted.
    """
    wanted: dict[str, float] = {}
    for tag, quality in _items(accept_language):
        primary = tag.partition("-")[0]  # RFC 4647 section 3.4, for the ranges that matter here: ja-JP is ja
        wanted[primary] = max(quality, wanted.get(primary, 0.0))
    anything = wanted.pop("*", 0.0)
    named = [one for one in wanted if one in LANGUAGES]
    rest = [one for one in LANGUAGES if one not in wanted]
    best = max([*named, *rest], key=lambda one: wanted.get(one, anything))
    return best if wanted.get(best, anything) > 0 else LANGUAGES[0]


def prefers_page(headers: Iterable[Header]) -> bool:
    """Whether a request prefers HTML to JSON."""
    return prefers_html(_last(headers, b"accept"))


def language_of(headers: Iterable[Header]) -> str:
    """The language that a request prefers."""
    return language(_last(headers, b"accept-language"))


def _last(headers: Iterable[Header], wanted: bytes) -> bytes:
    # The last header counts, and only its beginning is kept, as in `render`.
    found = b""
    for name, value in headers:
        if name == wanted:
            found = value
    return found[:HEADER_BYTES_MAX]


def _quality(qualities: dict[str, float], types: tuple[str, ...]) -> float:
    """The highest quality among some media types, each by the most specific range that matches it."""
    return max(_of_type(qualities, one) for one in types)


def _of_type(qualities: dict[str, float], media_type: str) -> float:
    for span in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        if span in qualities:
            return qualities[span]
    return 0.0


def _items(header: bytes) -> Iterator[tuple[str, float]]:
    """Names and qualities, in lower case. An item with an invalid quality is skipped."""
    text = header[:HEADER_BYTES_MAX].decode("latin-1").lower()
    for item in text.split(",", ITEMS_MAX)[:ITEMS_MAX]:
        name, *parameters = (part.strip() for part in item.split(";"))
        quality = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        if name and _QUALITY.fullmatch(quality):
            yield name, float(quality)
