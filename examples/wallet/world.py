"""A wallet with owners, their phones and mailboxes, for the stories: a server process, and browsers that visit it."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
from base64 import b32encode
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

import pyotp
from sqlalchemy.ext.asyncio import create_async_engine

from sekisho.crypto.seal import Sealer
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.owners.schema import enrolments, upgrade
from sekisho.passwords import Passwords, Profile
from sekisho.simulate.browsers import BROWSERS
from sekisho.simulate.client import Client, HttpAnswer, Unanswered
from sekisho.simulate.service import ExampleService
from sekisho.simulate.solve import solved
from sekisho.stepup.factors.totp import PURPOSE, SECRET_BYTES

from .books import Books, bank_accounts, links, members
from .environment import settings
from .postbox import Postbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

SECRET = "a secret for the stories alone and worth nothing elsewhere"
BUSY, BUSY_TRIES, BUSY_SECONDS = 503, 5, 0.4
LETTERS_SECONDS = 1.5  # letters leave at once, and on a busy machine a second later
ENROLLED_SECONDS = 30 * 86_400  # before the story: a new app opens no protected route for three days
FACTORY = "wallet.app:build"
THIEFS = [f"66{number:05}" for number in range(100)]
"""Bank accounts that the thieves opened."""

_YEN = re.compile(rb'class="yen">\xc2\xa5([\d,]+)<')
_LINKED = re.compile(rb"<li><span>(\d{7})</span></li>")


class Owner(NamedTuple):
    """An owner of a wallet. `app`: has an authenticator app; otherwise codes come by mail."""

    number: int
    password: str
    balance: int
    app: bool

    @property
    def email(self) -> str:
        return f"owner{self.number}@mail.test"

    @property
    def birthday(self) -> str:
        return f"19{50 + self.number % 50}-0{1 + self.number % 9}-1{self.number % 10}"

    @property
    def bank(self) -> str:
        return f"1{self.number:06}"

    @property
    def home(self) -> str:
        return f"240.{self.number // 250}.{self.number % 250}.7"

    @property
    def app_secret(self) -> str:
        """The secret of the app in base32; empty for an owner without one."""
        return b32encode(_app_secret(self.number)).decode() if self.app else ""

    def code(self, steps: int = 0) -> str:
        """The code of the app, so many times 30 seconds from now: one that was shown is used up."""
        app = pyotp.TOTP(b32encode(_app_secret(self.number)).decode())
        return app.at(int(time.time()) + 30 * steps)

    def __repr__(self) -> str:
        return f"Owner({self.number})"


def _app_secret(number: int) -> bytes:
    return blake2b(number.to_bytes(8), digest_size=SECRET_BYTES, person=b"story").digest()


class Cast(NamedTuple):
    """The people and bank accounts of one story.

    Attributes:
        owners: their number.
        apps: of ten owners, how many have an authenticator app.
        common: how many of the most common passwords owners choose from; 0: each has one of their own.
        strangers: bank accounts whose holders have no wallet; one PIN in a hundred is 1234.
    """

    owners: int = 200
    apps: int = 5
    common: int = 0
    strangers: int = 0

    def people(self) -> list[Owner]:
        random = Random(1709)  # noqa: S311 - the same story each time
        return [
            Owner(number, self._password(number), random.randrange(20_000, 400_000, 1_000), number % 10 < self.apps)
            for number in range(self.owners)
        ]

    def _password(self, number: int) -> str:
        return common_password(number % self.common) if self.common else f"own password of {number:04}"


def common_password(rank: int) -> str:
    return f"popular{rank:02}password"


async def filled(cast: Cast, database: Path) -> list[Owner]:
    """Write a wallet's database; returns its owners."""
    url = f"sqlite+aiosqlite:///{database}"
    books, passwords, owners = Books(url), Passwords(Profile(1, 256, 1)), cast.people()
    await books.create()
    hashed = {owner.password: await passwords.hash(owner.password) for owner in owners}
    banks = [(owner.bank, f"{1000 + 7 * owner.number % 9000}", 300_000) for owner in owners]
    banks += [(f"5{number:06}", "1234" if number % 100 == 7 else "8642", 300_000) for number in range(cast.strangers)]
    banks += [(number, "0000", 0) for number in THIEFS]
    rows = [
        {"id": f"{owner.number:032x}", "email": owner.email, "birthday": owner.birthday,
         "password_hash": hashed[owner.password], "balance": owner.balance}
        for owner in owners
    ]  # fmt: skip
    await books.fill(members, rows)
    await books.fill(
        bank_accounts, ({"number": number, "pin": pin, "balance": balance} for number, pin, balance in banks)
    )
    await books.fill(links, ({"member": f"{owner.number:032x}", "number": owner.bank} for owner in owners))
    await passwords.aclose()
    await books.aclose()
    await _with_apps(url, [owner for owner in owners if owner.app])
    return owners


