"""Promised: an upgrade is quiet. Workers of the last landed version and of this one share a Redis and owners."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sqlite3
import time
from base64 import b32encode
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pyotp
import pytest_asyncio

from sekisho.cli import main
from sekisho.crypto.seal import Sealer
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.owners import Enrolment
from sekisho.owners.sql import SqlOwners
from sekisho.stepup.factors.totp import PURPOSE, new_secret
from tests.acceptance.processes import SECRET
from tests.upgrade.versions import Worker, landed, worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

HERE = Path(__file__).parents[2] / "middleware"
SECONDS = float(os.environ.get("SIDE_BY_SIDE_SECONDS", "15"))
QUERY = "select email, locale, name as account_id from users where name = :account"
MEMBERS = [f"member{number}" for number in range(8)]
SETTINGS = {
    "login": "POST /login form:username,password success=303:/home",
    "factors": "totp",
    "challenges": "none",
    "limit_ip": "20/10minute",
    "trusted_proxies": "127.0.0.1",
    "store_deadline_ms": "5000",
    "owners_query": QUERY,
}


class Site(NamedTuple):
    """Attributes:
    old: a worker of the last landed version.
    new: a worker of this one.
    secrets: of the members' authenticator apps.
    """

    old: Worker
    new: Worker
    secrets: dict[str, bytes]

    def both(self, number: int) -> tuple[str, str]:
        """Their URLs, either one first in turn."""
        urls = (self.old.url, self.new.url)
        return urls if number % 2 == 0 else urls[::-1]


class Browser:
    """A member's browser with cookies for both workers, as behind a load balancer."""

    def __init__(self, client: httpx.AsyncClient, site: Site, name: str, address: str) -> None:
        self._client, self._site, self._name = client, site, name
        self._headers = {"x-forwarded-for": address, "accept": "application/json"}
        self._jar: dict[str, str] = {}

    async def log_in(self, url: str, password: str = "right") -> httpx.Response:
        return await self._send(f"{url}/login", {"username": self._name, "password": password})

    async def prove(self, url: str, asked: httpx.Response, steps: int = 0) -> httpx.Response:
        secret = pyotp.TOTP(b32encode(self._site.secrets[self._name]).decode())
        code = secret.at(int(time.time()) + 30 * steps)
        return await self._send(
            f"{url}/sekisho/step-up", {"challenge": asked.json()["challenge"], "factor": "totp", "code": code}
        )

    async def _send(self, url: str, data: dict[str, str]) -> httpx.Response:
        cookies = "; ".join(f"{name}={value}" for name, value in self._jar.items())
        answer = await self._client.post(url, data=data, headers={**self._headers, "cookie": cookies})
        for line in answer.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            self._jar[name] = rest.partition(";")[0]
        return answer


