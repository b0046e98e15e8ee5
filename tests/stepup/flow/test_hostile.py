"""Hostile input to our own pages, from strangers or from other sites in an owner's browser, is refused without an
error.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.stepup.flow.form import form_fields
from tests.stepup.flow.driving import JSON, STEP, Site, challenge

if TYPE_CHECKING:
    from tests.asgi.driving import Answer
    from tests.stepup.flow.conftest import Later

PAGE = "/sekisho/factors"
TIE = "__Host-sekisho-tie"
ROUTES = (
    "/sekisho/continue",
    STEP,
    f"{STEP}/options",
    f"{STEP}/send",
    *(f"{PAGE}{path}" for path in ("/totp", "/totp/confirm", "/webauthn/options", "/webauthn", "/recovery", "/remove")),
)
FIELDS = ("challenge", "factor", "code", "credential", "form", "work", "captcha", "token", "state", "label", "id")
FACTORS = ("totp", "webauthn", "recovery")


@pytest.fixture
async def site(later: Later) -> Site:
    made = Site(
        settings={
            "factors": "webauthn,totp",
            "passkey_domain": "shop.test",
            "challenges": "pow",
            "origins": "https://app.example",
        }
    )
    await made.enrol("1")
    return made


# Texts that JSON can express and later steps cannot take, as they stand in a body.
SPELLINGS = {
    "a lone surrogate": r'"\ud800"',
    "a lone surrogate within": r'{"id": "\udfff", "response": {"clientDataJSON": "\ud800"}}',
    "a lone surrogate as a name": r'{"\ud800": 1}',
    "a pair of them": r'"\ud83d\ude00"',
    "NUL": r'"\u0000"',
    "no ASCII": '"é１２３４５６７８ﷺ"',
    "half of base64": '"AAAAA"',
    "a number": "1e999",
    "a very long number": "1" * 5_000,
    "a list": "[[[]]]",
    "deep": "[" * 40_000 + "]" * 40_000,
    "nothing": "null",
    "a passkey of nonsense": '{"id": "x", "rawId": 1, "type": "public-key", "response": {"clientDataJSON": "é"}}',
}


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_text_in_any_field_breaks_anything(site: Site, spelling: str) -> None:
    """No text in any field causes an error: it is refused with a fitting status, with and without a valid ticket or
    token.
    """
    client = await site.logged_in()
    token = json.loads((await client.send(PAGE, method="GET", headers=())).body)["token"]
    stranger = site.client()
    ticket = challenge(await stranger.log_in())
    for path in ROUTES:
        who, sent = (client, {"token": token}) if path.startswith(PAGE) else (stranger, {"challenge": ticket})
        for name in FIELDS:
            for factor in FACTORS if name in {"code", "credential"} and path == STEP else ("totp",):
                members = {**sent, "factor": factor, name: "HERE"}
                body = json.dumps(members).replace('"HERE"', SPELLINGS[spelling])
                found = await who.send(path, body.encode(), headers=[JSON])
                assert found.status in {200, 202, 400, 401, 409, 410}, (path, name, factor, found.status)
        answer = await who.send(path, json.dumps({"HERE": 1}).replace('"HERE"', r'"\ud800"').encode(), headers=[JSON])
        assert answer.status == 400, path


@pytest.mark.parametrize("value", [b"\xff\xfe", b"\x00", b"e30=", b"AAAAA", b"\xef\xbc\x91" * 20, b"x" * 9_000])
async def test_no_bytes_in_any_header_of_ours_break_anything(site: Site, value: bytes) -> None:
    """No bytes in our headers and cookies cause an error, at doors and at our pages."""
    for name in (b"work", b"captcha", b"proof", b"challenge", b"device", b"tie"):
        for path, method in (("/login", "POST"), ("/pay", "POST"), (PAGE, "GET"), (STEP, "POST")):
            client = site.client(headers=[(b"sekisho-" + name, value)])
            found = await client.send(path, urlencode({"username": "hana", "password": "no"}).encode(), method=method)
            assert found.status in {401, 410, 429}, (name, path)
    for cookie in (TIE, "__Host-sekisho-step", "__Host-sekisho"):
        client = site.client(headers=[(b"cookie", cookie.encode() + b"=" + value)])
        assert (await client.send(PAGE, method="GET", headers=())).status == 401


async def test_a_form_that_is_no_utf_8_is_refused(site: Site) -> None:
    """A form that is not UTF-8 is refused; invalid bytes are not replaced."""
    for body in (b"code=%FF", b"code=\xff", b"%ED%A0%80=1"):
        assert (await site.client().send(STEP, body)).status == 400


# Other sites.

ELSEWHERE = [(b"origin", b"https://evil.example"), (b"host", b"shop.test")]
FOREIGN = {
    "cross-site": [(b"sec-fetch-site", b"cross-site"), *ELSEWHERE],
    "a subdomain": [(b"sec-fetch-site", b"same-site"), (b"origin", b"https://blog.shop.test"), (b"host", b"shop.test")],
    "without a word of it": ELSEWHERE,
    "null": [(b"origin", b"null"), (b"host", b"shop.test")],
    "a port": [(b"origin", b"https://shop.test:8443"), (b"host", b"shop.test")],
    "no host": [(b"origin", b"https://")],
    "no URL": [(b"origin", b"https://[\xff"), (b"host", b"shop.test")],
}
OURS = {
    "same-origin": [(b"sec-fetch-site", b"same-origin"), (b"origin", b"null"), (b"host", b"internal:8000")],
    "typed": [(b"sec-fetch-site", b"none")],
    "an older browser": [(b"origin", b"https://Shop.test"), (b"host", b"shop.TEST")],
    "a program": [],
    "a named origin": [
        (b"sec-fetch-site", b"cross-site"),
        (b"sec-fetch-mode", b"cors"),
        (b"origin", b"https://app.example"),
        (b"host", b"shop.test"),
    ],
}


@pytest.mark.parametrize("foreign", FOREIGN)
async def test_a_post_of_another_site_changes_nothing(
    site: Site, foreign: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A cross-site POST comes without cookies; its answer sets none, so session binding and step-up stay as they
    are.
    """
    client = await site.logged_in()
    stranger = site.client()
    ticket = challenge(await stranger.log_in())
    before = dict(client.jar), dict(stranger.jar)
    for path in ROUTES:
        refused = await _posted_elsewhere(site, path, foreign)
        assert (refused.status, refused.all(b"set-cookie")) == (403, []), path

    assert (client.jar, stranger.jar) == before
    assert (await client.send(PAGE, method="GET", headers=())).status == 200
    assert (await stranger.show(ticket, site.code())).status == 303
    said = [line for line in caplog.messages if "came from another site" in line]
    assert len(said) == 2  # the first of them, and the tenth


