"""The pages work in a real browser under their own policy, fit the screen, and cause no console message."""

from __future__ import annotations

import asyncio
import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.model import SettingsError
from sekisho.model.brand import Brand, Logo
from sekisho.settings.brand import color as parse_color
from sekisho.settings.brand import color_dark as parse_color_dark
from tests.accessibility import barriers
from tests.browser import RequestContext, serving, visiting
from tests.stepup.pages.site import Site, every_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.async_api import Browser, Route

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser's path

NAMES = tuple(name for name in every_page(Site().pages, "en") if name not in {"work", "returned"})
SHOTS = os.environ.get("SEKISHO_SHOTS")  # a folder for screenshots, for changes of the pages' look


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def origin(site: Site) -> Iterator[str]:
    with serving(site.app()) as port:
        site.listen(port)
        yield f"http://localhost:{port}"


@pytest.mark.parametrize(
    ("size", "scheme", "language"),  # each pair of two
    [
        ((390, 844), "light", "en"),
        ((390, 844), "dark", "ja"),
        ((1280, 800), "dark", "en"),
        ((1280, 800), "light", "ja"),
    ],
    ids=["phone-light-en", "phone-dark-ja", "desk-dark-en", "desk-light-ja"],
)
async def test_every_page_fits_and_nothing_is_complained_of(
    browser: Browser, origin: str, language: str, scheme: Any, size: tuple[int, int]
) -> None:
    """Every page fits: no sideways scrolling, no error, no policy violation, nothing too small for a thumb."""
    viewport: Any = {"width": size[0], "height": size[1]}
    async with visiting(browser, viewport=viewport, color_scheme=scheme) as visit:
        for name in NAMES:
            await visit.page.goto(f"{origin}/show/{language}/{name}")
            wide = await visit.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if SHOTS:
                path = Path(SHOTS) / f"{name}-{language}-{scheme}-{size[0]}.png"
                await visit.page.screenshot(path=path, full_page=True)
            assert (name, wide) == (name, 0)
            assert (name, await _small(visit)) == (name, [])
            assert (name, await _squeezed(visit)) == (name, [])
            assert (name, await _torn(visit)) == (name, [])
            assert (name, await barriers(visit.page)) == (name, [])
        assert visit.complaints == []


LOGO = Logo(
    "/logo-0123.svg",
    b"image/svg+xml",
    b'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30"><path d="M0 0h90v30z" fill="#7a1fa2"/></svg>',
)


@pytest.mark.parametrize(
    ("scheme", "color", "faint"),
    [("light", "#707070", False), ("light", "#8a8a8a", True), ("dark", "#868686", False), ("dark", "#6a6a6a", True)],
)
async def test_the_faintest_colors_that_are_accepted_can_be_read(
    browser: Browser, scheme: Any, color: str, faint: bool
) -> None:
    """axe-core agrees with the check of the settings, on both sides of its limit; the logo is shown."""
    read = {"light": parse_color, "dark": parse_color_dark}[scheme]
    with pytest.raises(SettingsError) if faint else nullcontext():
        read(color, "SEKISHO_BRAND_COLOR")
    site = Site(Brand("Shop", color, color, f"/sekisho{LOGO.path}", LOGO))
    with serving(site.app()) as port:
        async with visiting(browser, color_scheme=scheme) as visit:
            await visit.page.goto(f"http://localhost:{port}/show/en/manage")
            assert await visit.page.evaluate("document.querySelector('header img').naturalWidth") == 90
            found = await barriers(visit.page)
            assert visit.complaints == []
    assert any("color-contrast" in one for one in found) is faint


async def _squeezed(visit: RequestContext) -> list[str]:
    """Texts of lists that buttons beside them leave no room for."""
    squeezed: list[str] = await visit.page.evaluate(
        """[...document.querySelectorAll(".factors li > :first-child")]
          .filter((one) => one.getBoundingClientRect().width < 150).map((one) => one.outerHTML)"""
    )
    return squeezed


async def _torn(visit: RequestContext) -> list[str]:
    """Entries of lists with one button beside the text, and another one below it."""
    torn: list[str] = await visit.page.evaluate(
        """[...document.querySelectorAll(".factors li")].filter((entry) => {
            const below = entry.firstElementChild.getBoundingClientRect().bottom;
            const places = [...entry.querySelectorAll("button")].map((one) => one.getBoundingClientRect().top >= below);
            return new Set(places).size > 1;
          }).map((entry) => entry.innerText)"""
    )
    return torn


async def _small(visit: RequestContext) -> list[str]:
    small: list[str] = await visit.page.evaluate(
        """[...document.querySelectorAll("button, summary, a, input:not([type=hidden])")]
          .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 44)
          .map((one) => one.outerHTML)"""
    )
    return small


async def test_the_page_does_the_work_and_goes_on(browser: Browser, site: Site, origin: str) -> None:
    """The page solves the work and submits what the guard accepts, without a click."""
    async with visiting(browser) as visit:
        await visit.page.goto(f"{origin}/show/en/work")
        await visit.page.wait_for_url("**/continue")
        assert await visit.page.inner_text("body") == "worked"
        assert visit.complaints == []
    assert [(path, fields["form"]) for path, fields in site.posted] == [("/sekisho/continue", "Zm9ybQ")]


