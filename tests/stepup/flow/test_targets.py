"""Protected routes and our own pages are found as doors are, in any spelling of a target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.asgi.driving import FORM, ask, http
from tests.stepup.flow.driving import STRANGE, Site, challenge

if TYPE_CHECKING:
    from tests.stepup.flow.conftest import Later

pytestmark = pytest.mark.usefixtures("later")


@pytest.fixture
async def site(later: Later) -> Site:
    made = Site()
    await made.enrol("1")
    return made


@pytest.mark.parametrize("path", ["pay", "x:pay", "./pay", "http://x/pa\ty"])
async def test_a_stray_target_opens_no_protected_route(site: Site, path: str) -> None:
    """`POST pay HTTP/1.1` is refused before any router sees it."""
    assert (await ask(site.guard, http(path), b"yen=1")).status == 400
    assert site.shop.saw == []


@pytest.mark.parametrize("path", ["http://x/pay", "/srvpay", "/x/../pay", "/pay#a", "//x/pay"])
async def test_other_spellings_of_a_protected_route_are_the_route(site: Site, path: str) -> None:
    """Other spellings of a protected route are refused without a session: nobody could prove anything."""
    root_path = "/srv" if path == "/srvpay" else ""
    asked = await ask(site.guard, http(path, root_path=root_path), b"yen=1")
    assert (asked.status, asked.code, site.shop.saw) == (401, "step_up_required", [])


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
async def test_a_body_that_nothing_announces_makes_it_the_protected_route(site: Site, method: str) -> None:
    """An HTTP/2 body without a length makes the request a protected one; without a body, viewing the page stays
    free.
    """
    look = http("/pay", method=method, headers=[], http_version="2")
    assert (await ask(site.guard, look, b"")).status == 200
    assert (await ask(site.guard, look, b"", b"yen=1")).status == 401
    assert len(site.shop.saw) == 1


@pytest.mark.parametrize(
    "path", ["/Sekisho/step-up", "//sekisho/step-up", "/x/../sekisho/step-up", "http://x/sekisho/step-up"]
)
async def test_our_own_pages_are_found_in_any_spelling(site: Site, path: str) -> None:
    """Our own pages are found in any spelling; the application would answer for them otherwise."""
    assert (await ask(site.guard, http(path), b"")).status == 410
    assert site.shop.saw == []


async def test_an_odd_way_to_a_page_of_ours_leads_nowhere_else(site: Site) -> None:
    """An odd root path leads nowhere else: it stands in our answers and must not name another host."""
    client = site.client()
    ticket = challenge(await client.log_in())
    body = f"challenge={ticket}&factor=totp&code={site.code()}".encode()
    cookies = "; ".join(f"{name}={value}" for name, value in client.jar.items()).encode()
    scope = http("//evil.example/sekisho/step-up", client=STRANGE, headers=[FORM, (b"cookie", cookies)])
    answered = await ask(site.guard, scope, body)
    assert (answered.status, answered.header(b"location")) == (303, b"/account")


async def test_the_holder_is_found_among_crumbs(site: Site) -> None:
    """The holder cookie is found on any of several header lines (RFC 9113 section 8.2.3)."""
    client = site.client()
    ticket = challenge(await client.log_in())
    crumbs = [(b"cookie", f"{name}={value}".encode()) for name, value in client.jar.items()]
    body = f"challenge={ticket}&factor=totp&code={site.code()}".encode()
    scope = http("/sekisho/step-up", client=STRANGE, headers=[FORM, *crumbs, (b"cookie", b"session=s")])
    assert (await ask(site.guard, scope, body)).status == 303
