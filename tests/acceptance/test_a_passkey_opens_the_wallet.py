"""The wallet's log-in form begins with a passkey, in a real browser; no line of the wallet depends on the guard."""

from __future__ import annotations

import time
from base64 import b64encode
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from examples.wallet import app as wallet
from examples.wallet.books import Books
from examples.wallet.environment import settings
from examples.wallet.test_service import migrated
from sekisho.crypto.seal import Sealer
from sekisho.owners import Enrolment
from sekisho.owners.sql import SqlOwners
from sekisho.stepup.factors.passkey_index import PasskeyIndex
from sekisho.stepup.factors.passkeys import PasskeySealer
from sekisho.stepup.webauthn import Credential
from tests.accessibility import barriers
from tests.browser import serving, visiting
from tests.servers import free_port
from tests.stepup.authenticator import cose

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser

    from tests.browser import RequestContext

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser's path

EMAIL, SECRET = "basho@mail.test", "for the wallet in a browser alone"
NUMBER, HANDLE, CREDENTIAL = "a" * 32, b"h" * 32, b"c" * 32
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
UNOFFERED = "delete PublicKeyCredential.isConditionalMediationAvailable"


@asynccontextmanager
async def opened(
    folder: Path, key: ec.EllipticCurvePrivateKey, patches: pytest.MonkeyPatch, store: str = "memory://"
) -> AsyncIterator[str]:
    """The wallet with one member, who enrolled this passkey long ago; gives its address."""
    url, port = f"sqlite+aiosqlite:///{folder / 'wallet.sqlite3'}", free_port()
    origin = f"http://localhost:{port}"
    made = settings(url, "smtp://127.0.0.1:1", SECRET)
    made |= {
        "WALLET_DATABASE": url,
        "SHOP_ARGON2": "1,256,1",
        "SEKISHO_STORE": store,
        "SEKISHO_FACTORS": "webauthn",
    }
    made |= {"SEKISHO_PASSKEY_DOMAIN": "localhost", "SEKISHO_PASSKEY_ORIGINS": origin}
    for name, value in made.items():
        patches.setenv(name, value)
    await migrated(url)
    books, owners = Books(url), SqlOwners(url, made["SEKISHO_OWNERS_QUERY"], clock_s=time.monotonic)
    member = await books.add(EMAIL, "no password opens this account")
    sealer = Sealer([SECRET.encode()], clock_s=time.time)
    held = Credential(CREDENTIAL, cbor2.dumps(cose(key)), 0, HANDLE)
    sealed = PasskeySealer(sealer).seal(held, account=str(member.id), enrolment=NUMBER)
    await owners.enrol(str(member.id), Enrolment(NUMBER, "webauthn", "phone", 1, sealed))
    await PasskeyIndex(owners, sealer, clock_s=time.time).note(EMAIL, str(member.id), HANDLE)
    await owners.aclose()
    await books.aclose()
    with serving(wallet.build(), lifespan="on", proxy_headers=False, port=port):
        yield origin


async def hold(visit: RequestContext, key: ec.EllipticCurvePrivateKey | None, count: int = 0) -> None:
    """Give the browser a phone's own authenticator, whose user always confirms, with this passkey.

    `count`: how often it has signed.
    """
    session = await visit.context.new_cdp_session(visit.page)
    await session.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": {**options, "isUserVerified": True}})
    if key is None:
        return
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    credential: dict[str, Any] = {
        "credentialId": b64encode(CREDENTIAL).decode(), "userHandle": b64encode(HANDLE).decode(),
        "privateKey": b64encode(private).decode(), "rpId": "localhost", "signCount": count,
        "isResidentCredential": True,
    }  # fmt: skip
    await session.send("WebAuthn.addCredential", {"authenticatorId": made["authenticatorId"], "credential": credential})


def complaints(visit: RequestContext) -> list[str]:
    return [one for one in visit.complaints if "404" not in one]  # the wallet has no favicon


async def test_the_form_offers_it_and_so_does_a_button(
    browser: Browser, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offered where the address is typed, on a phone in Japanese; by the button on a desk in English. Both have no
    barrier, and end in the wallet, whose protected page opens. A passkey of somebody else's is refused on a page.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    async with opened(tmp_path, key, monkeypatch, redis_url) as origin:
        async with visiting(browser, viewport=PHONE, locale="ja-JP") as visit:
            await hold(visit, key)
            await visit.page.goto(f"{origin}/login")
            await visit.page.wait_for_url("**/home")
            assert EMAIL in await visit.page.inner_text("main")
            names = {cookie.get("name") for cookie in await visit.context.cookies()}
            assert {"session", "__Host-sekisho", "__Host-sekisho-tie"} <= names
            await visit.page.goto(f"{origin}/payout")
            assert await visit.page.is_visible("form[action='/payout']")
            assert complaints(visit) == []

        async with visiting(browser, viewport=DESK, locale="en") as visit:
            await visit.page.add_init_script(UNOFFERED)
            await hold(visit, key, 10)
            await visit.page.goto(f"{origin}/login")
            button = visit.page.get_by_role("button", name="Log in with a passkey")
            await button.wait_for()
            wide = await visit.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert (wide, await barriers(visit.page)) == (0, [])
            await button.click()
            await visit.page.wait_for_url("**/home")
            assert complaints(visit) == []

        async with visiting(browser, locale="en") as visit:
            await visit.page.add_init_script(UNOFFERED)
            await hold(visit, ec.generate_private_key(ec.SECP256R1()), 20)  # its signature is another's
            await visit.page.goto(f"{origin}/login")
            await visit.page.get_by_role("button", name="Log in with a passkey").click()
            await visit.page.wait_for_url("**/login/passkey")
            assert "That did not work" in await visit.page.inner_text("body")


async def test_without_a_passkey_the_form_says_so(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An owner who has none, or declines, is told, and can go on with the password; axe-core finds no barrier."""
    async with (
        opened(tmp_path, ec.generate_private_key(ec.SECP256R1()), monkeypatch) as origin,
        visiting(browser, viewport=PHONE, locale="en") as visit,
    ):
        await hold(visit, None)
        await visit.page.goto(f"{origin}/login")
        await visit.page.get_by_role("button", name="Log in with a passkey").click()
        await visit.page.get_by_role("alert").filter(has_text="No passkey was read").wait_for()
        assert await visit.page.is_enabled("form[action='/login'] button")
        assert await barriers(visit.page) == []


async def test_without_the_guard_the_form_is_as_it_was(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Switched off, the guard serves no script: the button stays hidden, and the route lets nobody in."""
    monkeypatch.setenv("SEKISHO_MODE", "off")
    async with (
        opened(tmp_path, ec.generate_private_key(ec.SECP256R1()), monkeypatch) as origin,
        visiting(browser) as visit,
    ):
        await visit.page.goto(f"{origin}/login", wait_until="networkidle")
        assert not await visit.page.is_visible("form[data-sekisho-passkey]")
        answer = await visit.page.request.post(f"{origin}/login/passkey", form={"credential": "{}"})
        assert answer.status == 401
