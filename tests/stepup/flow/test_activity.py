"""The owner's statement: recent log-ins after a proof, and the buttons that end a device's trust."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import sqlite3
import time
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sekisho.crypto.seal import Sealer
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.owners import Enrolment
from sekisho.owners.sql import SqlOwners
from sekisho.stepup.factors.totp import PURPOSE
from sekisho.stepup.log_ins import RecordedLogIn, previous
from sekisho.testing import SECRET, guarded
from tests.owners.worlds import PATIENT_US, QUERY
from tests.stepup.flow.driving import Site, challenge, stop
from tests.stepup.test_city_file import OSAKA, write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sekisho import LoginGuard
    from tests.asgi.driving import Answer
    from tests.stepup.flow.conftest import Later
    from tests.stepup.flow.driving import Client

HTML = b"text/html"
PAGE = "/sekisho/activity"
LOGIN = "POST /login form:username,password success=cookie:session"


@dataclass
class SqlSite(Site):
    """The shop, with its owners in SQLite."""

    url: str = ""

    def __post_init__(self) -> None:
        self.guard = self.guarded()

    def guarded(self, app: Any = None, **more: Any) -> LoginGuard:
        own = {"factors": "totp", "challenges": "none", "owners_query": QUERY, "login": LOGIN}
        settings: dict[str, Any] = {**own, **self.settings, **more}
        return guarded(app or self.shop, owners=self.url, **settings)


@asynccontextmanager
async def site_at(path: Path, **settings: Any) -> AsyncIterator[SqlSite]:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table users (username text primary key, email text, locale text)")
        connection.execute("insert into users values ('hana', null, 'ja'), ('Alice', null, 'en')")
    site = SqlSite(url=f"sqlite+aiosqlite:///{path}", settings=settings)
    owners = SqlOwners(site.url, QUERY, deadline_us=PATIENT_US, clock_s=time.monotonic)
    await owners.migrate()
    for account in ("hana", "Alice"):
        number = secrets.token_hex(16)
        sealed = Sealer((SECRET,), clock_s=time.time).seal(
            PURPOSE, site.secret, bound_to=enrolment_binding(account, number)
        )
        await owners.enrol(account, Enrolment(number, "totp", "phone", 1, sealed))
    await owners.aclose()
    try:
        yield site
    finally:
        await stop(site.guard)


async def proved(site: SqlSite, steps: int = 0, account: str = "hana", password: str = "right") -> Client:
    client = site.client(headers=[(b"user-agent", b"Mozilla/5.0 (Windows NT 10.0) Firefox/140.0")])
    shown = await client.show(challenge(await client.log_in(account, password)), site.code(steps))
    assert shown.status == 303
    return client


async def look(client: Client, accept: bytes = b"*/*") -> Answer:
    return await client.send(PAGE, method="GET", headers=(), accept=accept)


async def statement(client: Client, count: int, since_s: int = 0) -> dict[str, Any]:
    """The page's content, once it has so many log-ins, and one since then: they are written beside the answer."""
    async with asyncio.timeout(60):
        while True:
            answer = await look(client)
            assert answer.status == 200, answer.body
            found: dict[str, Any] = json.loads(answer.body)
            if len(found["log_ins"]) >= count and found["log_ins"][0]["at"] >= since_s:
                return found
            await asyncio.sleep(0.02)


async def press(client: Client, path: str, **fields: str) -> Answer:
    return await client.send(PAGE + path, urlencode(fields).encode())


async def test_an_owner_sees_how_each_log_in_ended(tmp_path: Path) -> None:
    """Proved and known log-ins are listed with browser, network and outcome; the rows in the database name none."""
    async with site_at(tmp_path / "owners.db") as site:
        client = await proved(site)
        again = site.client(headers=client.extra)
        again.jar["__Host-sekisho"] = client.jar["__Host-sekisho"]
        assert (await again.log_in()).status == 303
        found = await statement(client, 2)
        outcomes = {(one["outcome"], one["network"], one["device"]) for one in found["log_ins"]}
        assert outcomes == {("proved", "198.51.100.0/24", True), ("known", "198.51.100.0/24", True)}
        assert {one["browser"] for one in found["log_ins"]} == {"Firefox on Windows"}
        with closing(sqlite3.connect(tmp_path / "owners.db")) as connection:
            rows = connection.execute("select id, account_id, sealed from sekisho_logins").fetchall()
        assert all(b"198.51" not in sealed and b"proved" not in sealed for _, _, sealed in rows)


