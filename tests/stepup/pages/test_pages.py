"""The pages as text: their policy, their words, and that no outside text can become markup."""

from __future__ import annotations

import json
import re
from hashlib import blake2b
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.model.brand import Brand
from sekisho.stepup.pages import ListedFactor, Page, Pages
from sekisho.stepup.pages.cut import escaped, json_in_attribute
from sekisho.stepup.pages.words import WORDS
from tests.stepup.pages.site import FACTORS, NONCE, OFFER, TICKET, every_page

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = Pages("/sekisho", "Shop", "Bank")
EVERY = [
    pytest.param(page, id=f"{name}-{language}")
    for language in WORDS
    for name, page in every_page(PAGES, language).items()
]
LINKED = {
    page.body for language in WORDS for name, page in every_page(PAGES, language).items() if name.startswith("notice")
}
RETURNED = {every_page(PAGES, language)["returned"].body for language in WORDS}
HOSTILE = "\"'><script>alert(1)</script>&<!--"
VOID = {"meta", "input", "br", "link", "img"}


class Read(HTMLParser):
    """Collects every element with its attributes; raises on a wrongly closed one."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(body.decode())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs))
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def all(self, *tags: str) -> Iterator[dict[str, str | None]]:
        return (attributes for tag, attributes in self.elements if tag in tags)


def policy(page: Page) -> dict[str, str]:
    text = dict(page.headers)[b"content-security-policy"].decode()
    return dict(part.split(" ", 1) for part in text.split("; "))


@pytest.mark.parametrize("page", EVERY)
def test_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    """Every address in a page is a path of our own mount."""
    for _, attributes in Read(page.body).elements:
        for name in ("src", "href", "action", "data-options"):
            if (address := attributes.get(name)) is not None:
                assert address.startswith("/sekisho/")
    assert set(re.findall(rb"https?:[^\"' ]+", page.body)) <= {b"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("page", EVERY)
def test_the_policy_lets_in_what_carries_the_nonce_and_nothing_else(page: Page) -> None:
    """The policy allows what carries the nonce alone: no inline handler and no style attribute."""
    read, allowed = Read(page.body), policy(page)
    assert allowed["default-src"] == allowed["base-uri"] == allowed["frame-ancestors"] == "'none'"
    assert allowed["style-src"] == f"'nonce-{NONCE}'"
    assert allowed.get("script-src", f"'nonce-{NONCE}'") == f"'nonce-{NONCE}'"
    assert {one["nonce"] for one in read.all("script", "link")} == {NONCE}
    assert not any(read.all("style"))
    assert ("script-src" in allowed) == any(read.all("script"))
    assert ("connect-src" in allowed) == any("data-options" in attributes for _, attributes in read.elements)
    for _, attributes in read.elements:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


@pytest.mark.parametrize("page", EVERY)
def test_style_and_script_are_files_named_by_their_content(page: Page) -> None:
    """Pages load one style sheet and at most one script, each under a name that changes with its content."""
    read = Read(page.body)
    assert [one["href"] for one in read.all("link")] == [f"/sekisho{PAGES.style.path}"]
    assert {one["src"] for one in read.all("script")} <= {f"/sekisho{PAGES.script.path}"}
    for file in (PAGES.style, PAGES.script):
        assert blake2b(file.body, digest_size=8).hexdigest() in file.path
    assert len(page.body) < 9_500


@pytest.mark.parametrize("page", EVERY)
def test_pages_are_accessible(page: Page) -> None:
    """Pages are accessible: one heading, a language, labels for fields, names for buttons, unique ids."""
    read = Read(page.body)
    assert len(list(read.all("h1"))) == 1
    assert next(read.all("html"))["lang"] in WORDS
    labelled = {one["for"] for one in read.all("label")}
    fields = {one["id"] for one in read.all("input", "progress") if one.get("type") != "hidden"}
    assert labelled == fields
    ids = [one["id"] for _, one in read.elements if "id" in one]
    assert len(ids) == len(set(ids))
    named = {
        name
        for _, one in read.elements
        for key in ("aria-labelledby", "aria-describedby")
        for name in (one.get(key) or "").split()
    }
    assert named <= set(ids)


@pytest.mark.parametrize("page", EVERY)
def test_a_page_is_nobody_elses(page: Page) -> None:
    """Pages are not cached and leak no referrer to other sites; forms still send their origin. The page that a letter
    links to sends no referrer at all, and the one that a provider sends browsers back to sends no address.
    """
    headers = dict(page.headers)
    assert headers[b"cache-control"] == b"no-store"
    said = b"no-referrer" if page.body in LINKED else b"strict-origin" if page.body in RETURNED else b"same-origin"
    assert headers[b"referrer-policy"] == said
    assert headers[b"content-type"] == b"text/html; charset=utf-8"
    assert headers[b"x-content-type-options"] == b"nosniff"


def test_pages_have_the_sites_look() -> None:
    """Every page shows the logo, and may load pictures of its own site alone; the style sheet ends with the colours."""
    plain = every_page(PAGES, "en")
    pages = Pages("/sekisho", "Shop", "Bank", Brand("Shop", "#7a1fa2", "#ffd54f", "/static/logo.svg"))
    for name, page in every_page(pages, "en").items():
        assert [(one["src"], one["alt"]) for one in Read(page.body).all("img")] == [("/static/logo.svg", "")]
        assert policy(page) == {**policy(plain[name]), "img-src": "'self'"}
        assert "img-src" not in policy(plain[name])
    assert pages.style.path != PAGES.style.path
    assert pages.style.body.decode().removeprefix(PAGES.style.body.decode()).splitlines() == [
        "@media (prefers-color-scheme: light) { :root { --act: #7a1fa2; --on-act: #ffffff; } }",
        "@media (prefers-color-scheme: dark) { :root { --act: #ffd54f; --on-act: #000000; } }",
    ]


def test_what_comes_from_outside_stays_text() -> None:
    """Labels, tickets, carried texts and the service's name stay text and open no element."""
    plain, hostile = (_filled(Pages("/sekisho", text, text), text) for text in ("x", HOSTILE))
    for name, page in plain.items():
        assert [tag for tag, _ in Read(hostile[name].body).elements] == [tag for tag, _ in Read(page.body).elements]
        assert b"<script>alert" not in hostile[name].body


