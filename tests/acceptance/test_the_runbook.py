"""The runbook's entries, block by block; `test_an_owner_is_locked_out` has that of a locked-out owner."""

from __future__ import annotations

import asyncio
import re
import secrets
import sqlite3
import time
from base64 import b32encode
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pyotp

from sekisho.crypto.seal import Sealer
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.owners import Enrolment
from sekisho.owners.sql import SqlOwners
from sekisho.stepup.factors.totp import PURPOSE, new_secret
from tests.acceptance.processes import SECRET, worker
from tests.acceptance.runbook import PAGE, Shell, becomes, blocks
from tests.owners.worlds import PATIENT_US, QUERY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import RedisServer

SETTINGS = {
    "workers": "2",
    "canary": "off",
    "challenges": "none",
    "limit_ip": "5/10minute",
    "trusted_proxies": "127.0.0.1",
    "store_deadline_ms": "5000",
}
ATTACKER, STRANGER, OWNER = "203.0.113.9", "198.51.100.7", "192.0.2.4"


class Browser(NamedTuple):
    """A browser at an address, with or without the device's cookie."""

    address: str
    cookie: str = ""

    def log_in(self, url: str, password: str = "right", account: str = "hana") -> httpx.Response:
        headers = {"x-forwarded-for": self.address, "cookie": self.cookie}
        data = {"username": account, "password": password}
        return httpx.post(f"{url}/login", data=data, headers=headers, trust_env=False, timeout=60)

    def statuses(self, urls: list[str], password: str = "right", account: str = "hana") -> list[int]:
        return [self.log_in(url, password, account).status_code for url in urls]


def known(url: str) -> Browser:
    """The owner's browser, after a log-in."""
    return Browser(OWNER, device_of(Browser(OWNER).log_in(url)))


def device_of(answer: httpx.Response) -> str:
    """The device's cookie."""
    lines = answer.headers.get_list("set-cookie")
    return next(line.partition(";")[0] for line in lines if line.startswith("__Host-sekisho="))


def with_owners(folder: Path) -> dict[str, str]:
    """A database with one owner, and the settings that name it."""
    path = folder / "owners.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table users (username text primary key, email text, locale text)")
        connection.execute("insert into users values ('hana', null, 'en')")
    url = f"sqlite+aiosqlite:///{path}"
    return {"factors": "totp", "owners": url, "owners_query": QUERY}


async def enrolled(settings: dict[str, str], secret: str) -> bytes:
    """An authenticator app of the owner's, enrolled long ago and sealed with a secret of the service."""
    held, number = new_secret(), secrets.token_hex(16)
    database = SqlOwners(settings["owners"], QUERY, deadline_us=PATIENT_US, clock_s=time.monotonic)
    await database.migrate()
    sealer = Sealer((secret.encode(),), clock_s=time.time)
    sealed = sealer.seal(PURPOSE, held, bound_to=enrolment_binding("hana", number))
    await database.enrol("hana", Enrolment(number, "totp", "phone", 1, sealed))
    await database.aclose()
    return held


def test_under_attack(redis_url: str, tmp_path: Path) -> None:
    """Workers that watched enforce, ask strangers, and refuse the attacker's network; the owner gets in throughout."""
    events = tmp_path / "events"
    look, enforce, ask, refuse, end = blocks("We are under attack")
    settings = {
        **SETTINGS, **with_owners(tmp_path), "store": redis_url, "mode": "monitor", "step_up": "attack",
        "events_file": str(events),
    }  # fmt: skip
    shell = Shell(tmp_path, **settings)
    shell("sekisho owners migrate")
    with ExitStack() as stack:
        urls = [stack.enter_context(worker(**settings)) for _ in range(2)]
        owner = known(urls[0])
        attack = [Browser(ATTACKER).log_in(urls[n % 2], "guess", f"owner {n}").status_code for n in range(12)]
        assert attack == [401] * 12
        becomes(lambda: '"throttle"' in events.read_text(), True)
        assert "action=throttle" in shell(look)
        shell(enforce)
        becomes(lambda: Browser(ATTACKER).statuses(urls, "guess", "another"), [429, 429])
        shell(ask)
        becomes(lambda: asked(urls), True)
        shell(refuse)
        becomes(lambda: Browser("203.0.113.77").statuses(urls, "guess", "nobody"), [403, 403])
        assert owner.statuses(urls) == [303, 303]
        assert "forced: attack" in shell("sekisho posture")
        shell(end)
        becomes(lambda: 403 in Browser("203.0.113.78").statuses(urls, "guess", "nobody"), False)
        assert "forced" not in shell("sekisho posture")


