"""Takes the screenshots of the documentation: `python -m tests.screenshots` (`make screenshots`).

Each shows one page twice, as a phone shows it: light in English, and dark in Japanese. The console is shown once.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image

from examples.wallet import pages as wallet
from sekisho.answer import Renderer, denied
from sekisho.model.brand import Brand
from sekisho.settings.brand import logo_of
from sekisho.stepup.log_ins import RecordedLogIn
from sekisho.stepup.pages import ListedFactor, Pages
from tests.browser import browsing, serving, visiting
from tests.console.serving import KEY, an_attack
from tests.servers import on_path_or_from_apt

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.async_api import Browser

    from sekisho.asgi.types import App, Receive, Scope, Send

FOLDER: Final = Path(__file__).parents[1] / "docs" / "screenshots"
BIRD: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="40" height="40"><path fill="#3b7ddd" '
    'd="M1 4c6 1 9 4 11 7 3-2 6-2 11-2-4 1-6 3-8 5l4 8-8-6-7 3 5-5C8 9 5 6 1 4z"/></svg>'
)
NAMES: Final = {"en": "Tsubame Pay", "ja": "つばめペイ"}
FACTORS: Final = ("webauthn", "totp", "email", "recovery")
NONCE: Final = "screenshots"
NOON_S: Final = 1_784_000_000
LOG_INS: Final = (
    RecordedLogIn("p1", NOON_S, "proved", "Safari on iPhone", "203.0.113.0/24", b"device", "Osaka, JP"),
    RecordedLogIn("k2", NOON_S - 90_000, "known", "Firefox on Windows", "192.0.2.0/24", b"", "Kyoto, JP"),
    RecordedLogIn("n3", NOON_S - 400_000, "not_completed", "Chrome on Linux", "198.51.100.0/24", b"", "Reykjavík, IS"),
)
ENROLLED: Final = (
    ListedFactor("1", "webauthn", "", 1_760_000_000, 0, "Apple Passwords"),
    ListedFactor("2", "totp", "Phone", 1_770_000_000),
)
PHONE: Final = 390
CONSOLE: Final = "console"


def guards(pages: Pages, language: str) -> dict[str, bytes]:
    """The guard's pages, by the name of their picture."""
    shown = {
        "step-up": pages.step_up(language, challenge="ticket", factors=FACTORS, chosen="email", sent=True, nonce=NONCE),
        "sign-up": pages.contact(language, challenge="ticket", nonce=NONCE),
        "factors": pages.manage(language, enrolments=ENROLLED, token="token", factors=FACTORS[:2], nonce=NONCE),
        "activity": pages.activity(
            language, log_ins=LOG_INS, previous=LOG_INS[1], token="token", notice="", nonce=NONCE
        ),
        "was-this-you": pages.notice(language, said="", account_page="tsubame.example/account", nonce=NONCE),
    }
    return {name: page.body for name, page in shown.items()}


def every_page(brand: Brand, pages: Pages, language: str) -> dict[str, bytes]:
    """All pages that are taken a picture of, by its name."""
    headers = [(b"accept", b"text/html"), (b"accept-language", language.encode())]
    refusal = Renderer(frozenset(), brand).render(denied(), headers)
    home = wallet.home_page(
        wallet.Look(language),
        "basho@mail.test",
        28_800,
        ["1000001"],
        [("top-up", "1000001", 30_000)],
        previous="2026-07-13 18:05 UTC · Firefox on Windows · Kyoto, JP",
    )
    return {**guards(pages, language), "refusal": refusal.body, "wallet": home.encode()}


def names() -> list[str]:
    """The names of all pictures of phones."""
    return sorted(every_page(Brand(), Pages("/sekisho", "Shop"), "en"))


