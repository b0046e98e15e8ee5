"""The wallet with the guard switched off and on, by `SEKISHO_MODE` alone."""

# ruff: noqa: S101 - tests assert

from __future__ import annotations

import asyncio
import gc
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from examples.wallet import app as wallet
from examples.wallet.books import Books, bank_accounts
from examples.wallet.environment import settings
from examples.wallet.postbox import Postbox
from sekisho.owners.schema import upgrade
from tests.owners.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from starlette.applications import Starlette


# A thief's log-in that is under way when the wallet stops is cancelled; aiosqlite then complains of its connection.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Collect such connections here, so that no later test hears of them."""
    yield
    gc.collect()


PASSWORD = "an old pond, a frog"
EMAIL = "basho@mail.test"
HOME, CAFE = "192.0.2.7", "198.51.100.20"
OWN, THIEFS = "1000001", "6660001"


@dataclass
class Browser:
    """Keeps cookies, `Secure` ones included: TLS ends at the proxy that stands before the wallet."""

    client: httpx.AsyncClient
    address: str = HOME
    accept: str = "*/*"
    language: str = "en"
    jar: dict[str, str] = field(default_factory=dict)

    async def send(self, method: str, path: str, fields: dict[str, str] | None = None) -> httpx.Response:
        headers = {
            "X-Forwarded-For": self.address,
            "User-Agent": "a browser",
            "Accept": self.accept,
            "Accept-Language": self.language,
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.jar.items()),
        }
        answer = await self.client.request(method, path, data=fields, headers=headers)
        for line in answer.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            self.jar[name] = rest.partition(";")[0]
        self.client.cookies.clear()
        return answer

    async def post(self, path: str, **fields: str) -> httpx.Response:
        return await self.send("POST", path, fields)

    async def get(self, path: str) -> httpx.Response:
        return await self.send("GET", path)


@dataclass
class Wallet:
    """A running wallet with one member and two bank accounts."""

    app: Starlette
    post: Postbox

    def browser(self, address: str = HOME, **more: Any) -> Browser:
        transport = httpx.ASGITransport(self.app)
        return Browser(httpx.AsyncClient(transport=transport, base_url="https://wallet.test"), address, **more)

    async def balance(self) -> int:
        return int((await self.app.state.books.by_email(EMAIL)).balance)

    async def prove(self, browser: Browser, asked: httpx.Response, email: str = EMAIL) -> httpx.Response:
        """Answer a step-up with a mailed code."""
        assert asked.json()["code"] == "step_up_required", asked.text
        challenge = asked.json()["challenge"]
        await browser.post("/sekisho/step-up/send", challenge=challenge, factor="email")
        code = await self.post.code(email)
        return await browser.post("/sekisho/step-up", challenge=challenge, factor="email", code=code)

    async def logged_in(self, address: str = HOME, **more: Any) -> Browser:
        browser = self.browser(address, **more)
        for _ in range(3):
            answer = await browser.post("/login", email=EMAIL, password=PASSWORD)
            if answer.status_code == 401:
                answer = await self.prove(browser, answer)
            if answer.status_code != 503:  # a busy machine's database answers a first call late
                break
        assert (answer.status_code, answer.headers["location"]) == (303, "/home")
        return browser


@asynccontextmanager
async def serving(mode: str, monkeypatch: pytest.MonkeyPatch, url: str) -> AsyncIterator[Wallet]:
    """The wallet on an empty database, with `basho`, who has 300,000 yen."""
    async with Postbox() as post:
        monkeypatch.setenv("WALLET_DATABASE", url)
        monkeypatch.setenv("WALLET_SMTP", f"127.0.0.1:{post.port}")
        monkeypatch.setenv("SHOP_ARGON2", "1,256,1")
        made = settings(url, f"smtp://127.0.0.1:{post.port}", "a secret for tests which nobody else has")
        for name, value in made.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("SEKISHO_CHALLENGES", "none")
        monkeypatch.setenv("SEKISHO_MODE", mode)
        await migrated(url)
        app = wallet.build()
        async with running(app):
            books = app.state.books
            member = await books.add(EMAIL, await app.state.passwords.hash(PASSWORD), "1644-01-01")
            rows = [{"number": number, "pin": "2468", "balance": 900_000} for number in (OWN, THIEFS)]
            await books.fill(bank_accounts, rows)
            await books.link(member.id, OWN, "2468")
            await books.top_up(member.id, OWN, 300_000)
            yield Wallet(app, post)


async def migrated(url: str) -> None:
    """The wallet's tables, and `sekisho owners migrate`."""
    books = Books(url)
    await books.create()
    await books.aclose()
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
    await engine.dispose()


@asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[None]:
    """Start and stop the wallet as a server does."""
    asked: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    told: asyncio.Queue[str] = asyncio.Queue()

    async def send(message: Any) -> None:
        await told.put(message["type"])

    async def asks(word: str) -> None:
        await asked.put({"type": f"lifespan.{word}"})
        assert await told.get() == f"lifespan.{word}.complete"

    runs = asyncio.create_task(app({"type": "lifespan", "state": {}, "asgi": {}}, asked.get, send))
    await asks("startup")
    try:
        yield
    finally:
        await asks("shutdown")
        await runs


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'wallet.sqlite3'}"


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
async def postgres_url(postgres_server: PostgresServer) -> str:
    connection = await postgres_server.connect()
    await connection.execute("drop database if exists wallet")
    await connection.execute("create database wallet")
    await connection.close()
    return postgres_server.url("wallet")


MODES = pytest.mark.parametrize("mode", ["off", "enforce"])


async def until_kept(url: str) -> None:
    """Log-ins are written beside the answer."""
    engine = create_async_engine(url)
    async with asyncio.timeout(20), engine.connect() as connection:
        while not await connection.scalar(text("select count(*) from sekisho_logins")):  # noqa: ASYNC110 - a table
            await asyncio.sleep(0.02)
    await engine.dispose()