async def _posted_elsewhere(site: Site, path: str, foreign: str) -> Answer:
    """A form posted by another site's page, in a browser that withholds our cookies."""
    browser = site.client(headers=FOREIGN[foreign])
    return await browser.send(path, urlencode({"factor": "totp"}).encode(), accept=b"text/html")


@pytest.mark.parametrize("ours", OURS)
async def test_our_own_pages_programs_and_named_origins_go_on(site: Site, ours: str) -> None:
    """Our own pages, programs and named origins go on: Fetch metadata decides first, as a proxy may rewrite the
    host.
    """
    client = site.client(headers=OURS[ours])
    ticket = challenge(await client.log_in())
    assert (await client.show(ticket, site.code())).status == 303


FORM_PIECES = ["a", "=", "&", "+", "%", "%41", "%zz", "%C3%A9", "%ff", "%00", "%26", "é", ";", "challenge"]


@given(st.lists(st.sampled_from(FORM_PIECES)).map("".join))
def test_forms_are_read_as_the_standard_library_does(text: str) -> None:
    """Our pages' forms are read as `parse_qsl` reads them, or refused as by it."""
    body = text.encode()
    try:
        found = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=16, errors="strict"))
    except ValueError:
        found = {}
    assert form_fields(body) == found


@pytest.mark.parametrize("body", [b"challenge=" + b"%" * 60_000, b"&" * 60_000, b"a=b&" * 17, b"a=" + b"%41" * 20_000])
def test_forms_that_take_long_to_read_are_refused(body: bytes) -> None:
    """Row 128: 64 KiB of `%` once took ten milliseconds; more escapes than any page of ours sends are refused."""
    assert form_fields(body) == {}
    assert form_fields(b"challenge=" + b"A%2B" * 16_000) == {"challenge": "A+" * 16_000}
