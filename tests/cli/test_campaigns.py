"""`sekisho campaigns` finds an attack in the events, and `sekisho report` names and closes the accounts it entered."""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
import time
from contextlib import asynccontextmanager, closing
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from sekisho.cli.operator import desk
from sekisho.crypto.seal import Sealer
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.owners import Enrolment
from sekisho.owners.sql import SqlOwners
from sekisho.record import Subjects
from sekisho.record.lines import encode
from sekisho.stepup.factors.totp import PURPOSE
from sekisho.testing import SECRET
from tests.asgi.driving import OPEN
from tests.cli.operating import Said, command, run, serve_with
from tests.owners.worlds import PATIENT_US, QUERY, in_sqlite
from tests.record.test_campaigns import T0, a_list, settled
from tests.stepup.flow.over_http import PROXY, Visitor, visited
from tests.stepup.flow.test_activity import LOGIN, SqlSite, site_at
from tests.stepup.flow.test_changed import Living
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sekisho.control.asked import AskedGroup
    from tests.servers import RedisServer

BOT = "203.0.113.66"
SETTINGS: dict[str, Any] = {"step_up": "attack", "workers": 1, "trusted_proxies": PROXY, **OPEN}


NOTHING_UNDONE = "nothing was changed: no account was asked because of a campaign\n"
DONE = {"asked": 0, "told": 0, "untold": 0, "why": "", "asked_before": 0, "told_before": 0}
ACT = ("--act", "--yes", "--because", "the list")


def log_in(browser: Visitor, account: str, password: str) -> int:
    """Log in without a session, as after a log-out; the device token stays."""
    browser.jar.pop("session", None)
    return browser.post("/login", username=account, password=password).status_code


async def enrol(site: SqlSite, account: str) -> None:
    owners, number = SqlOwners(site.url, QUERY, deadline_us=PATIENT_US, clock_s=time.monotonic), secrets.token_hex(16)
    bound_to = enrolment_binding(account, number)
    sealed = Sealer((SECRET,), clock_s=time.time).seal(PURPOSE, site.secret, bound_to=bound_to)
    await owners.enrol(account, Enrolment(number, "totp", "phone", 1, sealed))
    await owners.aclose()


async def under_proof() -> tuple[AskedGroup, ...]:
    async with desk() as service:
        return (await service.record()).asked


async def report(*line: str) -> tuple[int, dict[str, Any]]:
    said = await command("report", "--blast-radius", *line, "--json")
    assert said.out, said.err
    return said.code, json.loads(said.out)


class Attacked(NamedTuple):
    """A shop whose accounts kenji and mio a thief has entered, by two right passwords among 42.

    Attributes:
        thief: the browser that tried them all.
        laptop: kenji's, which has shown a factor since.
        events: the audit's file.
        names: a file of account names.
    """

    site: SqlSite
    thief: Visitor
    laptop: Visitor
    events: Path
    names: Path

    def again(self) -> list[int]:
        """The thief logs in at mio's account again, and kenji on the laptop."""
        return [log_in(self.thief, "mio", "too"), log_in(self.laptop, "kenji", "on the list")]


LIKE_KENJI = "\u202eKENJI"
LIKE_ALICE = "\uff21\uff2c\uff29\uff23\uff25"  # in full-width letters


@asynccontextmanager
async def attacked(redis_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Attacked]:
    path, events, names = folder / "owners.db", folder / "audit", folder / "names"
    serve_with(
        monkeypatch, store=redis_url, owners=f"sqlite+aiosqlite:///{path}", owners_query=QUERY, factors="totp",
        challenges="none", login=LOGIN, audit=f"file:{events}", step_up="attack",
    )  # fmt: skip
    # The thief has signed up with another spelling, which is counted with kenji's, and turns a terminal's line around.
    names.write_text(f"hana\nAlice\nkenji\nmio\nvictim 1\n{LIKE_KENJI}\n", encoding="utf-8")
    async with site_at(path, store=redis_url, audit=f"file:{events}", **SETTINGS) as site:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("insert into users values ('kenji', 'kenji@mail.example', 'en'), ('mio', null, 'ja')")
        living = Living()
        living.owners |= {"kenji": "on the list", "mio": "too"}
        site.guard = site.guarded(living)
        with visited(site.guard) as visitor:
            thief, laptop = visitor(BOT), visitor("198.51.100.5")
            assert [log_in(thief, "kenji", "on the list"), log_in(thief, "mio", "too")] == [303, 303]
            assert {log_in(visitor(BOT), f"victim {number}", "guess") for number in range(40)} == {401}
            await enrol(site, "kenji")
            proved = laptop.prove(laptop.post("/login", username="kenji", password="on the list"), site.code())
            assert proved.status_code == 303
            await until(lambda: events.exists() and "step_up_proved" in events.read_text())
            yield Attacked(site, thief, laptop, events, names)


