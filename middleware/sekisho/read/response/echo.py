"""Whether an answer only repeats what its request sent, however the request spelled it.

An application that echoes a field of a failed log-in would otherwise confirm what the client wrote there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from unicodedata import normalize

from sekisho.read.names import unquoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Text beyond these counts as holding any value.
SENT_BYTES_MAX: Final = 65_536
ESCAPES_MAX: Final = 2_048
WIDE_BYTES_MAX: Final = 2_048  # of text beyond ASCII, where one character may fold into eighteen
DEPTH_MAX: Final = 3  # JSON in a field of a form, escaped in both; deeper nesting is read by no framework itself
_ESCAPED: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SHORT: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def is_echo(value: str, scope: Mapping[str, Any], sent: bytes) -> bool:
    """Whether a request has this value as a whole word in its path, query, headers or body, in any spelling.

    Args:
        value: of the answer.
        scope: of the request.
        sent: the request's body, as it was sent. A compressed one counts as holding any value.
    """
    headers = scope.get("headers", ())
    if any(name == b"content-encoding" for name, _ in headers):
        return True
    wanted = _folded(value)
    whole = re.compile(rf"(?<![0-9a-z]){re.escape(wanted)}(?![0-9a-z])")
    shown = b"\n".join([header for _, header in headers])
    texts = (scope["path"].encode(errors="replace"), scope.get("query_string", b""), sent, shown)
    return any(_holds(text, wanted, whole) for text in texts)


def _holds(sent: bytes, wanted: str, whole: re.Pattern[str]) -> bool:
    if len(sent) > WIDE_BYTES_MAX and not sent.isascii():
        return True
    text = sent.decode(errors="replace")
    escapes = text.count("%") + text.count("\\")
    if escapes and (len(sent) > SENT_BYTES_MAX or escapes > ESCAPES_MAX):
        return True
    # Frameworks read headers as Latin-1.
    texts = {text} if sent.isascii() else {text, sent.decode("latin-1")}
    return any(wanted in one and whole.search(one) is not None for one in map(_folded, _spellings(texts)))


def _spellings(texts: set[str]) -> set[str]:
    """Texts as applications may decode them: by JSON's escapes and percent-encoding, in any order."""
    found = latest = texts
    for _ in range(DEPTH_MAX):
        latest = _decoded_once(latest) - found
        found = found | latest
    return found


def _decoded_once(texts: Iterable[str]) -> set[str]:
    return {decode(text) for text in texts for decode in (_of_json, _of_url)}


def _of_json(text: str) -> str:
    if "\\" not in text:
        return text
    unescaped = _ESCAPED.sub(_character, text)
    # A character beyond U+FFFF is written as two escapes.
    return unescaped.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _character(escape: re.Match[str]) -> str:
    code, other = escape.groups()
    return chr(int(code, 16)) if code else _SHORT.get(other, str(other))


def _of_url(text: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    return unquoted(text.replace("+", " ").encode(errors="replace")).decode(errors="replace")


def _folded(text: str) -> str:
    """A value as applications store it: without case, white space around it, and compatibility forms."""
    return text.casefold().strip() if text.isascii() else normalize("NFKC", text).casefold().strip()
