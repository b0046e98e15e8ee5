"""Answers to clients: format, language and headers, with nothing that the client sent."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sekisho import answer
from sekisho.answer import negotiate
from sekisho.answer.render import _kept
from sekisho.answer.words import LANGUAGES, WORDS, wait
from sekisho.model.brand import Brand

REFUSALS = [
    answer.too_many_attempts(90),
    answer.challenge_required(),
    answer.step_up_required(),
    answer.contact_required(),
    answer.proof_failed(),
    answer.start_again(),
    answer.denied(),
    answer.unreadable_attempt(400),
    answer.unreadable_attempt(413),
    answer.unreadable_attempt(415),
    answer.breached_password(),
    answer.disposable_address(),
    answer.reset_requested(),
    answer.cap_reached(),
    answer.unavailable(2),
    answer.misconfigured("SEKISHO_MODE: is none of enforce, monitor, off"),
]
ORIGIN = b"https://app.example"
RENDERER = answer.Renderer(frozenset({ORIGIN}))
CHROME = b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

Headers = list[tuple[bytes, bytes]]
every_refusal = pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: f"{one.code}-{one.status}")
every_language = pytest.mark.parametrize("language", LANGUAGES)


def rendered(refusal: answer.Refusal, **headers: bytes) -> answer.Answer:
    return RENDERER.render(refusal, [(name.replace("_", "-").encode(), value) for name, value in headers.items()])


def header(given: answer.Answer, name: bytes) -> bytes | None:
    found = [value for other, value in given.headers if other == name]
    assert len(found) <= 1, f"{name!r} twice"
    return found[0] if found else None


@every_refusal
@every_language
def test_problem_documents_follow_the_standard(refusal: answer.Refusal, language: str) -> None:
    """Every refusal is a problem document (RFC 9457) with a stable code, in the requested language."""
    given_ = rendered(refusal, accept=b"application/json", accept_language=language.encode())
    body: dict[str, Any] = json.loads(given_.body)

    assert header(given_, b"content-type") == b"application/problem+json"
    assert (body["status"], body["code"]) == (given_.status, refusal.code)
    assert body["type"] == f"urn:problem-type:sekisho:{refusal.code}"
    assert body["title"] == WORDS[language][refusal.code].title
    assert body["detail"].startswith(WORDS[language][refusal.code].detail)
    assert body.get("retry_after") == refusal.retry_after_s
    assert set(body) <= {"type", "title", "status", "detail", "code", "retry_after"}


class _Page(HTMLParser):
    """Collects what a page would load or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


@every_refusal
@every_language
def test_pages_load_and_run_nothing(refusal: answer.Refusal, language: str) -> None:
    """A page names its language, has one heading, and has the one style that its policy names."""
    given_ = rendered(refusal, accept=CHROME, accept_language=language.encode())
    text = given_.body.decode()
    page = _Page(text)
    style = re.search(r"<style>(.*)</style>", text, re.DOTALL)

    assert header(given_, b"content-type") == b"text/html; charset=utf-8"
    assert ("lang", language) in page.attributes
    assert page.tags.count("h1") == 1
    assert not {"script", "img", "link", "form", "iframe", "a"}.intersection(page.tags)
    assert not {"src", "href", "style", "onclick", "onload"}.intersection(name for name, _ in page.attributes)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest())
    assert ("http-equiv", "Content-Security-Policy") in page.attributes
    assert any(
        name == "content" and value.startswith(f"default-src 'none'; style-src 'sha256-{digest.decode()}'")
        for name, value in page.attributes
        if value
    )
    assert text.index("Content-Security-Policy") < text.index("<style>")
    assert "color-scheme:light dark" in text
    assert '<meta name="viewport"' in text


def test_a_page_has_the_sites_look() -> None:
    """With a brand the page shows name and logo, and may load a picture of its own site; the rest is as without."""
    brand = Brand("Shop <&>", "#0b57c2", "#8ab8ff", "/static/logo.svg")
    headers = [(b"accept", CHROME)]
    with_brand = answer.Renderer(frozenset(), brand).render(answer.denied(), headers).body.decode()
    without = rendered(answer.denied(), accept=CHROME).body.decode()

    assert '<header><img src="/static/logo.svg" alt=""> Shop &lt;&amp;&gt;</header>' in with_brand
    assert "; img-src 'self'; base-uri 'none'; form-action 'none'" in with_brand
    assert "border-bottom:.25rem solid #0b57c2" in with_brand
    assert "@media(prefers-color-scheme:dark){header{border-color:#8ab8ff}}" in with_brand
    style = re.search(r"<style>(.*)</style>", with_brand, re.DOTALL)
    assert style is not None
    assert base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode() in with_brand
    assert "img-src" not in without
    assert "header" not in without


