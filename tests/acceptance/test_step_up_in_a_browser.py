"""A member on a new device, in a real browser, with the real service, guard, Redis, SQLite and mail."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyotp
import pytest
import pytest_asyncio

from tests.acceptance.tea_house import (
    NAME,
    PASSWORD,
    Member,
    TeaHouse,
    now,
    tea_house,
    with_a_front_end,
    with_proved_addresses,
)
from tests.accessibility import barriers
from tests.browser import visiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser's path

SHOTS = os.environ.get("SEKISHO_SHOTS")  # a folder for screenshots, for changes of the pages' look
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}


@pytest_asyncio.fixture(loop_scope="session")
async def house(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TeaHouse]:
    async with tea_house(tmp_path, redis_url, monkeypatch) as opened:
        yield opened


@asynccontextmanager
async def member(browser: Browser, house: TeaHouse, **options: Any) -> AsyncIterator[Member]:
    """A member in a fresh browser whose console has no complaint at the end."""
    async with visiting(browser, **options) as visit:
        visit.page.set_default_timeout(30_000)
        somebody = Member(visit, house)
        yield somebody
        assert somebody.complaints == []


async def shot(somebody: Member, name: str) -> None:
    if SHOTS:
        await somebody.page.screenshot(path=Path(SHOTS) / f"whole-{name}.png", full_page=True)


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (DESK, "dark")], ids=["phone-light", "desk-dark"])
async def test_a_wrong_code_and_then_the_right_one(
    browser: Browser, house: TeaHouse, scheme: Any, size: dict[str, int]
) -> None:
    """After a wrong code the page comes back with an error and its field focused; the right one leads to the
    account.
    """
    app = await house.enrol_app()
    async with member(browser, house, viewport=size, color_scheme=scheme) as somebody:
        await somebody.log_in()
        name = f"{size['width']}-{scheme}"
        await shot(somebody, f"asked-{name}")
        await somebody.enter("totp", "000000")
        assert "did not match" in await somebody.page.inner_text("[role=alert]:visible")
        assert await somebody.page.evaluate("document.activeElement.id") == "code-totp"
        await shot(somebody, f"wrong-{name}")
        assert await _wide(somebody) == 0
        await somebody.enter("totp", now(app))
        assert await somebody.is_in()


async def _wide(somebody: Member) -> int:
    wide: int = await somebody.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return wide


async def test_a_wrong_password_looks_the_same_until_the_end(browser: Browser, house: TeaHouse) -> None:
    """A thief with a wrong password sees the owner's page and never learns that it was wrong."""
    app = await house.enrol_app()
    async with member(browser, house) as somebody:
        await somebody.log_in("a guess")
        assert await somebody.page.inner_text("h1") == "Confirm it’s you"
        await somebody.enter("totp", now(app))
        assert "did not match" in await somebody.page.inner_text("[role=alert]:visible")
        await somebody.page.goto(f"{house.url}/account")
        assert somebody.page.url == f"{house.url}/login"


async def test_a_proved_device_is_asked_no_more(browser: Browser, house: TeaHouse) -> None:
    """A proved device is not asked again; its cookies work on plain http at localhost, which browsers trust."""
    app = await house.enrol_app()
    async with member(browser, house) as somebody:
        await log_in_as_ever(somebody, app)
        names = {cookie.get("name") for cookie in await somebody.context.cookies()}
        assert names == {"session", "__Host-sekisho", "__Host-sekisho-tie"}


async def test_codes_need_no_script(browser: Browser, house: TeaHouse) -> None:
    """Without scripts everything works except passkeys, errors too."""
    app = await house.enrol_app()
    async with member(browser, house, java_script_enabled=False) as somebody:
        await somebody.log_in()
        await shot(somebody, "no-script")
        await somebody.enter("totp", "000000")
        assert "did not match" in await somebody.page.inner_text("[role=alert]:visible")
        await somebody.enter("totp", now(app))
        assert await somebody.is_in()


