"""Renders a refusal to headers and a body. Almost all parts are cached: a flood only pays for look-ups."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.answer import cors, negotiate, page, words
from sekisho.model.brand import NO_BRAND, Brand

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sekisho.answer.refusal import Refusal
    from sekisho.model.headers import Header


# No `Vary`: answers that are never stored are never served to another client, and each header of a refusal costs its
# server about half a microsecond.
_ALWAYS: Final[tuple[Header, ...]] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


ANSWERS_MAX = 512  # each of one or two kilobytes, plus the two request headers in its key


class Answer(NamedTuple):
    """A whole response. `headers` as in ASGI: lower-case names, bytes."""

    status: int
    headers: tuple[Header, ...]
    body: bytes

    def adding(self, *lines: tuple[bytes, bytes]) -> Answer:
        """The same answer with more headers at the end."""
        return Answer(self.status, (*self.headers, *lines), self.body)


class _Kept(NamedTuple):
    """The parts of an answer that do not depend on the wait."""

    headers: tuple[Header, ...]
    head: bytes
    tail: bytes


class Renderer:
    """Renders refusals for one service.

    Args:
        origins: as browsers spell them; only these may read a refusal from another origin.
        brand: the look of the pages.
    """

    def __init__(self, origins: frozenset[bytes], brand: Brand = NO_BRAND) -> None:
        self._brand: Final = brand
        self._cors: Final = {origin: cors.readable_by(origin) for origin in origins}
        # In a flood a few clients wait about equally long: each answer is made once.
        self._answer: Final = lru_cache(maxsize=ANSWERS_MAX)(self._make)

    def render(
        self,
        refusal: Refusal,
        headers: Iterable[Header],
        members: str = "",
    ) -> Answer:
        """The answer to a request with these headers; only `Accept`, `Accept-Language` and `Origin` are read.

        The last of repeated headers counts; the worst effect is an answer in English. Where a proof may be too old,
        `Authorization` determines the scheme of the answer.

        Args:
            refusal: the case, and its reason.
            headers: of the request.
            members: added to the problem document of this one answer, which is not cached because some are secret. JSON
                without the object's braces. Pages leave them out.
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
        answer = self._answer(
            refusal, accept[: negotiate.HEADER_BYTES_MAX], accept_language[: negotiate.HEADER_BYTES_MAX], known
        )
        if refusal.max_age_s is not None:
            answer = _too_old(answer, refusal.max_age_s, refusal.acr.encode(), bearer=_is_bearer(headers))
        return _with_members(answer, members) if members else answer

    def cors(self, headers: Iterable[Header]) -> tuple[Header, ...]:
        """The headers that let a page of a known origin read an answer other than a refusal; empty for all others."""
        origin = b""
        for name, value in headers:
            if name == b"origin":
                origin = value
        return self._cors.get(origin, ())

    def is_elsewhere(self, by_name: Mapping[bytes, bytes], headers: Iterable[Header]) -> bool:
        """Whether a page of another site, whose origin the operator has named, sent the request.

        `by_name`: the same headers by name.
        """
        return by_name.get(b"sec-fetch-site") == b"cross-site" and bool(self.cors(headers))

    def preflight(self, headers: Iterable[Header]) -> Answer | None:
        """The answer to a preflight of a known origin; `None` for all others."""
        origin = cors.preflighting(headers)
        return Answer(204, cors.allowed_to(origin), b"") if origin in self._cors else None

    def _make(self, refusal: Refusal, accept: bytes, accept_language: bytes, origin: bytes) -> Answer:
        html = negotiate.prefers_html(accept)
        language = negotiate.language(accept_language)
        kept = _kept(refusal.status, refusal.code, html, language, refusal.text, self._brand)
        body = kept.head + _waiting(refusal.retry_after_s, html, language) + kept.tail
        length = (b"content-length", b"%d" % len(body))
        retry = () if refusal.retry_after_s is None else ((b"retry-after", b"%d" % refusal.retry_after_s),)
        return Answer(refusal.status, (*kept.headers, length, *retry, *self._cors.get(origin, ())), body)


def _is_bearer(headers: Iterable[Header]) -> bool:
    return any(name == b"authorization" and value[:7].lower() == b"bearer " for name, value in headers)


def _too_old(answer: Answer, max_age_s: int, acr: bytes, *, bearer: bool) -> Answer:
    """RFC 9470, section 3: OAuth client libraries recognise it by the scheme that they sent."""
    scheme, wanted = b"Bearer" if bearer else b"Sekisho", b"more recent or stronger" if acr else b"more recent"
    value = (
        b'%b realm="login", error="insufficient_user_authentication", '
        b'error_description="A %b proof of identity is required", max_age="%d"' % (scheme, wanted, max_age_s)
    )
    value += b', acr_values="%b"' % acr if acr else b""
    return Answer(answer.status, _replaced(answer.headers, b"www-authenticate", value), answer.body)


def _with_members(answer: Answer, members: str) -> Answer:
    if (b"content-type", page.JSON_TYPE) not in answer.headers:
        return answer
    body = b"%b, %b}" % (answer.body[:-1], members.encode("utf-8", "replace"))
    return Answer(answer.status, _replaced(answer.headers, b"content-length", b"%d" % len(body)), body)


def _replaced(headers: tuple[Header, ...], wanted: bytes, value: bytes) -> tuple[Header, ...]:
    return tuple([(wanted, value) if line[0] == wanted else line for line in headers])


@lru_cache(maxsize=128)  # ten codes, a few statuses, two languages and two formats: all of them fit
def _kept(status: int, code: str, html: bool, language: str, text: str, brand: Brand = NO_BRAND) -> _Kept:
    content_type = page.HTML_TYPE if html else page.JSON_TYPE
    headers = [*_ALWAYS, (b"content-type", content_type), (b"content-language", language.encode())]
    if status == 401:  # it must name a scheme (RFC 9110 section 15.5.2); browsers show no password box for this one
        headers.append((b"www-authenticate", b'Sekisho realm="login"'))
    head, tail = page.page(code, language, text, brand) if html else (page.problem(status, code, language, text), b"}")
    return _Kept(tuple(headers), head, tail)


@lru_cache(maxsize=1024)  # waits are whole seconds and mostly short
def _waiting(seconds: int | None, html: bool, language: str) -> bytes:
    if seconds is None:
        return b""
    if html:
        return b"<p>%b</p>\n" % words.wait(seconds, language).encode()
    return b', "retry_after": %d' % seconds