@every_refusal
@pytest.mark.parametrize("accept", [CHROME, b"*/*"])
def test_nothing_is_cached_sniffed_or_mistaken(refusal: answer.Refusal, accept: bytes) -> None:
    """Each answer forbids storing and sniffing, and states its length."""
    given_ = rendered(refusal, accept=accept)

    assert header(given_, b"cache-control") == b"no-store"
    assert header(given_, b"x-content-type-options") == b"nosniff"
    assert header(given_, b"content-language") == b"en"
    assert header(given_, b"content-length") == str(len(given_.body)).encode()
    retry = None if refusal.retry_after_s is None else str(refusal.retry_after_s).encode()
    assert header(given_, b"retry-after") == retry


@every_refusal
def test_every_401_names_a_scheme(refusal: answer.Refusal) -> None:
    """Every 401 names a scheme (RFC 9110), but not one for which a browser opens its password prompt."""
    scheme = header(rendered(refusal), b"www-authenticate")

    assert (scheme is not None) == (refusal.status == 401)
    assert not (scheme or b"").lower().startswith((b"basic", b"digest", b"negotiate", b"ntlm"))


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (b"", False),
        (b"*/*", False),
        (b"application/json", False),
        (CHROME, True),
        (b"text/html", True),
        (b"TEXT/HTML", True),
        (b"text/*", True),
        (b"text/html;q=0.5, application/json", False),
        (b"text/html, application/json;q=0.5", True),
        (b"text/html, application/problem+json", False),
        (b"text/html;level=1;q=0.9, */*;q=0.8", True),
        (b"text/html;q=0, */*", False),
        (b"text/html;q=nan, application/json;q=0.1", False),
        (b"text/html;q=2, application/json;q=0.1", False),
        (b"text/html;q=-1", False),
        (b"image/*", False),
        (b"text/*;q=0.6, */*;q=0.5", True),
        (b"a," * 8 + b"text/html", False),
        (b"text/*;q=0.1, */*;q=0.5, application/json;q=0.3", False),
        (b",,;;==q=", False),
    ],
)
def test_pages_are_for_those_who_prefer_them(accept: bytes, html: bool) -> None:
    """HTML is for clients that prefer it to JSON; ties and silence mean programs."""
    assert html is (header(rendered(answer.denied(), accept=accept), b"content-type") == b"text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("accept_language", "language"),
    [
        (b"", b"en"),
        (b"ja", b"ja"),
        (b"JA-jp", b"ja"),
        (b"ja-JP-u-ca-japanese", b"ja"),
        (b"ja,en-US;q=0.7,en;q=0.3", b"ja"),
        (b"en-GB,en;q=0.9,ja;q=0.8", b"en"),
        (b"en;q=0.1, ja;q=0.2", b"ja"),
        (b"ja;q=0.5, en;q=0.5", b"ja"),
        (b"fr, de;q=0.9", b"en"),
        (b"fr, ja;q=0.1", b"ja"),
        (b"*", b"en"),
        (b"en;q=0, *", b"ja"),
        (b"ja;q=0", b"en"),
        (b"ja;q=0, en;q=0", b"en"),
        (b"jav, enm", b"en"),
        (b"ja;q=banana", b"en"),
        (b"\xff\xfe\x00", b"en"),
    ],
)
def test_language_follows_the_preference(accept_language: bytes, language: bytes) -> None:
    """Japanese is used if preferred to English by quality, then by order; English if neither is named."""
    assert header(rendered(answer.denied(), accept_language=accept_language), b"content-language") == language


def test_a_configured_origin_may_read_the_refusal() -> None:
    """A single-page app at a configured origin can read the code and the waiting time."""
    given_ = rendered(answer.too_many_attempts(5), origin=ORIGIN)

    assert header(given_, b"access-control-allow-origin") == ORIGIN
    assert header(given_, b"access-control-allow-credentials") == b"true"
    assert header(given_, b"access-control-expose-headers") == (
        b"retry-after, sekisho-challenge, sekisho-device, sekisho-tie"
    )


@pytest.mark.parametrize(
    "origin",
    [
        b"https://evil.example",
        b"https://app.example.evil",
        b"https://app.example:443",
        b"http://app.example",
        b"null",
        b"*",
        b"",
    ],
)
def test_similar_origins_may_not_read_the_refusal(origin: bytes) -> None:
    """Similar origins get no CORS header."""
    assert not [name for name, _ in rendered(answer.denied(), origin=origin).headers if name.startswith(b"access-")]