@pytest.mark.parametrize(
    ("sign", "in_text", "in_json"),
    [
        ("&", b"&amp;", rb"\u0026"),
        ("<", b"&lt;", rb"\u003c"),
        (">", b"&gt;", rb"\u003e"),
        ("'", b"&#39;", rb"\u0027"),
        ('"', b"&#34;", b'"'),
    ],
)
def test_each_sign_is_escaped_alone(sign: str, in_text: bytes, in_json: bytes) -> None:
    """Each sign is escaped where it is the only one: one that is not searched for would open an element."""
    assert escaped(f"a{sign}b{sign}") == b"a" + in_text + b"b" + in_text
    assert json_in_attribute(f"a{sign}b{sign}") == b"a" + in_json + b"b" + in_json
    assert escaped("é\ud800") == "é?".encode()


def _filled(pages: Pages, text: str) -> dict[str, Page]:
    offer: Any = type("Offer", (), {"secret_text": text, "qr_svg": OFFER.qr_svg, "state": text})()
    enrolments = [ListedFactor("0" * 32, "totp", text, 1)]
    puzzle = json.dumps({"parameters": {"nonce": text}, "signature": text})
    return {
        "step_up": pages.step_up("en", challenge=text, factors=FACTORS, form=text, nonce=NONCE),
        "work": pages.work("en", form=text, work=puzzle, nonce=NONCE),
        "captcha": pages.work("en", form=text, captcha={"provider": "hcaptcha", "sitekey": text}, nonce=NONCE),
        "manage": pages.manage("en", enrolments=enrolments, token=text, factors=FACTORS, nonce=NONCE),
        "returned": pages.returned("en", path="/step-up", fields={"code": text}, nonce=NONCE),
        "totp": pages.totp("en", offer=offer, token=text, nonce=NONCE),
        "recovery": pages.recovery("en", codes=[text], nonce=NONCE),
    }


