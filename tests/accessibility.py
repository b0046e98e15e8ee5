"""Barriers of a page, as axe-core finds them: WCAG 2.2 A and AA, the size of targets included."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.async_api import Page

AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
OPTIONS: dict[str, Any] = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "rules": {"target-size": {"enabled": True}},
    "resultTypes": ["violations"],
}


async def barriers(page: Page) -> list[str]:
    """The rules that the page breaks, each with the element."""
    await page.evaluate(AXE)
    found = await page.evaluate("(options) => axe.run(document, options)", OPTIONS)
    return [f"{rule['id']}: {node['html']}" for rule in found["violations"] for node in rule["nodes"]]
