"""Input of the guard's own pages: a few named texts, as a form or as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sekisho.model import Unreadable
from sekisho.read.names import unquoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.asgi.body_reader import BodyReader, Patience

BYTES_MAX = 131_072  # a sealed form of 64 KiB in base64, and a passkey's answer
FIELDS_MAX = 16
ESCAPES_MAX = 16_384  # of a form; base64 of 64 KiB has some three thousand


async def read_form(by_name: Mapping[bytes, bytes], body_reader: BodyReader, patience: Patience) -> dict[str, str]:
    """Return the fields of a request's body, a form or JSON. Raises `Unreadable` (400, 408, 413, 415) or `HungUp`."""
    body = await body_reader.read(bytes_max=BYTES_MAX, patience=patience)
    kind = by_name.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind == b"application/json":
        return _json(body)
    if kind == b"application/x-www-form-urlencoded":
        return _form(body)
    if not body:
        return {}
    raise Unreadable(415, "content_type")


def form_fields(body: bytes) -> dict[str, str]:
    """The fields of a form sent to a door; empty where it cannot be read."""
    try:
        return _form(body)
    except Unreadable:
        return {}


def _form(body: bytes) -> dict[str, str]:
    # Not by `parse_qsl`, which takes ten milliseconds for 64 KiB of `%`.
    if body.count(b"&") >= FIELDS_MAX or body.count(b"%") > ESCAPES_MAX:
        raise Unreadable(400, "form")
    pairs = [pair.partition(b"=") for pair in body.split(b"&") if pair]
    try:
        return {_unquoted(name): _unquoted(value) for name, _, value in pairs}
    except ValueError:
        raise Unreadable(400, "form") from None


def _unquoted(text: bytes) -> str:
    return unquoted(text.replace(b"+", b" ")).decode()


def _json(body: bytes) -> dict[str, str]:
    try:
        found = json.loads(body)
        if not isinstance(found, dict) or len(found) > FIELDS_MAX:
            raise Unreadable(400, "json")
        return {_text(name): _text(value) for name, value in found.items()}
    except (ValueError, RecursionError):
        raise Unreadable(400, "json") from None


def _text(value: object) -> str:
    """A field as text, as in a form. Raises `ValueError` where it cannot be encoded in UTF-8.

    A passkey's answer is an object in JSON, and its text in a form. JSON can also spell half of a surrogate pair, which
    a form cannot; encoding that later would fail (500).
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text.encode()
    return text