async def test_an_attack_over_http_is_named_closed_and_opened_again(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E31: of 42 tries two were right, before anybody knew. The report names exactly these two accounts. Then the
    thief's device is asked and the owner's proved one is not; --undo restores both.
    """
    async with attacked(redis_url, tmp_path, monkeypatch) as shop:
        guard, accounts = shop.site.guard, ("--accounts", str(shop.names))
        listed = await command("campaigns", "--json")
        monkeypatch.setenv("SEKISHO_NOTICES_WEBHOOK", "https://shop.example/hook")
        monkeypatch.setenv("SEKISHO_NOTICES_WEBHOOK_SECRET", "whsec_" + "a2tr" * 10)
        _, seen = await report(*accounts)
        shown = (await command("report", "--blast-radius", *accounts)).out
        before = shop.again()
        unasked = await command("report", "--blast-radius", "--act")
        (campaign,) = seen["campaigns"]
        code, done = await report(campaign["name"], *accounts, *ACT)
        await until(lambda: bool(guard.counts["", "command", "ask"]))
        why = (await command("look", "account", "mio")).out.splitlines()[0]
        closed = shop.again()
        _, undone = await report(campaign["name"], "--undo")
        await until(lambda: bool(guard.counts["", "command", "unask"]))
        opened = log_in(shop.thief, "mio", "too")

    assert listed.code == 1
    assert sorted(seen["names"].values()) == [["kenji", LIKE_KENJI], ["mio"]]
    assert sorted(seen["names"][each["account"]][0] for each in campaign["entered"]) == ["kenji", "mio"]
    assert "entered: kenji, '\\u202eKENJI'  20" in shown
    assert (campaign["failed"], campaign["accounts"], campaign["addresses"]) == (40, 40, 1)
    assert (seen["would_ask"], seen["would_tell"], seen["unnamed"]) == (2, 2, 0)
    assert before == [303, 303]
    assert (unasked.code, unasked.out) == (2, "")
    assert (code, done["done"]) == (0, {**DONE, "asked": 2, "told": 2})
    assert closed == [401, 303]
    assert why.startswith("Strangers are asked for a second proof until 20")
    assert f"on devices without a proof too: campaign {campaign['name']}, by " in why
    assert why.endswith(f": {campaign['name']}: the list.")
    withheld = [line for line in shop.events.read_text().splitlines() if '"succeeded"' in line and "withheld" in line]
    assert {json.loads(line)["device_class"] for line in withheld} == {"stranger"}
    assert undone["undone"] == [campaign["name"]]
    assert opened == 303


@pytest.fixture
def _a_day_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands' clock is a day after the events of `a_list`."""
    monkeypatch.setattr("sekisho.cli.written.time", SimpleNamespace(time=lambda: T0 / 1e6 + 86_400))


def written(path: Path, *more: str) -> str:
    lines = [encode(event) for event in [settled("hana", "succeeded"), *a_list(30)]]
    path.write_text("\n".join([*lines, *more, ""]))
    return str(path)


def with_digest_of_hana(path: Path, name: str = "hana") -> str:
    """As `written`, with the digest that the service gives this account in the place of hana's."""
    made = settled("hana", "succeeded").subject.account
    digest = Subjects((SECRET,), str).of_account(name).account
    Path(written(path)).write_text(path.read_text().replace(f'"account":"{made}"', f'"account":"{digest}"'))
    return str(path)


@pytest.mark.usefixtures("_a_day_later")
def test_a_campaign_is_printed_for_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers, what is shared, and the error that the method has; lines that are no events are counted."""
    serve_with(monkeypatch)
    said = run("campaigns", "--since", "366d", "--file", written(tmp_path / "events", '{"kind":"settled","time":"9"'))
    assert said.code == 1
    assert "  30 attempts (0 refused, 30 failed) at 30 accounts, from 1 address in 1 network" in said.out
    assert "  accounts entered: 1; entered with a second proof: 0; right password without a proof: 0" in said.out
    assert "each software, network, device and address with more than 19 of them was looked at" in said.out
    assert said.err == "sekisho campaigns: 1 lines are no events\n"


@pytest.mark.usefixtures("_a_day_later")
async def test_the_audit_in_redis_is_read(
    redis_server: RedisServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a file: the stream of the service's namespace."""
    serve_with(monkeypatch, store=redis_url, audit="redis")
    for event in [settled("hana", "succeeded"), *a_list(30)]:
        redis_server.cli("XADD", "sekisho:{audit}", "*", "line", encode(event))
    said = await command("campaigns", "--since", "366d", "--json")
    assert [len(each["entered"]) for each in json.loads(said.out)["campaigns"]] == [1]


@pytest.mark.usefixtures("_a_day_later")
def test_an_attack_that_is_older_than_asked_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 0 where no account was entered."""
    serve_with(monkeypatch)
    said = run("campaigns", "--since", "1h", "--file", written(tmp_path / "events"))
    assert (said.code, said.out.splitlines()[0]) == (0, "no campaigns")


@pytest.mark.parametrize(
    ("line", "err"),
    [
        (["campaigns"], "neither SEKISHO_AUDIT (a file, or redis) nor SEKISHO_EVENTS_FILE is set"),
        (["campaigns", "--since", "soon"], "--since is not written as 90s"),
        (["report", "--blast-radius", "--for", "7d"], "--for belongs to --act"),
        (["report"], "one of the arguments --blast-radius --shared-addresses is required"),
        (["report", "--blast-radius", "--act", "--for", "3w"], "--for is not written as 90s"),
        (["report", "--blast-radius", "--yes"], "--yes belongs to --act"),
        (["report", "--blast-radius", "--because", "a list"], "--because belongs to --act or --undo"),
        (["report", "--blast-radius", "--ids"], "--ids belongs to --accounts"),
        (["report", "--blast-radius", "c-1", "--undo", "--accounts", "f"], "--undo ends the asking at all accounts"),
    ],
)
def test_a_wrong_line_is_misuse(line: list[str], err: str, monkeypatch: pytest.MonkeyPatch) -> None:
    serve_with(monkeypatch)
    said: Said = run(*line)
    assert said.code == 2
    assert err in said.err


@pytest.mark.parametrize("line", [["campaigns"], ["report", "--blast-radius"]])
def test_a_file_without_events_is_no_quiet_day(
    line: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log of a web server, or an audit for a SIEM, is an error; an empty file of events is none."""
    serve_with(monkeypatch)
    path = tmp_path / "access.log"
    path.write_text('192.0.2.1 - - [30/Nov/2026] "POST /login HTTP/1.1" 401\n' * 300)
    wrong = run(*line, "--file", str(path))
    path.write_text("")
    empty = run(*line, "--file", str(path))

    assert (wrong.code, wrong.out) == (1, "")
    assert "this is no file of events, and no audit in our own dialect" in wrong.err
    assert empty.code == 0


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_acting_on_no_account_says_that_there_is_nothing_to_do(
    more: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is asked to confirm it, no store is needed, and it is no failure."""
    serve_with(monkeypatch, store="redis://127.0.0.1:1")
    (events := tmp_path / "events").write_text("")
    said = run("report", "--blast-radius", "--file", str(events), "--act", *more)
    assert said.code == 0
    if more:
        done = json.loads(said.out)["done"]
        assert (done["asked"], done["told"], done["untold"]) == (0, 0, 0)
    else:
        nothing = "there is nothing for --act to do: no account was entered without a second proof"
        assert said.out.splitlines() == ["no campaigns", nothing]


def test_an_unknown_campaign_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve_with(monkeypatch)
    said = run("report", "--blast-radius", "c-000000", "--file", written(tmp_path / "events"))
    assert (said.code, said.out) == (1, "")


@pytest.mark.usefixtures("_a_day_later")
def test_accounts_without_a_name_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of names that has none of the entered accounts is no reason to believe that their owners are told."""
    serve_with(
        monkeypatch, owners=f"sqlite+aiosqlite:///{tmp_path}/owners.db", owners_query=QUERY,
        notices_webhook="https://shop.example/hook", notices_webhook_secret="whsec_" + "a2tr" * 10,
    )  # fmt: skip
    (names := tmp_path / "names").write_text("sora\n")
    line = ("--since", "366d", "--file", with_digest_of_hana(tmp_path / "events"), "--accounts", str(names))
    said = run("report", "--blast-radius", *line)
    assert "--act tells the owners of 0 accounts, where SEKISHO_OWNERS knows an address" in said.out
    assert "owners of 1 more are told nothing: --accounts gives no name for the account" in said.out
    names.write_text("hana\n")
    assert "are told nothing" not in run("report", "--blast-radius", *line).out


@pytest.mark.usefixtures("_a_day_later")
def test_a_service_that_tells_owners_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a database of owners or a way to them, names make no notice: the operator has to tell them."""
    serve_with(monkeypatch)
    (names := tmp_path / "names").write_text("hana\n")
    line = ("--since", "366d", "--file", with_digest_of_hana(tmp_path / "events"), "--accounts", str(names))

    shown, value = run("report", "--blast-radius", *line), run("report", "--blast-radius", *line, "--json")

    assert shown.out.splitlines()[-1] == (
        "--act tells no owner: it needs SEKISHO_OWNERS, and SEKISHO_SMTP or SEKISHO_NOTICES_WEBHOOK"
    )
    assert json.loads(value.out)["would_tell"] == 0


@pytest.mark.usefixtures("_a_day_later")
async def test_accounts_are_asked_though_their_owners_cannot_be_told(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database fails after the accounts were closed: the command says both, with exit code 1."""
    serve_with(
        monkeypatch, store=redis_url, owners=f"sqlite+aiosqlite:///{tmp_path}/missing/owners.db", owners_query=QUERY,
        notices_webhook="https://shop.example/hook", notices_webhook_secret="whsec_" + "a2tr" * 10,
    )  # fmt: skip
    (names := tmp_path / "names").write_text("hana\n")
    line = ("--since", "366d", "--file", with_digest_of_hana(tmp_path / "events"), "--accounts", str(names))
    code, done = await report(*line, "--act", "--yes")
    _, undone = await report("--undo")

    assert (code, done["done"]["asked"], done["done"]["told"], done["done"]["untold"]) == (1, 1, 0, 1)
    assert "database" in done["done"]["why"]
    assert undone["undone"] == [done["campaigns"][0]["name"]]


@pytest.mark.usefixtures("_a_day_later")
async def test_acting_again_tells_nobody_twice(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run changes nothing and says so; after an undo the account is asked again, and its owner is not told.
    A forgotten account leaves no mark.
    """
    async with in_sqlite(tmp_path / "owners.db") as world:
        serve_with(
            monkeypatch, store=redis_url, owners=world.url, owners_query=QUERY,
            notices_webhook="https://shop.example/hook", notices_webhook_secret="whsec_" + "a2tr" * 10,
        )  # fmt: skip
        (names := tmp_path / "names").write_text("alice\n")
        path = with_digest_of_hana(tmp_path / "events", "alice")
        line = ("--since", "366d", "--file", path, "--accounts", str(names), *ACT)
        runs, records = [], []
        for undone in (False, False, True, False):
            if undone:
                assert (await report("--undo"))[0] == 0
            runs.append(await report(*line))
            records.append(await under_proof())
        said = await command("report", "--blast-radius", *line)
        longer = await report(*line, "--for", "400d")
        notices = await world.execute("select times from sekisho_outbox order by times")
        exported = json.loads((await command("export", "alice", "--json")).out)["stored"]["told"]
        assert (await command("forget", "alice", "--yes", "--because", "closed")).code == 0
        left = json.loads((await command("export", "alice", "--json")).out)["stored"]["told"]
        rows = await world.execute("select id from sekisho_outbox")

    again = {**DONE, "asked": 1, "asked_before": 1, "told_before": 1}
    first, anew = {**DONE, "asked": 1, "told": 1}, {**DONE, "asked": 1, "told_before": 1}
    assert [(code, done["done"]) for code, done in runs] == [(0, first), (0, again), (0, anew), (0, again)]
    assert records[0] == records[1]
    assert records[2] == records[3]
    assert (notices, rows) == ([(0,), (1,)], [])
    assert ([each["campaign"] for each in exported], left) == ([records[0][0].name], [])
    assert "asked already, by an earlier --act: 1 of them\n" in said.out
    assert "told already, and not again: the owners of 1 account\n" in said.out
    assert (longer[0], longer[1]["done"]) == (0, again)


@pytest.mark.usefixtures("_a_day_later")
async def test_an_owner_is_told_by_the_next_run_where_the_database_failed_after_a_strangers_name(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two spellings only the first was told: the account is not noted as told, and no name is told twice."""
    failing = f"{QUERY} and (:account <> 'alice' or abs(-9223372036854775808) = 0)"  # an overflow, at one name
    async with in_sqlite(tmp_path / "owners.db") as world:
        await world.execute(f"insert into users values ('{LIKE_ALICE}', 'thief@mail.example', 'en')")
        serve_with(
            monkeypatch, store=redis_url, owners=world.url, owners_query=failing,
            notices_webhook="https://shop.example/hook", notices_webhook_secret="whsec_" + "a2tr" * 10,
        )  # fmt: skip
        (names := tmp_path / "names").write_text(f"{LIKE_ALICE}\nalice\n", encoding="utf-8")
        path = with_digest_of_hana(tmp_path / "events", "alice")
        line = ("--since", "366d", "--file", path, "--accounts", str(names), *ACT)
        runs = [await report(*line)]
        monkeypatch.setenv("SEKISHO_OWNERS_QUERY", QUERY)
        runs += [await report(*line), await report(*line)]
        queued = await world.execute("select count(*) from sekisho_outbox where times > 0")

    counts = ("told", "untold", "told_before")
    assert [(code, *(found["done"][each] for each in counts)) for code, found in runs] == [
        (1, 0, 1, 0), (0, 1, 0, 0), (0, 0, 0, 1),
    ]  # fmt: skip
    assert queued == [(2,)]


async def test_undoing_nothing_says_so(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    serve_with(monkeypatch, store=redis_url)
    said = await asyncio.to_thread(run, "report", "--blast-radius", "--undo")
    assert (said.code, said.out) == (0, NOTHING_UNDONE)


async def test_an_unknown_campaign_cannot_be_undone(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    serve_with(monkeypatch, store=redis_url)
    said = await asyncio.to_thread(run, "report", "--blast-radius", "c-000000", "--undo")
    assert (said.code, said.out) == (1, "nothing was changed: no account was asked because of this campaign\n")


@pytest.mark.usefixtures("_a_day_later")
async def test_more_accounts_than_the_record_takes_change_nothing(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the part that would fit: the operator chooses."""
    serve_with(monkeypatch, store=redis_url)
    events = [settled(f"victim {n}", "failed") for n in range(20_010)]
    events += [settled(f"owner {n}", "succeeded") for n in range(2_001)]
    path = tmp_path / "events"
    path.write_text("".join(f"{encode(event)}\n" for event in events))
    line = ("--since", "366d", "--file", str(path), "--act", "--yes")
    said = await command("report", "--blast-radius", *line)
    undone = await command("report", "--blast-radius", "--undo")
    assert (said.code, said.out, undone.out) == (1, "", NOTHING_UNDONE)
    assert "2,001 accounts of 1 campaign would be asked, and the record has room for 2,000 of 128" in said.err
