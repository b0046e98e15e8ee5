"""A real browser is redirected to the provider and back: cookies, policies and redirects are the browser's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser import serving, visiting
from tests.stepup.flow.driving import Site
from tests.stepup.oidc.provider import Manner, provider
from tests.stepup.oidc.test_factor import MOUNT, connected, settings
from tests.talking import CERTIFICATE

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

    from sekisho.asgi.types import Receive, Scope, Send

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser's path

FORM = """document.body.innerHTML = `<form method="post" action="/login">
  <input name="username" value="hana"><input name="password" value="right"><button>Log in</button></form>`"""


async def log_in(page: Page, origin: str) -> None:
    """Send the application's form, and choose the bank on the page that asks for a proof."""
    await page.goto(f"{origin}/form")
    await page.evaluate(FORM)
    await page.click("button")
    await page.click("button:has-text('Continue at Bank & Co')")


@pytest.mark.parametrize("error", ["", "access_denied"])
async def test_a_browser_goes_to_the_bank_and_comes_back(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    """The log-in ends on the application's own page; a log-in that the owner declines there ends where it began."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    sites: list[Site] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await sites[0].guard(scope, receive, send)

    async with provider(Manner(error=error)) as bank:
        with serving(app) as port:
            origin = f"http://localhost:{port}"
            sites.append(Site(settings=settings(bank, pages_url=f"{origin}{MOUNT}")))
            await connected(sites[0], bank)
            async with visiting(browser, ignore_https_errors=True) as visit:
                await log_in(visit.page, origin)
                if error:
                    await visit.page.locator("[role=alert]", has_text="did not").wait_for()
                    assert await visit.page.inner_text("h1") == "Confirm it’s you"
                else:
                    await visit.page.wait_for_url(f"{origin}/account")
                    assert await visit.page.inner_text("body") == "hana"
                assert [said for said in visit.complaints if "401" not in said] == []
        assert sum(path.startswith("GET /authorize?") for path in bank.seen) == 1
