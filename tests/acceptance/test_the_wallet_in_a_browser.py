"""Every page of the wallet in a real browser: it fits a phone and a desk, and axe-core finds no barrier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from examples.wallet import pages
from examples.wallet.pages import Look
from tests.accessibility import barriers
from tests.browser import visiting

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser's path


def every_page(language: str) -> dict[str, str]:
    """One page of each kind, and of each state that changes its content."""
    look = Look(language)
    moves = [("top-up", "1000001", 30_000), ("payout", "1000001", 1_200)]
    return {
        "login": pages.login_page(look),
        "login_failed": pages.login_page(Look(language, "failed_login"), "basho@mail.test"),
        "signup": pages.signup_page(look),
        "reset": pages.reset_page(look),
        "confirm": pages.confirm_page(look, "token"),
        "notice": pages.notice_page(look, "sent"),
        "home": pages.home_page(look, "basho@mail.test", 28_800, ["1000001"], moves, "2026-01-01 09:00 UTC · Firefox"),
        "home_empty": pages.home_page(look, "basho@mail.test", 0, [], []),
        "link": pages.link_page(look),
        "top_up": pages.money_page(look, "/top-up", ["1000001"]),
        "payout_failed": pages.money_page(Look(language, "failed_money"), "/payout", ["1000001"]),
        "password": pages.password_page(look, "basho@mail.test"),
    }


@pytest.mark.parametrize(
    ("size", "scheme", "language"),
    [
        ((390, 844), "light", "en"),
        ((390, 844), "dark", "ja"),
        ((1280, 800), "dark", "en"),
        ((1280, 800), "light", "ja"),
    ],
    ids=["phone-light-en", "phone-dark-ja", "desk-dark-en", "desk-light-ja"],
)
async def test_every_page_fits_and_has_no_barrier(
    browser: Browser, size: tuple[int, int], scheme: Any, language: str
) -> None:
    """No sideways scrolling, no contrast that is too faint, a label for each field, targets that a thumb hits."""
    viewport: Any = {"width": size[0], "height": size[1]}
    async with visiting(browser, viewport=viewport, color_scheme=scheme) as visit:
        for name, page in every_page(language).items():
            await visit.page.set_content(page)
            wide = await visit.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert (name, wide, await barriers(visit.page)) == (name, 0, [])
        assert visit.complaints == []