async def test_in_japanese(browser: Browser, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page, error and mail are in Japanese for a member who reads it."""
    async with (
        tea_house(tmp_path, redis_url, monkeypatch, locale="ja") as house,
        member(browser, house, locale="ja-JP", viewport=PHONE) as somebody,
    ):
        await somebody.log_in()
        assert await somebody.page.inner_text("h1") == "ご本人確認"
        assert await somebody.page.get_attribute("html", "lang") == "ja"
        await somebody.choose("email")
        await somebody.page.click("button:visible:has-text('コードを送信する')")
        assert "まもなく確認コードが届きます" in await somebody.page.inner_text("[role=status]")
        await shot(somebody, "sent-ja")
        await somebody.enter("email", "00000000")
        assert "確認できませんでした" in await somebody.page.inner_text("[role=alert]:visible")
        await shot(somebody, "wrong-ja")
        await somebody.enter("email", await house.mailed_code())
        assert await somebody.is_in()
        await somebody.factors()
        await shot(somebody, "factors-ja")
        assert any("ログイン" in subject for subject in await house.subjects(2))


async def test_a_member_with_nothing_sets_up_all_there_is(browser: Browser, house: TeaHouse) -> None:
    """A member without factors enters by mail and enrols passkey, app and recovery codes, each of which works on a new
    device.
    """
    async with member(browser, house, viewport=PHONE) as somebody:
        await somebody.give_authenticator()
        await somebody.log_in_by_mail()
        await somebody.factors()
        assert "Nothing is set up yet" in await somebody.page.inner_text("main")
        await shot(somebody, "factors-none")
        await add_passkey(somebody)
        app = await add_app(somebody)
        codes = await add_codes(somebody)
        await somebody.factors()
        await shot(somebody, "factors-all")

        await somebody.on_a_new_device()
        await somebody.log_in()
        await shot(somebody, "asked-passkey")
        await somebody.page.click("form[data-passkey] button")
        assert await somebody.is_in()

        await somebody.on_a_new_device()
        await somebody.log_in()
        await somebody.enter("totp", now(app, 1))
        assert await somebody.is_in()

        await somebody.on_a_new_device()
        await somebody.log_in()
        await somebody.enter("recovery", codes[3].lower())
        assert await somebody.is_in()


async def test_a_recovery_code_is_good_once(browser: Browser, house: TeaHouse) -> None:
    """A used recovery code opens nothing."""
    async with member(browser, house) as somebody:
        await somebody.log_in_by_mail()
        await somebody.factors()
        codes = await add_codes(somebody)
        for code, opens in ((codes[0], True), (codes[0], False)):
            await somebody.on_a_new_device()
            await somebody.log_in()
            await somebody.enter("recovery", code)
            assert not opens or await somebody.is_in()
        assert "did not match" in await somebody.page.inner_text("[role=alert]:visible")


async def test_what_was_removed_opens_nothing(browser: Browser, house: TeaHouse) -> None:
    """A lost phone is removed from the page, its owner is mailed, and its codes open nothing."""
    app = await house.enrol_app()
    async with member(browser, house) as somebody:
        await somebody.log_in()
        await somebody.enter("totp", now(app))
        assert await somebody.is_in()
        await somebody.factors()
        assert "Old phone" in await somebody.page.inner_text("main")
        await somebody.page.click("button:has-text('Remove')")
        await somebody.page.wait_for_selector("[role=status]:has-text('Removed.')")
        assert "Old phone" not in await somebody.page.inner_text("main")

        await somebody.on_a_new_device()
        await somebody.log_in()
        await somebody.enter("totp", now(app, 1))
        assert "did not match" in await somebody.page.inner_text("[role=alert]:visible")
    assert len(await house.subjects(2)) == 2  # of the new device, and of this


async def test_a_wrong_first_code_sets_up_nothing(browser: Browser, house: TeaHouse) -> None:
    """After a mistyped first code an app's secret stays, and its owner tries again."""
    async with member(browser, house) as somebody:
        await somebody.log_in_by_mail()
        await somebody.factors()
        await somebody.page.click("button:has-text('Add an authenticator app')")
        await somebody.page.fill("#code", "000000")
        await somebody.page.press("#code", "Enter")
        assert "did not match" in await somebody.page.inner_text("main")
        await shot(somebody, "app-wrong")
        await confirm_app(somebody)


async def test_the_owners_page_wants_a_log_in(browser: Browser, house: TeaHouse) -> None:
    """Without a log-in the owner's page says so, and asks no question that cannot be answered."""
    async with member(browser, house) as somebody:
        await somebody.factors()
        await shot(somebody, "factors-nobody")
        assert await somebody.page.inner_text("h1") == "Please log in first"
        assert await somebody.page.locator("form").count() == 0


async def test_the_owners_page_wants_a_proof_from_a_known_device_too(browser: Browser, house: TeaHouse) -> None:
    """A known, logged-in browser (left open in a library) still needs a proof to enrol a factor."""
    app = await house.enrol_app()
    async with member(browser, house) as somebody:
        await log_in_as_ever(somebody, app)
        await somebody.factors()
        assert await somebody.page.inner_text("h1") == "Confirm it’s you"
        await somebody.enter("totp", now(app, 1))
        await somebody.page.wait_for_url(f"{house.url}/sekisho/factors")
        assert "Old phone" in await somebody.page.inner_text("main")


async def test_a_protected_page_wants_a_fresh_proof(
    browser: Browser, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A protected page asks for a fresh proof and then leads on; programs read the allowed age in the header."""
    async with tea_house(tmp_path, redis_url, monkeypatch, PROTECT="GET /password max_age=300") as house:
        app = await house.enrol_app()
        async with member(browser, house) as somebody:
            await log_in_as_ever(somebody, app)
            answer = await somebody.page.goto(f"{house.url}/password")
            assert answer is not None
            assert 'max_age="300"' in answer.headers["www-authenticate"]
            await somebody.enter("totp", now(app, 1))
            await somebody.page.wait_for_url(f"{house.url}/password")
            assert "Change your password" in await somebody.page.inner_text("h1")


async def log_in_as_ever(somebody: Member, app: pyotp.TOTP) -> None:
    """Log in on a device that is known: no proof."""
    await somebody.log_in()
    await somebody.enter("totp", now(app))
    assert await somebody.is_in()
    await somebody.page.click("text=Log out")
    await somebody.log_in()
    assert await somebody.is_in()


async def test_where_the_proof_comes_first_the_request_goes_on_by_itself(browser: Browser, house: TeaHouse) -> None:
    """A password change from an unknown device continues after the proof, without retyping."""
    app = await house.enrol_app()
    async with member(browser, house) as somebody:
        await somebody.log_in()
        await somebody.enter("totp", now(app))
        assert await somebody.is_in()
        await somebody.context.clear_cookies(name="__Host-sekisho")
        await somebody.page.goto(f"{house.url}/password")
        await somebody.page.fill("#old_password", PASSWORD)
        await somebody.page.fill("#new_password", "a frog leaps in")
        await somebody.page.click("main button")
        await somebody.enter("totp", "000000")
        assert "did not match" in await somebody.page.inner_text("[role=alert]:visible")
        await somebody.enter("totp", now(app, 1))
        assert await somebody.is_in()
        await somebody.page.click("text=Log out")
        await somebody.on_a_new_device()
        await somebody.log_in("a frog leaps in")
        assert await somebody.page.inner_text("h1") == "Confirm it’s you"


async def test_after_many_guesses_the_browser_works_first(
    browser: Browser, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner of an attacked account sees a progress bar for the work, then the usual page."""
    async with tea_house(tmp_path, redis_url, monkeypatch, LIMIT_ACCOUNT="1/hour") as house:
        app = await house.enrol_app()
        async with member(browser, house) as somebody:
            await somebody.log_in("a guess")
            await somebody.log_in()
            await somebody.page.wait_for_selector("details")
            assert somebody.page.url == f"{house.url}/login"
            await somebody.enter("totp", now(app))
            assert await somebody.is_in()


async def test_start_again_is_a_page(browser: Browser, house: TeaHouse) -> None:
    """A ticket without its browser's key leads to a page that says to start again."""
    app = await house.enrol_app()
    async with member(browser, house) as somebody:
        await somebody.log_in()
        await somebody.context.clear_cookies(name="__Host-sekisho-step")
        async with somebody.page.expect_navigation() as navigation:
            await somebody.enter("totp", now(app))
        answer = await navigation.value
        assert answer is not None
        assert answer.status == 410
        await shot(somebody, "start-again")
        assert "start" in (await somebody.page.inner_text("h1")).lower()


@pytest_asyncio.fixture(loop_scope="session")
async def counter(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TeaHouse]:
    async with tea_house(tmp_path, redis_url, monkeypatch, build=with_a_front_end, LIMIT_ACCOUNT="1/hour") as opened:
        yield opened


async def test_a_page_of_one_script_logs_in_by_json(browser: Browser, counter: TeaHouse) -> None:
    """A one-script page logs in with a wrong and then the right code, and gets the service's own answer with its
    session.
    """
    app = await counter.enrol_app()
    async with member(browser, counter) as somebody:
        await at_the_counter(somebody, counter)
        await somebody.page.wait_for_selector("#proof:visible")
        assert await somebody.page.inner_text("output") == "webauthn,totp,email,recovery"
        await somebody.page.fill("[name=code]", "000000")
        await somebody.page.click("text=Confirm")
        await somebody.page.wait_for_selector("text=wrong")
        await somebody.page.fill("[name=code]", now(app))
        await somebody.page.click("text=Confirm")
        await somebody.page.wait_for_selector(f"text=welcome {NAME}")
        await somebody.page.goto(f"{counter.url}/account")
        assert await somebody.is_in()


async def test_a_page_of_one_script_pays_first_and_proves_by_mail(browser: Browser, counter: TeaHouse) -> None:
    """A one-script page solves work after earlier guesses, then asks for a code by mail."""
    async with member(browser, counter) as somebody:
        await at_the_counter(somebody, counter, "a guess")
        await at_the_counter(somebody, counter)
        await somebody.page.wait_for_selector("#proof:visible")
        assert await somebody.page.get_attribute("#said", "data-worked") == "yes"
        await somebody.page.click("text=Send a code")
        await somebody.page.wait_for_selector("text=sent")
        await somebody.page.fill("[name=code]", await counter.mailed_code())
        await somebody.page.click("text=Confirm")
        await somebody.page.wait_for_selector(f"text=welcome {NAME}")


async def test_a_page_of_one_script_shows_a_passkey(browser: Browser, counter: TeaHouse) -> None:
    """A passkey enrolled on the owner's page works in the one-script page's module."""
    async with member(browser, counter) as somebody:
        await somebody.give_authenticator()
        await somebody.log_in_by_mail()
        await somebody.factors()
        await add_passkey(somebody)
        await somebody.on_a_new_device()
        await at_the_counter(somebody, counter)
        await somebody.page.click("#passkey")
        await somebody.page.wait_for_selector(f"text=welcome {NAME}")


async def at_the_counter(somebody: Member, house: TeaHouse, password: str = PASSWORD) -> None:
    await somebody.page.goto(f"{house.url}/counter")
    await somebody.page.fill("[name=username]", NAME)
    await somebody.page.fill("[name=password]", password)
    await somebody.page.click("text=Log in")
    await somebody.page.wait_for_selector("#proof:visible")


# Enrolment on the owner's page.


async def add_passkey(somebody: Member) -> None:
    await somebody.page.fill("#label", "My key")
    await somebody.page.click("form[data-passkey] button")
    await somebody.page.wait_for_selector("strong:has-text('My key')")
    await shot(somebody, "passkey-added")


async def add_app(somebody: Member) -> pyotp.TOTP:
    await somebody.page.click("button:has-text('Add an authenticator app')")
    await shot(somebody, "app")
    return await confirm_app(somebody)


async def confirm_app(somebody: Member) -> pyotp.TOTP:
    app = pyotp.TOTP((await somebody.page.inner_text("code")).replace(" ", ""))
    await somebody.page.fill("#label", "My phone")
    await somebody.page.fill("#code", now(app))
    await somebody.page.press("#code", "Enter")
    await somebody.page.wait_for_selector("[role=status]:has-text('Added.')")
    assert "My phone" in await somebody.page.inner_text("main")
    return app


async def add_codes(somebody: Member) -> list[str]:
    await somebody.page.click("button:has-text('Make new recovery codes')")
    await somebody.page.wait_for_selector(".codes")
    await shot(somebody, f"recovery-{await somebody.page.evaluate('innerWidth')}")
    # A code split over two lines would be copied wrongly.
    lines = "[...document.querySelectorAll('.codes code')].map((one) => one.getClientRects().length)"
    assert await somebody.page.evaluate(lines) == [1] * 10
    assert await _wide(somebody) == 0
    codes = await somebody.page.locator(".codes code").all_inner_texts()
    assert len(set(codes)) == 10
    return codes


async def test_a_new_member_proves_an_address(
    browser: Browser, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form is typed once: a wrong code leaves it waiting, the right one opens the account and logs in."""
    async with (
        tea_house(tmp_path, redis_url, monkeypatch, build=with_proved_addresses) as house,
        member(browser, house, locale="ja-JP", viewport=PHONE, color_scheme="dark") as somebody,
    ):
        page = somebody.page
        await page.goto(f"{house.url}/signup")
        await page.fill("#username", "kikaku@mail.example")
        await page.fill("#password", PASSWORD)
        await page.click("main button")
        assert await page.inner_text("h1") == "メールアドレスの確認"
        # Browsers focus it when they draw the page.
        await page.wait_for_function("document.activeElement.id === 'code'")
        assert await barriers(page) == []
        code = await house.mailed_code()
        await page.fill("#code", f"{(int(code) + 1) % 10**8:08}")
        await page.press("#code", "Enter")
        assert "確認コードが一致しません" in await page.inner_text("[role=alert]")
        assert await barriers(page) == []
        await page.fill("#code", code)
        await page.press("#code", "Enter")
        await page.wait_for_url(f"{house.url}/account")
        assert "kikaku@mail.example" in await page.inner_text("main")


@pytest.mark.parametrize(
    ("size", "scheme", "locale", "said", "titles"),
    [
        (PHONE, "light", "en-US", "yes", ("Was this you?", "Thank you", "This link is no longer valid")),
        (
            DESK,
            "dark",
            "ja-JP",
            "no",
            ("ご本人による操作でしたか？", "その端末の信頼を取り消しました", "このリンクは無効です"),
        ),
    ],
    ids=["phone-light-en-yes", "desk-dark-ja-no"],
)
async def test_an_owner_answers_a_mailed_link(
    browser: Browser,
    tmp_path: Path,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    size: Any,
    scheme: Any,
    locale: str,
    said: str,
    titles: tuple[str, ...],
) -> None:
    """In any browser: opening the link changes nothing, the address bar keeps no token, a button answers it once."""
    async with tea_house(tmp_path, redis_url, monkeypatch, locale=locale[:2], links=True) as house:
        app = await house.enrol_app()
        async with member(browser, house, locale=locale) as somebody:
            await somebody.log_in()
            await somebody.enter("totp", now(app))
            assert await somebody.is_in()
        link = await house.mailed_link()
        async with member(browser, house, viewport=size, color_scheme=scheme, locale=locale) as elsewhere:
            page, seen = elsewhere.page, []
            for answers in (False, True, True):
                await page.goto("about:blank")
                await page.goto(link)
                assert "#" not in page.url
                assert not await page.is_visible("#token")
                assert await barriers(page) == []
                seen.append(await page.inner_text("h1"))
                if answers:
                    await page.click(f"button[value={said}]")
                    await page.wait_for_selector("p[role=status]")
                    assert await barriers(page) == []
                    seen.append(await page.inner_text("h1"))
    question, thanks, over = titles
    assert seen == [question, question, thanks, question, over]