def test_an_operators_text_is_escaped() -> None:
    """An operator's text in a settings error is escaped in HTML."""
    given_ = rendered(answer.misconfigured("SEKISHO_<script>alert(1)</script>: wrong"), accept=b"text/html")

    assert b"<script>" not in given_.body
    assert b"&lt;script&gt;" in given_.body


def test_an_operators_text_with_a_lone_surrogate_is_still_an_answer() -> None:
    """An operator's text with a lone surrogate still gives a 503."""
    refusal = answer.misconfigured("SEKISHO_\udcff: wrong")

    assert json.loads(rendered(refusal).body)["code"] == "misconfigured"
    assert rendered(refusal, accept=b"text/html").status == 503


HOSTILE = st.lists(
    st.tuples(
        st.sampled_from([b"accept", b"accept-language", b"origin", b"cookie", b"authorization", b"host", b"x-canary"]),
        st.one_of(
            st.binary(max_size=600),
            st.sampled_from([b"q=1;" * 300, b"a," * 5000, b"text/html;" + b"q=0." + b"9" * 5000, b"ja" + b"-x" * 9999]),
        ),
    ),
    max_size=12,
)


@given(headers=HOSTILE, which=st.sampled_from(REFUSALS))
@example(headers=[(b"accept", b"text/html;q=1.;"), (b"accept-language", b"*;q=0")], which=REFUSALS[0])
def test_what_a_stranger_sends_chooses_among_four_bodies_and_enters_none(
    headers: Headers, which: answer.Refusal
) -> None:
    """For any headers the body is one of four (two formats, two languages), so none holds the request's text."""
    bodies = {
        rendered(which, accept=accept, accept_language=language).body
        for accept in (CHROME, b"*/*")
        for language in (b"en", b"ja")
    }

    assert RENDERER.render(which, headers).body in bodies


@given(headers=HOSTILE)
def test_no_origin_but_a_configured_one_is_repeated(headers: Headers) -> None:
    """No answer header repeats the request, except a configured origin."""
    neutral = [(name, value) for name, value in headers if name != b"origin"]
    with_origin = RENDERER.render(answer.denied(), headers).headers

    assert set(with_origin) == set(RENDERER.render(answer.denied(), neutral).headers)


def test_negotiation_remembers_a_bounded_number_of_bounded_headers() -> None:
    """New Accept headers of strangers fill 512 short entries at most."""
    for number in range(2_000):
        rendered(answer.denied(), accept=b"%d" % number * 400, accept_language=b"%d" % number * 400)

    assert negotiate.prefers_html.cache_info().currsize <= 512
    assert negotiate.language.cache_info().currsize <= 512


def test_of_a_long_header_only_the_beginning_is_kept() -> None:
    """Of a long header 256 bytes are kept, so nobody makes us store kilobytes."""
    long = b"text/html, " + b"x" * 256
    rendered(answer.denied(), accept=long + b"a" * 9_999)
    before = negotiate.prefers_html.cache_info().misses
    rendered(answer.denied(), accept=long + b"b" * 9_999)

    assert before == negotiate.prefers_html.cache_info().misses


def test_parts_of_bodies_are_made_once() -> None:
    """Bodies' parts are made once, so a flood renders nothing again."""
    rendered(REFUSALS[0], accept=CHROME)
    before = _kept.cache_info().misses
    for seconds in range(1, 200):
        rendered(answer.too_many_attempts(seconds), accept=CHROME)

    assert before == _kept.cache_info().misses


def test_both_languages_have_every_code() -> None:
    """Every code has its own non-empty text in both languages."""
    assert set(WORDS) == set(LANGUAGES)
    assert set(WORDS["en"]) == set(WORDS["ja"]) == {refusal.code for refusal in REFUSALS}
    assert all(words.title and words.detail for language in WORDS.values() for words in language.values())
    assert not {words.detail for words in WORDS["en"].values()} & {words.detail for words in WORDS["ja"].values()}