@pytest.mark.parametrize("language", WORDS)
@pytest.mark.parametrize("chosen", FACTORS)
def test_tickets_of_one_length_make_pages_of_one_length(language: str, chosen: str) -> None:
    """Pages have one length for tickets of one length, so the sealed account does not show."""
    lengths = {
        len(PAGES.step_up(language, challenge=ticket, factors=FACTORS, failed=True, chosen=chosen, nonce=nonce).body)
        for ticket, nonce in [(TICKET, NONCE), ("A" * len(TICKET), NONCE), ("_" * len(TICKET), NONCE[::-1])]
    }
    assert len(lengths) == 1


def test_all_languages_say_all_there_is() -> None:
    """Every language has every key: a missing one would be an error page at a log-in."""
    assert {frozenset(words) for words in WORDS.values()} == {frozenset(WORDS["en"])}
    assert all(text for words in WORDS.values() for text in words.values())


def test_an_unknown_language_is_english() -> None:
    """An unknown language falls back to English."""
    page = PAGES.message("tlh", code="start_again", nonce=NONCE)
    assert page == PAGES.message("en", code="start_again", nonce=NONCE)
    assert b"Please start again" in page.body
    assert "最初からやり直してください".encode() in PAGES.message("ja", code="start_again", nonce=NONCE).body


@pytest.mark.parametrize(
    ("factors", "more"),
    [(("totp", "recovery"), ()), (("email",), ()), (FACTORS, ("lost",)), (("totp", "email"), ("lost",))],
)
def test_the_sites_factors_stand_in_its_order(factors: tuple[str, ...], more: tuple[str, ...]) -> None:
    """All factors of the site are shown in its order, the first one open, for every account; then what to do if one is
    lost, where a code can be sent for it.
    """
    read = Read(PAGES.step_up("en", challenge=TICKET, factors=factors, nonce=NONCE).body)
    shown = dict.fromkeys(one["value"] for one in read.all("input") if one.get("name") == "factor")
    assert tuple(shown) == (*factors, *more)
    assert ["open" in one for one in read.all("details")] == [True] + [False] * (len(shown) - 1)


def test_the_factor_used_last_stays_open() -> None:
    """After a wrong code its factor is open and its field marked; for a factor that the site lacks it is the first."""
    for chosen, opened in (("email", 3), ("smoke", 0)):
        body = PAGES.step_up("en", challenge=TICKET, factors=FACTORS, failed=True, chosen=chosen, nonce=NONCE).body
        assert [index for index, one in enumerate(Read(body).all("details")) if "open" in one] == [opened]


def test_codes_can_be_filled_in_by_the_phone() -> None:
    """Phones can fill in a code, or offer a passkey there, and show a digit keyboard; a recovery code has letters."""
    fields = {one["id"]: one for one in Read(every_page(PAGES, "en")["step_up"].body).all("input") if "id" in one}
    for name in ("code-totp", "code-email", "code-webhook"):
        assert (fields[name]["autocomplete"], fields[name]["inputmode"]) == ("one-time-code webauthn", "numeric")
    assert (fields["code-recovery"]["autocomplete"], "inputmode" in fields["code-recovery"]) == ("off", False)


def test_the_sealed_form_is_carried_where_there_is_one() -> None:
    """Every form of the page carries the sealed form, whichever factor is chosen."""
    carried = Read(every_page(PAGES, "en")["step_up_sent"].body)
    assert len([one for one in carried.all("input") if one.get("name") == "form"]) == len(list(carried.all("form")))
    assert not [one for one in Read(every_page(PAGES, "en")["step_up"].body).all("input") if one.get("name") == "form"]