async def _with_apps(url: str, owners: list[Owner]) -> None:
    """What `sekisho owners migrate`, and each owner on the page of factors, would do."""
    sealer, now_s = Sealer((SECRET.encode(),), clock_s=time.time), int(time.time()) - ENROLLED_SECONDS
    rows = []
    for owner in owners:
        account, number = f"{owner.number:032x}", f"{owner.number:032x}"
        sealed = sealer.seal(PURPOSE, _app_secret(owner.number), bound_to=enrolment_binding(account, number))
        rows.append(
            {"id": number, "account_id": account, "kind": "totp", "label": "", "created_s": now_s, "sealed": sealed}
        )
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
        if rows:
            await connection.execute(enrolments.insert(), rows)
    await engine.dispose()


@dataclass
class World:
    """One run of one story: a wallet that listens, its owners, and the letters that were sent.

    `ports`: of the wallet; of the weak service beside it, where there is one.
    """

    guarded: bool
    ports: list[int]
    owners: list[Owner]
    post: Postbox
    database: Path
    browsers: list[Browser] = field(default_factory=list)

    def browser(self, address: str, *, at: int = 0, works: bool = False) -> Browser:
        made = Browser(self.ports[at], address, BROWSERS[len(self.browsers) % len(BROWSERS)], works=works)
        self.browsers.append(made)
        return made

    async def lost(self) -> int:
        """How much money has reached the thieves' bank accounts."""
        books = Books(f"sqlite+aiosqlite:///{self.database}")
        found = await books.paid_to(THIEFS)
        await books.aclose()
        return found

    async def told(self) -> int:
        """How many owners have got a letter that is no code, once no more letters come."""
        count = -1
        while count != (now := sum(map(len, self.post.letters.values()))):
            count = now
            await asyncio.sleep(LETTERS_SECONDS)
        return sum(
            any(not letter.code and letter.text for letter in self.post.letters.get(owner.email, ()))
            for owner in self.owners
        )


@asynccontextmanager
async def world(
    cast: Cast, directory: Path, *, guarded: bool, more: Mapping[str, str], weak: Mapping[str, str | None] | None
) -> AsyncIterator[World]:
    """A wallet on a new database.

    Args:
        cast: its people.
        directory: an empty folder.
        guarded: whether the guard enforces; otherwise `SEKISHO_MODE` is off.
        more: settings other than those of `guard.env`.
        weak: of the service beside it, on the same database and store; `None` unsets one.
    """
    database = directory / "wallet.sqlite3"
    owners = await filled(cast, database)
    async with Postbox() as post:
        made = _settings(database, post, guarded=guarded) | dict(more)
        async with ExampleService(FACTORY, directory, made) as service:
            ports = [service.port]
            if weak is None:
                found = World(guarded, ports, owners, post, database)
                yield found
                await _leave(found)
                return
            beside = directory / "beside"
            beside.mkdir()
            less = {name: value for name, value in (made | dict(weak)).items() if value is not None}
            async with ExampleService(FACTORY, beside, less) as second:
                found = World(guarded, [*ports, second.port], owners, post, database)
                yield found
                await _leave(found)


async def _leave(found: World) -> None:
    for browser in found.browsers:
        await browser.aclose()


