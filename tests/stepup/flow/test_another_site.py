"""A front end on another site than its API gets cookies of its own, which browsers also send from that site's pages."""

from __future__ import annotations

import json

import pytest

from tests.stepup.flow.driving import Site

ORIGIN = b"https://app.example"
THERE = [(b"origin", ORIGIN), (b"sec-fetch-site", b"cross-site"), (b"sec-fetch-mode", b"cors")]


@pytest.fixture
async def site() -> Site:
    made = Site(settings={"origins": ORIGIN.decode(), "login": "POST /login success=303:/account"})
    await made.enrol()
    return made


async def lines_of(site: Site, headers: list[tuple[bytes, bytes]]) -> list[bytes]:
    """Our cookies as they are set on the way to a session, and by a later log-in of the device that is then known."""
    client = site.client(headers=headers)
    asked = await client.log_in()
    shown = await client.show(json.loads(asked.body)["challenge"], site.code())
    again = await client.log_in()
    assert (shown.status, again.status) == (303, 303)
    found = [line for one in (asked, shown, again) for line in one.all(b"set-cookie")]
    return [line for line in found if line.startswith((b"__Host-sekisho=", b"__Host-sekisho-step="))]


async def test_a_named_origin_on_another_site_gets_partitioned_cookies(site: Site) -> None:
    """A named origin on another site gets partitioned cookies: browsers drop `Lax` ones, and each step-up would start
    again.
    """
    lines = await lines_of(site, THERE)
    assert len(lines) == 4
    assert all(line.endswith(b"; Secure; HttpOnly; SameSite=None; Partitioned") for line in lines)


@pytest.mark.parametrize("headers", [[], [(b"origin", ORIGIN), (b"sec-fetch-site", b"same-site")]])
async def test_everybody_else_gets_cookies_that_no_other_site_sends(
    site: Site, headers: list[tuple[bytes, bytes]]
) -> None:
    """Pages of the service and origins of the same site get cookies that no other site can have sent."""
    lines = await lines_of(site, headers)
    assert len(lines) == 4
    assert all(line.endswith(b"; Secure; HttpOnly; SameSite=Lax") for line in lines)


async def test_an_origin_that_nobody_named_gets_none_of_these(site: Site) -> None:
    """An unnamed origin gets no cookies: any page could plant a holder key in browsers without partitions."""
    headers = [(b"origin", b"https://evil.example"), *THERE[1:]]
    asked = await site.client(headers=headers).log_in()
    assert all(b"SameSite=None" not in line for line in asked.all(b"set-cookie"))


async def test_named_origins_are_told_at_the_start_what_their_cookies_need(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """The start-up log says that the application's own session cookie must be sent from that site as well."""
    await site.client().log_in()
    assert "SEKISHO_ORIGINS" in caplog.text