@pytest.mark.parametrize(
    ("provider", "element", "script", "host"),
    [
        ("turnstile", "cf-turnstile", "https://challenges.cloudflare.com/turnstile/v0/api.js", "cloudflare.com"),
        ("hcaptcha", "h-captcha", "https://js.hcaptcha.com/1/api.js", "hcaptcha.com"),
    ],
)
def test_a_captcha_opens_the_policy_to_its_own_host(provider: str, element: str, script: str, host: str) -> None:
    """A captcha opens the policy to its own host alone, on the page that shows it."""
    page = PAGES.work("en", form="x", captcha={"provider": provider, "sitekey": "key"}, nonce=NONCE)
    read = Read(page.body)
    assert [one["data-sitekey"] for one in read.all("div") if one.get("class") == element] == ["key"]
    assert [one["src"] for one in read.all("script")] == [script, f"/sekisho{PAGES.script.path}"]
    hosts = set(
        re.findall(r"https://\S+?(?=;|\s|$)", "; ".join(policy(page)[name] for name in ("script-src", "frame-src")))
    )
    assert hosts
    assert all(one.endswith(host) for one in hosts)


def test_an_unknown_captcha_is_an_error() -> None:
    """An unknown captcha is an error instead of a page that cannot be passed."""
    with pytest.raises(KeyError, match="smoke"):
        PAGES.work("en", form="x", captcha={"provider": "smoke", "sitekey": "key"}, nonce=NONCE)


@pytest.mark.parametrize(("notice", "role"), [("added", "status"), ("removed", "status"), ("failed", "alert")])
def test_success_is_announced_politely_and_failure_at_once(notice: str, role: str) -> None:
    """Success is announced politely, failure at once."""
    page = PAGES.manage("en", enrolments=(), token="t", factors=FACTORS, notice=notice, nonce=NONCE)
    assert f'role="{role}">{WORDS["en"][f"notice_{notice}"]}'.encode() in page.body


def test_a_refusal_without_words_is_an_error() -> None:
    """A refusal code without a text is an error, for tests to find."""
    with pytest.raises(KeyError, match="smoke"):
        PAGES.message("en", code="smoke", nonce=NONCE)


@pytest.mark.parametrize("language", WORDS)
def test_a_kept_page_says_what_this_request_brought(language: str) -> None:
    """Row 13.3: a page is rendered once and filled per request: it shows nothing of the last one and no markup."""
    warm = Pages("/sekisho", "Shop")
    for number in range(3):
        given: dict[str, Any] = {
            "challenge": f"{number}{HOSTILE}",
            "factors": FACTORS,
            "form": f"form{number}{HOSTILE}",
        }
        work = json.dumps({"parameters": {"nonce": f"{number}{HOSTILE}"}})
        for pages in (warm, Pages("/sekisho", "Shop")):
            page = pages.step_up(language, nonce=f"n{number}", **given)
            values = {each.get("name"): each.get("value") for each in Read(page.body).all("input")}
            assert (values["challenge"], values["form"]) == (given["challenge"], given["form"])
            assert f"'nonce-n{number}'" in policy(page)["script-src"]
            asked = pages.work(language, form=given["form"], work=work, nonce=f"n{number}")
            (form,) = [each for each in Read(asked.body).all("form") if "data-work" in each]
            assert json.loads(form["data-work"] or "") == json.loads(work)
        assert warm.step_up(language, nonce=f"n{number}", **given) == page
        assert warm.work(language, form=given["form"], work=work, nonce=f"n{number}") == asked


def test_a_mark_that_is_sent_is_no_mark() -> None:
    """Row 13.3: inserted text that looks like a placeholder is not replaced."""
    page = PAGES.step_up("en", challenge="\0nonce\0", factors=FACTORS, nonce=NONCE)

    assert b'name="challenge" value="\0nonce\0"' in page.body


@pytest.mark.parametrize(("language", "said"), [("en", "Firefox on Windows"), ("ja", "Firefox（Windows）")])
def test_a_browser_is_named_in_the_pages_language(language: str, said: str) -> None:
    """An owner who reads no English recognises their log-ins."""
    shown = every_page(Pages("/sekisho", "Shop"), language)["activity"].body.decode()

    assert said in shown
    assert (" on " in shown) is (language == "en")