async def test_a_code_leaves_the_address_and_goes_on(browser: Browser, site: Site, origin: str) -> None:
    """Back from the provider, the page sends the code on without a click; no history keeps it, no referrer has it."""
    async with visiting(browser) as visit:
        sent: list[Any] = []
        visit.page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
        await visit.page.goto(f"{origin}/plain")
        await visit.page.goto(f"{origin}/show/en/returned?code=123456")
        await visit.page.wait_for_url("**/home")
        path, fields = site.posted[-1]
        assert (path, fields["factor"], fields["code"]) == ("/sekisho/step-up", "oidc", "123456")
        assert "123456" not in sent[0].headers.get("referer", "")
        assert await sent[0].header_value("origin") == origin
        await visit.page.go_back()
        assert "123456" not in visit.page.url


async def test_a_passkey_is_made_and_opens_the_door(browser: Browser, site: Site, origin: str) -> None:
    """A passkey is created on the owner's page and opens the log-in; the guard verifies both."""
    async with visiting(browser) as visit:
        await visit.page.add_init_script(UNOFFERED)
        await _give_authenticator(visit)
        await visit.page.goto(f"{origin}/show/en/manage")
        await visit.page.fill("#label", "My key")
        await visit.page.click("form[data-passkey] button")
        await visit.page.wait_for_url("**/factors/webauthn")
        assert await visit.page.inner_text("body") == "made sealed My key"

        await visit.page.goto(f"{origin}/show/en/step_up")
        await visit.page.click("form[data-passkey] button")
        await visit.page.wait_for_url("**/home")
        assert [cookie.get("name") for cookie in await visit.context.cookies()] == ["session"]
        assert visit.complaints == []


UNOFFERED = "delete PublicKeyCredential.isConditionalMediationAvailable"


async def test_a_passkey_is_offered_where_a_code_is_typed(browser: Browser, site: Site, origin: str) -> None:
    """The browser offers the passkey in the field of a code, without a click and without a dialog."""
    async with visiting(browser) as visit:
        await _give_authenticator(visit)
        await visit.page.goto(f"{origin}/show/en/manage")
        await visit.page.click("form[data-passkey] button")
        await visit.page.wait_for_url("**/factors/webauthn")
        await visit.page.goto(f"{origin}/show/en/step_up")  # the owner of this browser chooses it at once
        await visit.page.wait_for_url("**/home")
        assert visit.complaints == []
    assert [path for path, _ in site.posted[-2:]] == ["/sekisho/step-up/options", "/sekisho/step-up"]
    assert site.posted[-1][1]["factor"] == "webauthn"


async def test_the_button_takes_the_offer_back(browser: Browser, site: Site, origin: str) -> None:
    """Of several options only the last are accepted: the button asks with those that the offer had."""
    async with visiting(browser) as visit:
        await _give_authenticator(visit)
        await visit.page.goto(f"{origin}/show/en/manage")
        await visit.page.click("form[data-passkey] button")
        await visit.page.wait_for_url("**/factors/webauthn")
        await visit.page.add_init_script(NOBODY_CHOOSES)
        await visit.page.goto(f"{origin}/show/en/step_up")
        await visit.page.click("form[data-passkey] button")
        await visit.page.wait_for_url("**/home")
        assert visit.complaints == []
    assert [path for path, _ in site.posted[-2:]] == ["/sekisho/step-up/options", "/sekisho/step-up"]


NOBODY_CHOOSES = """
const get = navigator.credentials.get.bind(navigator.credentials);
navigator.credentials.get = (asked) => asked.mediation !== "conditional" ? get(asked)
  : new Promise((_, reject) => asked.signal.addEventListener("abort", () => reject(asked.signal.reason)));
"""


@pytest.mark.parametrize("without", ["parseRequestOptionsFromJSON", "toJSON"])
async def test_older_browsers_show_passkeys_too(browser: Browser, origin: str, without: str) -> None:
    """Older browsers without JSON for passkeys send the same data."""
    async with visiting(browser) as visit:
        await visit.page.add_init_script(UNOFFERED)
        await _give_authenticator(visit)
        older = "parseCreationOptionsFromJSON parseRequestOptionsFromJSON" if "parse" in without else ""
        for name in older.split():
            await visit.page.add_init_script(f"delete PublicKeyCredential.{name}")
        if without == "toJSON":
            await visit.page.add_init_script("delete PublicKeyCredential.prototype.toJSON")
        await visit.page.goto(f"{origin}/show/en/manage")
        await visit.page.click("form[data-passkey] button")
        await visit.page.wait_for_url("**/factors/webauthn")
        await visit.page.goto(f"{origin}/show/en/step_up")
        await visit.page.click("form[data-passkey] button")
        await visit.page.wait_for_url("**/home")