@pytest_asyncio.fixture
async def site(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """Both workers on one Redis and one owners' database, with members who have enrolled an app."""
    database = f"sqlite+aiosqlite:///{tmp_path / 'owners.sqlite3'}"
    connection = sqlite3.connect(tmp_path / "owners.sqlite3")
    with connection:
        connection.execute("create table users (name text primary key, email text, locale text)")
        connection.executemany("insert into users values (?, null, 'en')", [(name,) for name in MEMBERS])
    connection.close()
    for name, value in {"SECRET": SECRET, "OWNERS": database, "OWNERS_QUERY": QUERY}.items():
        monkeypatch.setenv(f"SEKISHO_{name}", value)
    assert await asyncio.to_thread(main, ["owners", "migrate"]) == 0
    apps = await _enrolled(database)
    settings = {**SETTINGS, "store": redis_url, "owners": database}
    with (
        worker(landed(tmp_path), tmp_path / "old.err", **settings) as old,
        worker(HERE, tmp_path / "new.err", **settings) as new,
    ):
        yield Site(old, new, apps)


async def _enrolled(database: str) -> dict[str, bytes]:
    owners = SqlOwners(database, QUERY, clock_s=time.monotonic)
    apps = {name: new_secret() for name in MEMBERS}
    for name, secret in apps.items():
        number = secrets.token_hex(16)
        sealed = Sealer([SECRET.encode()], clock_s=time.time).seal(
            PURPOSE, secret, bound_to=enrolment_binding(name, number)
        )
        await owners.enrol(name, Enrolment(number, "totp", "phone", 1_750_000_000, sealed))
    await owners.aclose()
    return apps


async def test_no_device_is_lost_no_counter_reset_and_nothing_said(site: Site) -> None:
    """Members prove themselves across versions and stay known at both; guesses count at both; nothing is logged."""
    async with httpx.AsyncClient(timeout=30) as client:
        browsers = [Browser(client, site, name, f"198.51.100.{n}") for n, name in enumerate(MEMBERS, 1)]
        before = [worker.errors.read_text() for worker in (site.old, site.new)]
        # One after the other: sixteen writers of one SQLite file would wait for each other on a busy machine.
        proofs = [await proved(site, one, number) for number, one in enumerate(browsers)]
        statuses, guesses = await asyncio.gather(
            asyncio.gather(*(stays_known(site, one, number) for number, one in enumerate(browsers))),
            guessed(client, site),
        )
        after = [worker.errors.read_text() for worker in (site.old, site.new)]

    assert proofs == [303] * len(MEMBERS)
    assert statuses == [{303}] * len(MEMBERS)
    assert guesses == [401] * 20 + [429] * 10
    assert [_beyond(said) for said in zip(before, after, strict=True)] == [[], []]


EXPECTED = ("answered", "did not answer in time", "answers again")
"""Refusals; and that a busy machine's file of owners was late."""


def _beyond(said: tuple[str, str]) -> list[str]:
    """The lines since the start that are not expected."""
    lines = said[1].removeprefix(said[0]).splitlines()
    return [line for line in lines if not any(word in line for word in EXPECTED)]


async def test_an_account_has_one_limit_and_a_seen_device_stays_seen(tmp_path: Path, redis_url: str) -> None:
    """Without factors, guesses at one account count at both versions, and its owner's device passes at both."""
    settings = {"login": SETTINGS["login"], "challenges": "none", "trusted_proxies": "127.0.0.1", "store": redis_url}
    with (
        worker(landed(tmp_path), tmp_path / "old.err", **settings) as old,
        # Stamps stand beside the tokens that it hands out: earlier versions skip them.
        worker(HERE, tmp_path / "new.err", **settings, aged_device_days="14") as new,
    ):
        site = Site(old, new, {})
        async with httpx.AsyncClient(timeout=30) as client:
            owner = Browser(client, site, "hana", "198.51.100.7")
            first = (await owner.log_in(old.url)).status_code
            strangers = [Browser(client, site, "hana", f"203.0.113.{number}") for number in range(10)]
            guesses = [
                (await stranger.log_in(site.both(number)[0], f"guess{number}")).status_code
                for number, stranger in enumerate(strangers)
            ]
            known = [(await owner.log_in(site.both(number)[0])).status_code for number in range(8)]

    assert first == 303
    assert guesses == [401] * 5 + [429] * 5
    assert known == [303] * 8


async def proved(site: Site, browser: Browser, number: int) -> int:
    """Log in at one version, and show the proof at the other."""
    one, other = site.both(number)
    asked = await browser.log_in(one)
    assert (asked.status_code, asked.json()["code"]) == (401, "step_up_required"), asked.text
    return (await browser.prove(other, asked)).status_code


async def stays_known(site: Site, browser: Browser, number: int) -> set[int]:
    """Log in at both in turn, as often as the device's limit allows."""
    found = set()
    for step in range(8):
        found.add((await browser.log_in(site.both(number + step)[0])).status_code)
        await asyncio.sleep(SECONDS / 8)
    return found


async def guessed(client: httpx.AsyncClient, site: Site) -> list[int]:
    """The answers to an address that guesses at many accounts, at both versions in turn."""
    statuses = []
    for number in range(30):
        answer = await client.post(
            f"{site.both(number)[0]}/login",
            data={"username": f"nobody{number}", "password": f"guess{number}"},
            headers={"x-forwarded-for": "203.0.113.9", "accept": "application/json"},
        )
        code = json.loads(answer.text).get("code") if answer.text.startswith("{") else ""
        assert code in {"", "step_up_required", "too_many_attempts"}
        statuses.append(answer.status_code)
    return statuses
