"""A real Chromium for tests: found or installed, never skipped.

A suite that skips without a browser passes on machines where no page was ever rendered.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Literal

import uvicorn
from playwright.async_api import async_playwright

from tests.servers import on_path_or_from_apt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from playwright.async_api import Browser, BrowserContext, Page

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_START_SECONDS_MAX = 60.0


def chromium() -> str:
    """The path of Chromium: `CHROMIUM`, the first on `PATH`, or installed by root. Raises `RuntimeError`."""
    return os.environ.get("CHROMIUM") or on_path_or_from_apt("Chromium", "chromium", _on_path)


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """A private browser, closed at the end."""
    async with async_playwright() as playwright:
        # Root has no user namespaces for the sandbox, and these tests visit loopback alone.
        browser = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


class RequestContext:
    """A page with all console complaints: errors, refused resources, broken scripts."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.context = context
        self.page = page
        self.complaints: list[str] = []
        page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in {"error", "warning"} else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))


@asynccontextmanager
async def visiting(browser: Browser, **options: Any) -> AsyncIterator[RequestContext]:
    """A fresh profile; `options` are those of Playwright's `new_context`."""
    context = await browser.new_context(**options)
    try:
        yield RequestContext(context, await context.new_page())
    finally:
        await context.close()


@contextmanager
def serving(
    app: Any, *, proxy_headers: bool = True, lifespan: Literal["auto", "on", "off"] = "off", port: int = 0
) -> Iterator[int]:
    """An ASGI application on loopback, in its own thread and loop; gives the port."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, ws="none", lifespan=lifespan, log_level="warning", proxy_headers=proxy_headers
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    ends = time.monotonic() + _START_SECONDS_MAX
    while not server.started:
        if time.monotonic() > ends or not thread.is_alive():
            raise RuntimeError("the test's own server did not start")
        time.sleep(0.01)  # uvicorn has no event for its start
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(_START_SECONDS_MAX)


def _on_path() -> str | None:
    return next((path for name in _NAMES if (path := shutil.which(name))), None)