def test_an_alarm_is_raised(redis_url: str, tmp_path: Path) -> None:
    """The first look works, and every worker watches only where the guard is not understood."""
    look, watch = blocks("An alarm is raised")
    settings = {**SETTINGS, "store": redis_url, "events_file": str(tmp_path / "events")}
    shell = Shell(tmp_path, **settings)
    with ExitStack() as stack:
        urls = [stack.enter_context(worker(**settings)) for _ in range(2)]
        becomes(lambda: Browser(ATTACKER).statuses(urls, "guess", secrets.token_hex(4)), [429, 429])
        assert "enforce" in shell(look)
        shell(watch)
        becomes(lambda: Browser(ATTACKER).statuses(urls, "guess", "another"), [401, 401])


def test_owners_behind_one_address_are_refused(redis_url: str, tmp_path: Path) -> None:
    """The office is found and named, its owners get in once its limits are lifted, and no longer."""
    find, allow, end = blocks("Owners behind one address are refused")
    audit = tmp_path / "audit.jsonl"
    settings = {**SETTINGS, "store": redis_url, "audit": f"file:{audit}", "audit_address": "prefix", "history": "off"}
    shell, office = Shell(tmp_path, **settings), Browser("203.0.113.7")
    with ExitStack() as stack:
        urls = [stack.enter_context(worker(**settings)) for _ in range(2)]
        assert [office.log_in(urls[0], account=f"colleague {n}").status_code for n in range(6)] == [303] * 6
        for n in range(5):
            office.log_in(urls[n % 2], "a typo", f"colleague {n}")
        becomes(lambda: [each for n in range(4) for each in office.statuses(urls, account=f"colleague {n}")], [429] * 8)
        becomes(lambda: "owners refused" in shell(f"{find} true"), True)
        found = shell(find, status=1)
        assert found.startswith("203.0.113.7  203.0.113.0/24\n")
        assert "  for a time: sekisho allow 203.0.113.7 --for 2h\n" in found
        assert "  for good:   SEKISHO_ALLOW=203.0.113.7\n" in found
        shell(allow)
        becomes(lambda: office.statuses(urls, account="colleague 1"), [303, 303])
        assert "Under no limit: the address is on the allow list." in shell(end)
        assert "the list is empty" in shell("sekisho allow")


def test_every_alarm_has_its_line() -> None:
    """An operator who is woken by an alarm finds its name on the page."""
    rules = (PAGE.parents[1] / "examples" / "deploy" / "prometheus" / "rules.yml").read_text()
    entry = PAGE.read_text("utf-8").partition("\n## An alarm is raised\n")[2].partition("\n## ")[0]

    assert set(re.findall(r"alert: (\w+)", rules)) == set(re.findall(r"`(Sekisho\w+)`", entry))


def test_it_works(redis_url: str, tmp_path: Path) -> None:
    """A service that works: its door is tried, and the events of it are shown."""
    (look,) = blocks("Does it work?")
    settings = {**SETTINGS, "store": redis_url, "events_file": str(tmp_path / "events")}
    (tmp_path / "events").touch()
    with worker(**settings) as url:
        known(url)
        becomes(lambda: '"settled"' in (tmp_path / "events").read_text(), True)
        said = Shell(tmp_path, **settings)(look.replace("https://shop.example", url))

    assert "the invented log-in failed" in said
    assert re.search(r"settled .*POST /login", said)


def test_other_limits(redis_url: str, tmp_path: Path) -> None:
    """What changes is printed, and attempts of before are judged again: a third guess would have been refused."""
    check, judge, look = blocks("We want other limits")
    settings = {
        **SETTINGS, "store": redis_url, "events_file": str(tmp_path / "events"),
        "audit": f"file:{tmp_path}/audit.jsonl", "audit_replay": "on",
    }  # fmt: skip
    given = {f"SEKISHO_{name.upper()}": value for name, value in {**settings, "limit_ip": "2/10minute"}.items()}
    lines = [f'{name}="{value}"\n' for name, value in {**given, "SEKISHO_SECRET": SECRET}.items()]
    (tmp_path / "new.env").write_text("".join(lines))
    (tmp_path / "audit.jsonl").touch()
    shell = Shell(tmp_path, **settings)
    with worker(**settings) as url:
        assert [Browser(ATTACKER).log_in(url, "guess", f"owner {n}").status_code for n in range(3)] == [401] * 3
        becomes(lambda: (tmp_path / "audit.jsonl").read_text().count('"failed"'), 3)
    assert "SEKISHO_LIMIT_IP: 5/10minute -> 2/10minute" in shell(check, 1)
    assert "3 attempts judged again, 1 differently" in shell(judge)
    assert "POST /login" in shell(look)