async def test_without_a_passkey_the_page_says_so(browser: Browser, origin: str) -> None:
    """A user who has no passkey, or declines, is told what to do and can try again."""
    async with visiting(browser) as visit:
        await visit.page.add_init_script(UNOFFERED)
        await _give_authenticator(visit)
        await visit.page.goto(f"{origin}/show/en/step_up")
        await visit.page.click("form[data-passkey] button")
        error = visit.page.locator("form[data-passkey] [role=alert]")
        await error.filter(has_text="No passkey was read").wait_for()
        assert await visit.page.is_enabled("form[data-passkey] button")


async def test_codes_need_no_script(browser: Browser, site: Site, origin: str) -> None:
    """Codes need no script: a wrong one shows the page with the factor open and its field marked; a right one goes
    on.
    """
    async with visiting(browser, java_script_enabled=False) as visit:
        await visit.page.goto(f"{origin}/show/en/step_up")
        assert not await visit.page.is_visible("form[data-passkey] button")
        assert await visit.page.is_visible("noscript p")
        await visit.page.click("summary:has-text('Code by email')")
        await visit.page.click("button:visible:has-text('Send a code')")
        assert "None after a minute? Start again." in await visit.page.inner_text("[role=status]")
        await visit.page.fill("#code-email", "000000")
        await visit.page.press("#code-email", "Enter")
        assert await visit.page.get_attribute("#code-email", "aria-invalid") == "true"
        await visit.page.fill("#code-email", "123456")
        await visit.page.press("#code-email", "Enter")
        await visit.page.wait_for_url("**/home")
    assert [path for path, _ in site.posted] == ["/sekisho/step-up/send", "/sekisho/step-up", "/sekisho/step-up"]


async def test_a_code_is_sent_once(browser: Browser, site: Site, origin: str) -> None:
    """A code is submitted once, however often *Confirm* is clicked meanwhile."""
    sent: list[str] = []
    clicked = asyncio.Event()

    async def hold(route: Route) -> None:
        sent.append(route.request.url)
        await clicked.wait()
        await route.continue_()

    async with visiting(browser) as visit:
        await visit.page.expose_function("clicked", clicked.set)
        await visit.page.route("**/sekisho/step-up", hold)
        await visit.page.goto(f"{origin}/show/en/step_up_failed")
        await visit.page.fill("#code-totp", "123456")
        await visit.page.evaluate(AGAIN)
        await visit.page.click("form:has(#code-totp) button", no_wait_after=True)
        await visit.page.wait_for_url("**/home")
    assert len(sent) == 1


AGAIN = """() => {
  const button = document.querySelector("form:has(#code-totp) button");
  const again = () => { button.click(); clicked(); };
  button.form.addEventListener("submit", () => setTimeout(again, 50), { once: true });
}"""


async def test_the_application_may_send_its_user_to_another_origin(browser: Browser, site: Site, origin: str) -> None:
    """The application may redirect to another origin: the page's policy must not block the redirect."""
    site.elsewhere = "https://elsewhere.example"
    async with visiting(browser) as visit:
        await visit.context.route(
            f"{site.elsewhere}/**", lambda route: route.fulfill(body="elsewhere", content_type="text/plain")
        )
        await visit.page.goto(f"{origin}/show/en/step_up_failed")
        await visit.page.fill("#code-totp", "123456")
        await visit.page.press("#code-totp", "Enter")
        await visit.page.wait_for_url(f"{site.elsewhere}/home")
        assert visit.complaints == []


SEND = """async ([door, codes]) => {
  const { send } = await import("/sekisho/sekisho.js");
  const seen = [];
  const onStepUp = async (stepUp) => {
    seen.push(stepUp.factors[0]);
    for (const code of codes) seen.push(await stepUp.code("totp", code));
  };
  const answer = await send(door, { method: "POST", body: "ten" }, { onStepUp });
  return { seen, status: answer.status, body: await answer.json() };
}"""


@pytest.mark.parametrize(
    ("door", "answer"), [("/login", {"welcome": "alice"}), ("/transfer", {"sent": "ten"})], ids=["login", "protect"]
)
async def test_programs_get_the_applications_own_answer(
    browser: Browser, origin: str, door: str, answer: dict[str, str]
) -> None:
    """Programs get the application's own answer after work, a wrong code and a right one; the body is repeated."""
    async with visiting(browser) as visit:
        await visit.page.goto(f"{origin}/plain")
        got = await visit.page.evaluate(SEND, [door, ["000000", "123456"]])
    assert got == {"seen": ["webauthn", False, True], "status": 200, "body": answer}


async def test_a_program_without_a_choice_gets_the_refusal(browser: Browser, origin: str) -> None:
    """A program without a handler for choices gets the refusal, and does not hang."""
    async with visiting(browser) as visit:
        await visit.page.goto(f"{origin}/plain")
        script = (
            "import('/sekisho/sekisho.js').then((m) => m.send('/transfer', {method: 'POST'})).then((r) => r.status)"
        )
        assert await visit.page.evaluate(script) == 401


async def _give_authenticator(visit: RequestContext) -> None:
    """Give the browser a phone's own authenticator whose user always confirms."""
    session = await visit.context.new_cdp_session(visit.page)
    await session.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": {**options, "isUserVerified": True}})