async def test_a_member_sees_the_log_in_before(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """After the proof the wallet shows when and from where the member logged in before; without the guard nothing."""
    async with serving("enforce", monkeypatch, url) as found:
        assert "Last log-in" not in (await (await found.logged_in(HOME)).get("/home")).text
        await until_kept(url)
        shown = re.search(r"Last log-in: ([^<]+)<", (await (await found.logged_in(CAFE)).get("/home")).text)
        assert shown
        assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC · 192\.0\.2\.0/24", shown[1])


async def test_without_the_guard_no_log_in_is_shown(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The same handlers, with the guard switched off."""
    async with serving("off", monkeypatch, url) as found:
        for _ in range(2):
            assert "Last log-in" not in (await (await found.logged_in(HOME)).get("/home")).text


async def a_members_day(found: Wallet) -> None:
    browser = await found.logged_in()
    assert "¥300,000" in (await browser.get("/home")).text
    assert (await browser.post("/top-up", number=OWN, amount="1000")).status_code == 303
    assert (await browser.post("/payout", number=OWN, amount="2000")).status_code == 303
    assert await found.balance() == 299_000
    assert (await browser.post("/payout", number="0000000", amount="2000")).status_code == 409
    assert await found.balance() == 299_000
    changed = await browser.post("/password", email=EMAIL, old_password=PASSWORD, new_password="water's sound 1686")
    assert changed.status_code == 303
    assert (await browser.get("/home")).status_code == 200
    await browser.post("/logout")
    assert (await browser.get("/home")).status_code == 303


@MODES
async def test_a_member_uses_the_wallet(mode: str, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A member logs in, tops up, pays out and changes the password, with the guard off and on."""
    async with serving(mode, monkeypatch, url) as found:
        await a_members_day(found)


async def test_it_runs_on_postgresql(monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> None:
    """One variable moves the wallet to PostgreSQL."""
    async with serving("enforce", monkeypatch, postgres_url) as found:
        await a_members_day(found)


@MODES
async def test_parallel_payouts_never_spend_a_yen_twice(mode: str, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Of 40 payouts of 20,000 at once the wallet makes 15, its whole balance; behind the guard the cap allows 5."""
    async with serving(mode, monkeypatch, url) as found:
        browser = await found.logged_in()
        paid = await asyncio.gather(*(browser.post("/payout", number=THIEFS, amount="20000") for _ in range(40)))
        assert sum(answer.status_code == 303 for answer in paid) == (15 if mode == "off" else 5)
        assert await found.balance() == (0 if mode == "off" else 200_000)


@MODES
async def test_a_stolen_password_is_enough_without_the_guard_alone(
    mode: str, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """7pay: with the password a thief pays out everything; behind the guard the thief gets no session."""
    async with serving(mode, monkeypatch, url) as found:
        thief = found.browser(CAFE)
        asked = await thief.post("/login", email=EMAIL, password=PASSWORD)
        if mode == "enforce":
            assert asked.json()["code"] == "step_up_required"
            assert (await found.logged_in()).jar["session"]  # the owner gets in meanwhile
        await thief.post("/payout", number=THIEFS, amount="300000")
        assert await found.balance() == (0 if mode == "off" else 300_000)


@MODES
async def test_a_reset_to_any_address_is_a_way_in_without_the_guard_alone(
    mode: str, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """7pay's reset: its link goes to the thief. Behind the guard the new password opens no session."""
    async with serving(mode, monkeypatch, url) as found:
        thief = found.browser(CAFE)
        await thief.post("/reset", email=EMAIL, birthday="1644-01-01", send_to="thief@evil.test")
        (letter,) = found.post.letters["thief@evil.test"]
        assert (await thief.post("/reset/confirm", token=letter.reset, password="mine now 4711")).status_code == 303
        await thief.post("/login", email=EMAIL, password="mine now 4711")
        await thief.post("/payout", number=THIEFS, amount="300000")
        assert await found.balance() == (0 if mode == "off" else 300_000)


async def test_a_reset_ends_what_a_thief_has_proved(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A step-up that a thief began with the old password ends with the reset, whose form names no account."""
    async with serving("enforce", monkeypatch, url) as found:
        thief, owner = found.browser(CAFE), found.browser(HOME)
        asked = await thief.post("/login", email=EMAIL, password=PASSWORD)
        await thief.post("/sekisho/step-up/send", challenge=asked.json()["challenge"], factor="email")
        code = await found.post.code(EMAIL)
        await owner.post("/reset", email=EMAIL, birthday="1644-01-01", send_to=EMAIL)
        token = next(letter.reset for letter in found.post.letters[EMAIL] if letter.reset)
        assert (await owner.post("/reset/confirm", token=token, password="mine again 4711")).status_code == 303
        shown = await thief.post("/sekisho/step-up", challenge=asked.json()["challenge"], factor="email", code=code)
        assert (shown.status_code, shown.json()["code"]) == (410, "start_again")


async def test_the_page_of_a_payout_asks_beforehand_and_goes_on(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """On a known device the page asks for the proof, and leads to the form: nobody loses a filled one."""
    async with serving("enforce", monkeypatch, url) as found:
        browser = await found.logged_in()
        del browser.jar["session"], browser.jar["__Host-sekisho-tie"]
        assert (await browser.post("/login", email=EMAIL, password=PASSWORD)).status_code == 303
        browser.accept = "text/html"
        asked = await browser.get("/payout")
        assert asked.status_code == 401
        fields = dict(re.findall(r'name="(challenge|form)" value="([^"]+)"', asked.text))
        await browser.post("/sekisho/step-up/send", **fields, factor="email")
        code = await found.post.code(EMAIL)
        shown = await browser.post("/sekisho/step-up", **fields, factor="email", code=code)
        assert (shown.status_code, shown.headers["location"]) == (303, "/payout")
        assert 'name="amount"' in (await browser.get("/payout")).text
        assert (await browser.post("/payout", number=OWN, amount="1")).status_code == 303


@MODES
async def test_a_member_links_a_bank_account(mode: str, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The right PIN links a bank account with the guard off and on, and a wrong one does not."""
    async with serving(mode, monkeypatch, url) as found:
        browser = await found.logged_in()
        assert (await browser.post("/link", number=THIEFS, pin="1111")).status_code == 401
        linked = await browser.post("/link", number=THIEFS, pin="2468")
        assert (linked.status_code, linked.headers.get("location")) == (303, "/home"), linked.text
        assert THIEFS in (await browser.get("/home")).text


@MODES
async def test_one_pin_sideways_is_stopped_by_the_guard_alone(
    mode: str, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Docomo: one PIN at 60 account numbers from one wallet; behind the guard few of the guesses reach the bank."""
    async with serving(mode, monkeypatch, url) as found:
        browser = await found.logged_in()
        answers = [await browser.post("/link", number=f"{number:07}", pin="2468") for number in range(60)]
        reached = sum("problem" not in answer.headers["content-type"] for answer in answers)
        assert reached == 60 if mode == "off" else reached <= 20


@pytest.mark.parametrize("mode", ["off", "enforce"])
async def test_a_wallet_with_anothers_address(mode: str, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Without the guard any address opens a wallet; with it, the address's owner alone, by the code in the mailbox."""
    async with serving(mode, monkeypatch, url) as found:
        thief, email = found.browser(CAFE), "sora@mail.test"
        answer = await thief.post("/signup", email=email, password="the password of a thief")
        is_open = await found.app.state.books.by_email(email) is not None
        assert (answer.status_code, is_open) == ((303, True) if mode == "off" else (401, False))
        if mode == "enforce":
            challenge, code = answer.json()["challenge"], await found.post.code(email)
            guess = f"{(int(code) + 1) % 10**8:08}"
            for shown, status in ((guess, 401), (code, 200)):
                done = await thief.post("/sekisho/contact", challenge=challenge, code=shown)
                assert done.status_code == status
            assert await found.app.state.books.by_email(email) is None  # until the request is repeated with the proof


@pytest.mark.parametrize("language", ["en", "ja"])
async def test_pages_are_escaped_and_in_two_languages(language: str, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Each form has a page in both languages, and text from a form is escaped."""
    async with serving("off", monkeypatch, url) as found:
        browser = await found.logged_in(language=language)
        for path in ("/login", "/signup", "/reset", "/link", "/top-up", "/payout", "/password", "/home"):
            page = await browser.get(path)
            assert page.status_code == 200
            assert f'<html lang="{language}">' in page.text
        answer = await browser.post("/login", email='"><script>', password="x")
        assert "<script>" not in answer.text