def test_back_to_the_version_before(redis_url: str, tmp_path: Path) -> None:
    """The commands that say whether a version would start with the settings."""
    (look,) = blocks("Back to the version before")
    settings = {**SETTINGS, "store": redis_url}
    (tmp_path / "environment").write_text(f"SEKISHO_SECRET={SECRET}\nSEKISHO_STORE={redis_url}\n")

    assert "sekisho " in Shell(tmp_path, **settings)(look, 1)  # what doctor finds in a Redis of tests


def asked(urls: list[str]) -> bool:
    """Whether a stranger is asked for a second proof, at every worker; for an account that there is none of, too."""
    stranger = Browser(f"198.{18 + secrets.randbelow(2)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}")
    answers = [stranger.log_in(url, "guess", secrets.token_hex(4)) for url in urls]
    return all("step_up_required" in answer.text for answer in answers)


def test_redis_is_gone(own_redis_server: RedisServer, tmp_path: Path) -> None:
    """While Redis is away, doctor says so and each worker limits alone; when it is back, the workers count together."""
    events = tmp_path / "events"
    look, start, check = blocks("Redis is gone")
    settings = {**SETTINGS, "store": own_redis_server.url, "events_file": str(events)}
    shell = Shell(tmp_path, **settings)
    with ExitStack() as stack:
        urls = [stack.enter_context(worker(**settings)) for _ in range(2)]
        owner = known(urls[0])
        own_redis_server.kill()
        gone = [Browser(ATTACKER).statuses(urls, "guess", f"owner {n}") for n in range(8)]
        assert gone[-1] == [429, 429]
        assert owner.statuses(urls) == [303, 303]
        becomes(lambda: '"degraded"' in events.read_text(), True)
        assert "degraded part=" in shell(look)
        shell(start)
        own_redis_server.start()
        becomes(lambda: '"recovered"' in events.read_text(), True)
        assert "recovered part=" in shell(check)
        becomes(lambda: own_redis_server.cli("DBSIZE") > 0 or (owner.statuses(urls) and False), True)


def test_the_secret_leaked(redis_url: str, tmp_path: Path) -> None:
    """After the restart the old secret's device tokens are worth nothing, and the owner's app proves her as before."""
    make, seal, check = blocks("We leaked the secret")
    file = tmp_path / "sekisho"
    file.write_text(old := secrets.token_urlsafe(48))
    settings = {**SETTINGS, **with_owners(tmp_path), "store": redis_url, "secret_file": str(file)}
    held = asyncio.run(enrolled(settings, old))
    shell = Shell(tmp_path, **settings)
    with worker(**settings) as url:
        device = proved(url, held, 0)
        assert device.statuses([url]) == [303]
    shell(make)
    with worker(**settings) as url:
        assert device.statuses([url]) == [401]
        shell(seal)
        assert not (tmp_path / "sekisho.old").exists()
        assert proved(url, held, 1).statuses([url]) == [303]
        shell(check)


def proved(url: str, held: bytes, steps: int) -> Browser:
    """The owner's browser, after a log-in and a code of the app.

    `steps`: of which time step, from this one on: an earlier one's would be too old if this one ended meanwhile.
    """
    asked = Browser(OWNER).log_in(url)
    key = asked.headers["set-cookie"].partition(";")[0]
    code = pyotp.TOTP(b32encode(held).decode()).at(int(time.time()) + 30 * steps)
    shown = httpx.post(
        f"{url}/sekisho/step-up",
        data={"challenge": asked.json()["challenge"], "factor": "totp", "code": code},
        headers={"x-forwarded-for": OWNER, "cookie": key},
        trust_env=False,
        timeout=60,
    )
    assert shown.status_code == 303, shown.text
    return Browser(OWNER, device_of(shown))