def _settings(database: Path, post: Postbox, *, guarded: bool) -> dict[str, str]:
    return {
        **settings(f"sqlite+aiosqlite:///{database}", f"smtp://127.0.0.1:{post.port}", SECRET),
        "SEKISHO_MODE": "enforce" if guarded else "off",
        "WALLET_DATABASE": f"sqlite+aiosqlite:///{database}",
        "WALLET_SMTP": f"127.0.0.1:{post.port}",
    }


class Browser:
    """A browser at an address, which keeps its cookies and its connection. Redirections are not followed.

    `works`: does the proof of work that it is asked for.
    """

    def __init__(self, port: int, address: str, agent: str, *, works: bool) -> None:
        self.address = address
        self._works = works
        self.jar: dict[str, str] = {}
        self._agent = agent
        self._client = Client(port)

    async def get(self, path: str) -> HttpAnswer:
        return await self._send("GET", path, None)

    async def post(self, path: str, **fields: str) -> HttpAnswer:
        """Send a form, do the work that is asked for, and come again while the service is busy (503)."""
        for _ in range(BUSY_TRIES):
            answer = await self._post(path, fields)
            if answer.status != BUSY:
                break
            await asyncio.sleep(BUSY_SECONDS)
        return answer

    async def _post(self, path: str, fields: Mapping[str, str]) -> HttpAnswer:
        answer = await self._send("POST", path, fields)
        if answer.code != "challenge_required" or not self._works:
            return answer
        puzzle = json.loads(answer.body).get("work")
        work = await asyncio.to_thread(solved, puzzle)
        return await self._send("POST", path, fields, shown=f"Sekisho-Work: {work}")

    async def _send(self, method: str, path: str, fields: Mapping[str, str] | None, *, shown: str = "") -> HttpAnswer:
        body = urlencode(fields) if fields is not None else ""
        lines = [
            f"{method} {path} HTTP/1.1", "Host: wallet.test", "Accept: */*", f"User-Agent: {self._agent}",
            f"X-Forwarded-For: {self.address}",
        ]  # fmt: skip
        if self.jar:
            lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in self.jar.items()))
        if shown:
            lines.append(shown)
        if fields is not None:
            lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
        try:
            answer = await self._client.send("\r\n".join([*lines, "", body]).encode("latin-1"))
        except Unanswered:
            return HttpAnswer(0, (), b"")
        self.jar |= answer.cookies()
        return answer

    # What a person or a thief does with it.

    async def home(self) -> tuple[int, list[str]] | None:
        """The balance and the linked bank accounts; None without a session."""
        page = await self.get("/home")
        found = _YEN.search(page.body)
        if page.status != 200 or found is None:
            return None
        return int(found[1].replace(b",", b"")), [number.decode() for number in _LINKED.findall(page.body)]

    async def prove(
        self, asked: HttpAnswer, owner: Owner | None, email: str, post: Postbox, *, steps: int = 0
    ) -> HttpAnswer:
        """Answer a step-up with the app's code, or with one that was mailed to `email`. `steps`: see `Owner.code`."""
        question = json.loads(asked.body)
        challenge = question.get("challenge", "")
        if owner is not None and owner.app and "totp" in question.get("factors", ()):
            return await self.post("/sekisho/step-up", challenge=challenge, factor="totp", code=owner.code(steps))
        if "email" not in question.get("factors", ()):
            return asked  # a passkey signs for the site's own pages, and for no other's
        await self.post("/sekisho/step-up/send", challenge=challenge, factor="email")
        return await self.post("/sekisho/step-up", challenge=challenge, factor="email", code=await post.code(email))

    async def sign_up(self, email: str, password: str, post: Postbox) -> HttpAnswer:
        """Open a wallet, with the code that is mailed to the address where one is asked for."""
        fields = {"email": email, "password": password}
        asked = await self.post("/signup", **fields)
        if asked.code != "contact_required":
            return asked
        challenge = json.loads(asked.body)["challenge"]
        done = await self.post("/sekisho/contact", challenge=challenge, code=await post.code(email))
        proof = json.loads(done.body).get("proof", "")
        return await self._send("POST", "/signup", fields, shown=f"Sekisho-Proof: {proof}")

    async def aclose(self) -> None:
        await self._client.__aexit__()


def redis_server() -> str | None:
    return shutil.which("redis-server")
