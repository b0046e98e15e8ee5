"""The console in a real browser: what it shows, its key, and text of clients that must stay text."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

from sekisho.record import Event, Subject
from tests.accessibility import barriers
from tests.browser import serving, visiting
from tests.console.serving import KEY, NOON_S, Told, console

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

    from sekisho.console import Console
    from tests.browser import RequestContext

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser's path

DOOR = "POST /login"
SCRIPT = "<img src=x onerror=\"document.title='owned'\">"
DIGEST = "a1" * 16
CAMPAIGN = {
    "name": "c-922b76", "first": NOON_S - 600, "last": NOON_S, "addresses": 31, "networks": 2, "accounts": 640,
    "attempts": 1_204, "shared": [], "entered": [DIGEST, DIGEST], "proved": 0, "passwords_known": 3,
}  # fmt: skip
ALARM = {"posture": "attack", "since": NOON_S - 300, "hostile": 812}
DENIED = {"network": "203.0.113.0/24", "until": NOON_S + 3_600, "by": "mari (uid 1)", "why": "a bot"}
ATTACK: dict[str, Any] = {
    "problem": "",
    "mode": {"mode": "monitor"},
    "posture": {"forced": "", "until": 0, "doors": {DOOR: ALARM}},
    "deny": {"settings": ["192.0.2.0/24"], "listed": [DENIED]},
    "allow": {"settings": [], "listed": []},
    "asked": 2,
    "workers": 4,
    "campaigns": [CAMPAIGN],
}  # fmt: skip


def attempts() -> list[Event]:
    """Fifty that passed, a minute apart; forty refused in each of eight minutes, and one wrong in each of twenty."""
    bot = Subject("203.0.113.0/24", account=DIGEST)
    minutes = [(NOON_S - minute * 60) * 1_000_000 for minute in range(50)]
    return [
        *(Event("decided", at_us, DOOR, action="allow") for at_us in minutes),
        *(
            Event("decided", at_us, DOOR, action="throttle", reasons=("ip_rate",), times=40, subject=bot)
            for at_us in minutes[:8]
        ),
        *(Event("settled", at_us, DOOR, result="failed", subject=bot) for at_us in minutes[:20]),
        Event("commanded", minutes[2], command="deny", by="mari (uid 1)", text="a bot"),
    ]


@asynccontextmanager
async def opened(browser: Browser, app: Console, key: str = KEY, **options: Any) -> AsyncIterator[RequestContext]:
    with serving(app) as port:
        async with visiting(browser, **options) as visit:
            await visit.page.goto(f"http://127.0.0.1:{port}/{f'#{key}' if key else ''}")
            yield visit


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
async def test_an_attack_is_seen(browser: Browser, scheme: Any, width: int) -> None:
    """Its numbers, its campaign and what to do are on the page, which fits and has no barrier."""
    viewport: Any = {"width": width, "height": 800}
    app = console(*attempts(), service=Told(ATTACK))
    async with opened(browser, app, viewport=viewport, color_scheme=scheme) as visit:
        page = visit.page
        await page.locator("#tiles strong").first.wait_for()
        tiles = await page.locator("#tiles li").all_inner_texts()
        assert [" ".join(tile.split()) for tile in tiles[:4]] == [
            "370 attempts", "320 refused", "0 put to work", "20 wrong passwords"
        ]  # fmt: skip
        assert await page.locator("#facts").inner_text() == (
            "mode monitor\nPOST /login: attack since 11:55\n4 workers\n2 accounts under proof"
        )
        said = await page.locator("#problems").inner_text()
        assert "The mode is monitor: what was decided is not carried out." in said
        assert "about 812 hostile attempts in the last hour" in said
        assert "sekisho report --blast-radius c-922b76" in said
        assert await page.locator("#decided svg").get_attribute("aria-label") == (
            "let through: 50, told to wait: 320; at most 41 in a column"
        )
        assert await page.locator("#decided svg rect.throttle").count() == 8
        assert "command=deny" in await page.locator("#decided svg rect.mark title").inner_html()
        assert "203.0.113.0/24\t340" in await page.locator("#networks").inner_text()
        assert "until 2026-11-29 13:00:00, by mari (uid 1): a bot" in await page.locator("#lists").inner_text()
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
        assert await barriers(page) == []
        assert visit.complaints == []


async def test_a_log_alone_says_what_is_not_known(browser: Browser) -> None:
    """Empty lists and no campaigns would be a claim about a service that nobody asked."""
    alone = Told({"problem": "", "note": "SEKISHO_SECRET is not set here."})
    async with opened(browser, console(*attempts(), service=alone)) as visit:
        await visit.page.get_by_text("The log alone is shown. SEKISHO_SECRET is not set here.").wait_for()
        for place in ("#campaigns", "#lists"):
            assert await visit.page.locator(place).inner_text() == "Not known: the service is not read."
        assert await visit.page.locator("#facts li").count() == 0


async def test_the_key_leaves_the_address(browser: Browser) -> None:
    """It stands in no history; the tab keeps it over a reload, and another tab has none."""
    app = console(*attempts())
    async with opened(browser, app) as visit:
        await visit.page.locator("#tiles strong").first.wait_for()
        assert "#" not in visit.page.url
        assert not await visit.page.evaluate("document.cookie")
        await visit.page.reload()
        await visit.page.locator("#tiles strong").first.wait_for()
        other = await visit.context.new_page()
        await other.goto(visit.page.url)
        await other.get_by_text("Open the address that the command has printed").wait_for()
        assert await other.locator("#tiles strong").count() == 0


async def test_what_a_client_sent_stays_text(browser: Browser) -> None:
    """Doors, reasons, networks and sentences of a log that an attacker can write to are no markup."""
    subject = Subject(SCRIPT, account=SCRIPT, device_class=SCRIPT)
    events = [
        Event("decided", NOON_S * 1_000_000, SCRIPT, action="throttle", reasons=(SCRIPT,), subject=subject),
        Event("misconfigured", NOON_S * 1_000_000, SCRIPT, text=SCRIPT, by=SCRIPT),
    ]
    told = {**ATTACK, "problem": SCRIPT, "mode": {"mode": SCRIPT}, "campaigns": [{**CAMPAIGN, "name": SCRIPT}]}
    async with opened(browser, console(*events, service=Told(told), problem=SCRIPT)) as visit:
        await visit.page.get_by_text(SCRIPT).first.wait_for()
        await visit.page.get_by_label("As its owner types it").fill("hana")
        await visit.page.get_by_role("button", name="Find").click()
        await visit.page.get_by_text("Refused now:").wait_for()

        assert await visit.page.locator("img").count() == 0
        assert await visit.page.title() == "sekisho console"
        assert visit.complaints == []


async def test_an_account_is_found_by_keyboard(browser: Browser) -> None:
    service = Told()
    events = [Event("settled", NOON_S * 1_000_000, DOOR, result="failed", subject=Subject(account="a" * 32))]
    async with opened(browser, console(*events, service=service)) as visit:
        field = visit.page.get_by_label("As its owner types it")
        await field.fill("hana")
        await field.press("Enter")
        found = visit.page.locator("#found")
        await found.get_by_text("Told to wait.").wait_for()
        assert "sekisho unblock account -" in await found.inner_text()
        assert "result=failed account=aaaaaaaaaaaa" in await found.inner_text()
        await field.fill("nobody")
        await field.press("Enter")
        await found.get_by_text("VALUE is refused as an account name at every door").wait_for()
    assert service.asked == [("account", "hana"), ("account", "nobody")]


async def test_a_door_and_a_span_are_chosen(browser: Browser) -> None:
    events = [*attempts(), Event("decided", (NOON_S - 7_200) * 1_000_000, "POST /reset", action="deny")]
    async with opened(browser, console(*events)) as visit:
        page = visit.page
        number = page.locator("#tiles strong").first
        await expect(number).to_have_text("370")
        await page.get_by_label("6 hours").check()
        await expect(number).to_have_text("371")
        await page.get_by_label("Door").select_option("POST /reset")
        await expect(number).to_have_text("1")


async def test_a_command_that_has_ended_is_said(browser: Browser) -> None:
    with serving(console(*attempts())) as port:
        async with visiting(browser) as visit:
            await visit.page.goto(f"http://127.0.0.1:{port}/#{KEY}")
            await visit.page.locator("#tiles strong").first.wait_for()
            await visit.page.route("**/state*", lambda route: route.abort())
            await visit.page.get_by_text("The console does not answer: has the command ended?").wait_for()
