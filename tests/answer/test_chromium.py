"""Every refusal in a real browser, under its own policy: it fits, has the site's look, and no barrier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sekisho.answer.page import page
from sekisho.answer.words import WORDS
from sekisho.model.brand import NO_BRAND, Brand
from tests.accessibility import barriers
from tests.browser import serving, visiting

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from sekisho.asgi.types import Receive, Scope, Send

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser's path

LOGO = b'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30"><path d="M0 0h90v30z"/></svg>'
BRANDS = {"plain": NO_BRAND, "brand": Brand("Shop <&>", "#0b57c2", "#8ab8ff", "/static/logo.svg")}


async def site(scope: Scope, _receive: Receive, send: Send) -> None:
    """Serves `/BRAND/LANGUAGE/CODE`; pictures elsewhere."""
    content_type, body = b"image/svg+xml", LOGO
    if not scope["path"].endswith((".svg", ".ico")):
        brand, language, code = scope["path"].strip("/").split("/")
        content_type, body = b"text/html; charset=utf-8", b"".join(page(code, language, "", BRANDS[brand]))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", content_type)]})
    await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize(
    ("brand", "language", "scheme", "width"), [("plain", "ja", "dark", 390), ("brand", "en", "light", 1280)]
)
async def test_every_refusal_fits_and_has_no_barrier(
    browser: Browser, brand: str, language: str, scheme: Any, width: int
) -> None:
    """Its style is let in by the policy's hash, and so is a picture of its own site; nothing is complained of."""
    viewport: Any = {"width": width, "height": 800}
    with serving(site) as port:
        async with visiting(browser, viewport=viewport, color_scheme=scheme) as visit:
            for code in WORDS[language]:
                await visit.page.goto(f"http://localhost:{port}/{brand}/{language}/{code}")
                wide = await visit.page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert (code, wide, await barriers(visit.page)) == (code, 0, [])
                assert await visit.page.evaluate("getComputedStyle(document.body).display") == "grid"
            logo = await visit.page.evaluate("document.querySelector('header img')?.naturalWidth ?? 0")
            assert logo == (90 if brand == "brand" else 0)
        assert visit.complaints == []
