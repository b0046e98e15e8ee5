"""A refusal becomes headers and a body. Almost everything is made once and kept: a flood pays for look-ups alone."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.answer import negotiate, page, words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.answer.refusal import Refusal

Headers = tuple[tuple[bytes, bytes], ...]

_ALWAYS: Final[Headers] = (
    (b"cache-control", b"no-store"),
    (b"vary", b"Accept, Accept-Language, Origin"),
    (b"x-content-type-options", b"nosniff"),
)


ANSWERS_MAX = 512  # of a kilobyte or two, and twice the headers they answer


class Answer(NamedTuple):
    """A whole response. `headers` as ASGI wants them: lower-case names, bytes."""

    status: int
    headers: Headers
    body: bytes


class _Kept(NamedTuple):
    """The parts of an answer that do not depend on how long to wait."""

    headers: Headers
    head: bytes
    tail: bytes


class Renderer:
    """Renders refusals for one service.

    Args:
        origins: as browsers spell them; the only ones that may read a refusal from another origin.
    """

    def __init__(self, origins: frozenset[bytes]) -> None:
        self._cors: Final = {origin: _cors(origin) for origin in origins}
        # A flood is a few clients that all wait about as long: each answer is made once.
        self._answer: Final = lru_cache(maxsize=ANSWERS_MAX)(self._make)

    def render(self, refusal: Refusal, headers: Iterable[tuple[bytes, bytes]]) -> Answer:
        """The answer to a request with these headers; only `Accept`, `Accept-Language` and `Origin` are looked at.

        Of a name that comes several times the last one counts: whoever sends two gets what they deserve, in English
        at worst.
        """
        accept = accept_language = origin = b""
        for name, value in headers:
            if name == b"accept":
                accept = value
            elif name == b"accept-language":
                accept_language = value
            elif name == b"origin":
                origin = value
        known = origin if origin in self._cors else b""
        return self._answer(
            refusal, accept[: negotiate.HEADER_BYTES_MAX], accept_language[: negotiate.HEADER_BYTES_MAX], known
        )

    def _make(self, refusal: Refusal, accept: bytes, accept_language: bytes, origin: bytes) -> Answer:
        html = negotiate.prefers_html(accept)
        language = negotiate.language(accept_language)
        kept = _kept(refusal.status, refusal.code, html, language, refusal.text)
        body = kept.head + _waiting(refusal.retry_after_s, html, language) + kept.tail
        length = (b"content-length", b"%d" % len(body))
        retry = () if refusal.retry_after_s is None else ((b"retry-after", b"%d" % refusal.retry_after_s),)
        return Answer(refusal.status, (*kept.headers, length, *retry, *self._cors.get(origin, ())), body)


def _cors(origin: bytes) -> Headers:
    return (
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"retry-after"),
    )


@lru_cache(maxsize=128)  # eight codes, a few statuses, two languages and two formats: all of them fit
def _kept(status: int, code: str, html: bool, language: str, text: str) -> _Kept:
    content_type = page.HTML_TYPE if html else page.JSON_TYPE
    headers = [*_ALWAYS, (b"content-type", content_type), (b"content-language", language.encode())]
    if html:
        headers += [(b"content-security-policy", page.CONTENT_SECURITY_POLICY), (b"referrer-policy", b"no-referrer")]
    if status == 401:  # must name a scheme (RFC 9110 section 15.5.2); one that no browser answers with a password box
        headers.append((b"www-authenticate", b'Sekisho realm="login"'))
    head, tail = page.page(code, language, text) if html else (page.problem(status, code, language, text), b"}")
    return _Kept(tuple(headers), head, tail)


@lru_cache(maxsize=1024)  # waits are whole seconds and mostly short
def _waiting(seconds: int | None, html: bool, language: str) -> bytes:
    if seconds is None:
        return b""
    if html:
        return b"<p>%b</p>\n" % words.wait(seconds, language).encode()
    return b', "retry_after": %d' % seconds