async def test_an_owner_sees_where_and_when_before(tmp_path: Path, later: Later) -> None:
    """With a city file each log-in has its place, in the owner's language; the one before the last is named."""
    write(tmp_path / "cities.mmdb", {"198.51.100.0/24": OSAKA})
    async with site_at(tmp_path / "owners.db", city_file=tmp_path / "cities.mmdb") as site:
        client = await proved(site)
        first = await statement(client, 1)
        assert first["previous"] is None
        assert [one["place"] for one in first["log_ins"]] == ["大阪市, JP"]
        for at_s in (30, 40):
            later.seconds = at_s
            again = site.client(headers=client.extra)
            again.jar["__Host-sekisho"] = client.jar["__Host-sekisho"]
            assert (await again.log_in()).status == 303
            found = await statement(client, 2, since_s=first["log_ins"][0]["at"] + at_s)
        assert found["previous"]["at"] == found["log_ins"][0]["at"] - 10
        assert (found["previous"]["outcome"], found["previous"]["place"]) == ("known", "大阪市, JP")
        page = (await look(client, HTML)).body.decode()
        assert "The log-in before the last one:" in page
        assert "Firefox on Windows · 大阪市, JP" in page


def test_the_log_in_before_the_last_one() -> None:
    """Of completed log-ins; an earlier time of the same row, another row, or one that is gone; or none is known."""
    last = RecordedLogIn("k1", 900, "known", "Firefox", "n", b"", "Osaka, JP", ("p2", 500))
    other = RecordedLogIn("p2", 800, "proved", "Safari", "m", b"d", "Kyoto, JP")
    stopped = RecordedLogIn("n3", 950, "not_completed", "curl", "o", b"", "", ("k1", 900))
    assert previous([stopped, last, other]) == other._replace(at_s=500)
    assert previous([last._replace(before=("k1", 700)), other]) == last._replace(at_s=700, before=("k1", 700))
    assert previous([last]) == RecordedLogIn("p2", 500, "known", "", "", b"")
    assert previous([last._replace(before=("", 0)), other]) is None
    assert previous([stopped]) is previous([]) is None


async def test_log_ins_of_earlier_versions_stay_readable(tmp_path: Path) -> None:
    """Rows without place and predecessor are listed; rows of another secret are left out."""
    async with site_at(tmp_path / "owners.db") as site:
        client = await proved(site)
        await statement(client, 1)
        number, content = "k" + "0" * 31, json.dumps(["known", "Safari", "192.0.2.0/24", ""]).encode()
        bound_to = enrolment_binding("hana", number)
        with closing(sqlite3.connect(tmp_path / "owners.db")) as connection, connection:
            for key, row_id in ((SECRET, number), (b"x" * 32, "k" + "1" * 31)):
                sealed = Sealer((key,), clock_s=time.time).seal(b"log-in", content, bound_to=bound_to)
                connection.execute(
                    "insert into sekisho_logins values (?, 'hana', ?, ?)", (row_id, int(time.time()), sealed)
                )
        found = await statement(client, 2)
        assert [(one["browser"], one["place"]) for one in found["log_ins"] if one["id"] == number] == [("Safari", "")]
        assert len(found["log_ins"]) == 2


async def test_without_a_proof_of_the_account_nothing_is_shown(tmp_path: Path, later: Later) -> None:
    """R4: no session, no statement; a proof of five minutes ago is asked again; another account's rows are its own."""
    async with site_at(tmp_path / "owners.db") as site:
        assert (await look(site.client())).status == 401
        hana, alice = await proved(site), await proved(site, 0, "Alice", "wonder")
        own = {one["id"] for one in (await statement(hana, 1))["log_ins"]}
        assert own.isdisjoint(one["id"] for one in (await statement(alice, 1))["log_ins"])
        later.seconds = 301
        assert (await look(hana)).status == 401


async def test_end_trust_ends_that_device(tmp_path: Path, later: Later) -> None:
    """*End trust* makes the device a stranger within a minute; another account's id, or no token, ends nothing."""
    async with site_at(tmp_path / "owners.db") as site:
        device = await proved(site, -1)
        found = await statement(device, 1)
        [row] = found["log_ins"]
        alice = await proved(site, 0, "Alice", "wonder")
        theirs = await statement(alice, 1)
        assert (await press(alice, "/end", token=theirs["token"], id=row["id"])).status == 200
        assert (await press(device, "/end", token="", id=row["id"])).status == 410
        later.seconds = 61
        assert (await device.log_in()).status == 303
        assert (await press(device, "/end", token=found["token"], id=row["id"])).status == 200
        later.seconds = 130
        assert (await device.log_in()).status == 401


async def test_not_me_calls_the_service(tmp_path: Path) -> None:
    """*Not me* ends the device's trust and calls the service's function with the account, once."""
    told: list[str] = []
    async with site_at(tmp_path / "owners.db", on_not_me=told.append) as site:
        client = await proved(site)
        found = await statement(client, 1)
        assert (await press(client, "/not-me", token=found["token"], id=found["log_ins"][0]["id"])).status == 200
        assert told == ["hana"]


async def test_the_page_for_people_has_both_buttons(tmp_path: Path) -> None:
    """The page lists the log-in with its time in UTC and both buttons, in the browser's language."""
    async with site_at(tmp_path / "owners.db") as site:
        client = await proved(site)
        await statement(client, 1)
        client.extra.append((b"accept-language", b"ja"))
        page = (await look(client, HTML)).body.decode()
        assert re.search(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC", page)
        assert "信頼を取り消す" in page
        assert "身に覚えがない" in page
        assert f'action="{PAGE}/not-me"' in page