def site(logo_path: Path) -> Callable[[Scope, Receive, Send], object]:
    """Serves `/en/NAME` and `/ja/NAME`, and the files that the pages load."""
    files: dict[str, tuple[bytes, bytes]] = {}
    logo = logo_of(str(logo_path), "the logo")
    for language, name in NAMES.items():
        brand = Brand(name, "#1b4d9b", "#9cc0ff", f"/sekisho{logo.path}", logo)
        pages = Pages("/sekisho", name, brand=brand)
        for file in (pages.style, pages.script, logo):
            files[f"/sekisho{file.path}"] = (file.content_type, file.body)
        files["/sekisho/sekisho.js"] = (b"text/javascript", pages.module())
        for shown, body in every_page(brand, pages, language).items():
            files[f"/{language}/{shown}"] = (b"text/html; charset=utf-8", body)

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        content_type, body = files.get(scope["path"], (b"text/plain", b""))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", content_type)]})
        await send({"type": "http.response.body", "body": body})

    return app


async def shoot(browser: Browser, origin: str, name: str) -> bytes:
    """One picture of a page on two phones."""
    shots = [
        await _phone(browser, f"{origin}/{language}/{name}", scheme)
        for language, scheme in (("en", "light"), ("ja", "dark"))
    ]
    sides = "".join(f'<img src="data:image/png;base64,{b64encode(shot).decode()}" alt="">' for shot in shots)
    style = "body{margin:0;display:inline-flex;gap:16px;align-items:flex-start}"
    async with visiting(browser, viewport={"width": 2 * PHONE + 16, "height": 600}) as visit:
        await visit.page.set_content(f"<!doctype html><style>{style}</style>{sides}")
        return await visit.page.locator("body").screenshot()


async def _phone(browser: Browser, url: str, scheme: str) -> bytes:
    options = {"viewport": {"width": PHONE, "height": 500}, "color_scheme": scheme, "reduced_motion": "reduce"}
    async with visiting(browser, **options) as visit:
        await visit.page.goto(url)
        return await visit.page.screenshot(full_page=True, caret="hide")


def small(shot: bytes) -> bytes:
    """The same picture in 64 colours: a third of the bytes."""
    written = BytesIO()
    Image.open(BytesIO(shot)).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
    return written.getvalue()


def ensure_japanese_font() -> None:
    """Install a Japanese font where there is none, as root; else raise `RuntimeError`: it would show empty boxes."""
    on_path_or_from_apt("Japanese font", "fonts-noto-cjk", _fonts)


def _fonts() -> str:
    found = subprocess.run(["fc-list", ":lang=ja"], check=False, capture_output=True, text=True)
    return found.stdout.strip()


async def shoot_console(browser: Browser) -> bytes:
    """The operator's page in an attack, as a computer shows it."""
    async with visiting(browser, viewport={"width": 1180, "height": 600}, reduced_motion="reduce") as visit:
        with serving(an_attack()) as port:
            await visit.page.goto(f"http://127.0.0.1:{port}/#{KEY}")
            await visit.page.locator("#tiles strong").first.wait_for()
            clip = {"x": 0, "y": 0, "width": 1180, "height": 1306}
            return await visit.page.screenshot(full_page=True, clip=clip, caret="hide")  # type: ignore[arg-type]


async def main() -> None:
    ensure_japanese_font()
    FOLDER.mkdir(exist_ok=True)
    logo = FOLDER / "logo.svg"
    logo.write_text(BIRD)
    try:
        app: App = site(logo)  # type: ignore[assignment]
    finally:
        logo.unlink()
    with serving(app) as port:
        async with browsing() as browser:
            for name in names():
                path = FOLDER / f"{name}.png"
                path.write_bytes(small(await shoot(browser, f"http://localhost:{port}", name)))
                sys.stdout.write(f"{path.name}: {path.stat().st_size:,} bytes\n")
            path = FOLDER / f"{CONSOLE}.png"
            path.write_bytes(small(await shoot_console(browser)))
            sys.stdout.write(f"{path.name}: {path.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    asyncio.run(main())