@pytest.mark.parametrize(
    ("seconds", "english", "japanese"),
    [
        (1, "about 1 second.", "約1秒後"),
        (119, "about 119 seconds.", "約119秒後"),
        (120, "about 2 minutes.", "約2分後"),
        (121, "about 3 minutes.", "約3分後"),
        (7200, "about 2 hours.", "約2時間後"),
        (200_000, "about 3 days.", "約3日後"),
    ],
)
def test_waits_are_told_in_words_and_rounded_up(seconds: int, english: str, japanese: str) -> None:
    """Waits in words are rounded up, so a client that follows them is not refused again."""
    assert wait(seconds, "en").endswith(english)
    assert wait(seconds, "ja").startswith(japanese)


@given(st.integers(1, 3_000_000))
def test_words_never_promise_too_early(seconds: int) -> None:
    """Number and unit on the page are no less than the wait."""
    match = re.search(r"about (\d+) (second|minute|hour|day)s?\.", wait(seconds, "en"))
    assert match is not None
    assert int(match[1]) * {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}[match[2]] >= seconds


@pytest.mark.parametrize(
    ("authorization", "scheme"),
    [(b"", b"Sekisho"), (b"Bearer x", b"Bearer"), (b"bEARER x", b"Bearer"), (b"Basic eDp5", b"Sekisho")],
)
def test_a_proof_that_is_too_old_is_asked_for_as_the_standard_says(authorization: bytes, scheme: bytes) -> None:
    """A proof that is too old is asked for as in RFC 9470, under the client's own scheme."""
    given_ = rendered(answer.step_up_required(300), authorization=authorization)

    assert header(given_, b"www-authenticate") == (
        scheme + b' realm="login", error="insufficient_user_authentication", '
        b'error_description="A more recent proof of identity is required", max_age="300"'
    )


def test_members_of_one_answer_are_in_it_and_in_no_other() -> None:
    """Members of one answer, such as a ticket, are in no other."""
    before = RENDERER._answer.cache_info().currsize
    given_ = RENDERER.render(answer.step_up_required(), [], '"challenge": "ticket", "factors": ["totp"]')
    body = json.loads(given_.body)

    assert (body["challenge"], body["factors"], body["code"]) == ("ticket", ["totp"], "step_up_required")
    assert header(given_, b"content-length") == str(len(given_.body)).encode()
    assert b"ticket" not in rendered(answer.step_up_required()).body
    assert RENDERER._answer.cache_info().currsize <= before + 1


def test_pages_leave_members_out() -> None:
    """A page omits members, or has its own place for them."""
    page = RENDERER.render(answer.step_up_required(), [(b"accept", CHROME)], '"challenge": "ticket"')

    assert page == rendered(answer.step_up_required(), accept=CHROME)


def test_a_known_origin_may_call_with_its_visitors_cookies() -> None:
    """A preflight of a configured origin is allowed with cookies, and told the headers that it may send."""
    asks = [(b"origin", ORIGIN), (b"access-control-request-method", b"POST")]
    given_ = RENDERER.preflight(asks)

    assert given_ is not None
    assert given_.status == 204
    assert header(given_, b"access-control-allow-origin") == ORIGIN
    assert header(given_, b"access-control-allow-credentials") == b"true"
    assert header(given_, b"access-control-allow-headers") == (
        b"content-type, sekisho-challenge, sekisho-work, sekisho-captcha, sekisho-proof, sekisho-device, sekisho-tie, "
        b"authorization"
    )


@pytest.mark.parametrize(
    "asks",
    [
        [(b"origin", b"https://evil.example"), (b"access-control-request-method", b"POST")],
        [(b"access-control-request-method", b"POST")],
        [(b"origin", ORIGIN)],
        [(b"origin", ORIGIN), (b"origin", ORIGIN), (b"access-control-request-method", b"POST")],
        [(b"origin", b""), (b"access-control-request-method", b"POST")],
    ],
)
def test_other_origins_get_no_preflight_answer(asks: Headers) -> None:
    """Other origins, and requests that are no preflight, are not answered here."""
    assert RENDERER.preflight(asks) is None


def test_answers_that_are_no_refusals_have_the_same_origins() -> None:
    """Answers other than refusals have the same CORS headers, so a configured origin can read them."""
    assert dict(RENDERER.cors([(b"origin", ORIGIN)]))[b"access-control-allow-origin"] == ORIGIN
    assert RENDERER.cors([(b"origin", b"https://evil.example")]) == ()


def test_what_a_request_prefers_is_read_as_for_refusals() -> None:
    """Format and language are chosen for pages as for refusals."""
    asks = [(b"accept", CHROME), (b"accept-language", b"ja")]

    assert answer.prefers_page(asks)
    assert answer.language_of(asks) == "ja"
    assert not answer.prefers_page([])
    assert answer.language_of([]) == "en"
