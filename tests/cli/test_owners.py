"""`sekisho owners …` with real databases and a real mail server."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from sekisho.cli import FAILED, MISUSED, main
from sekisho.cli.owners import COMMANDS
from sekisho.cli.owners.rewrap import PURPOSES, rewrap
from sekisho.cli.progress import ProgressLines
from sekisho.crypto.seal import Sealer
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.owners import RESET_DELAY_S, Enrolment
from sekisho.owners.addresses import SqlAddresses
from sekisho.owners.sql import SqlOwners
from sekisho.stepup.factors import identities, passkey_index, recovery, strong_only, totp
from sekisho.stepup.factors.address_book import binding
from tests.cli.operating import ended, started
from tests.mail.servers import real_server
from tests.mariadb import PASSWORD as MARIADB_PASSWORD
from tests.owners.postgres import PASSWORD as POSTGRES_PASSWORD
from tests.owners.worlds import QUERY, in_mariadb, in_postgres, in_sqlite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.mariadb import MariaServer
    from tests.owners.postgres import PostgresServer
    from tests.owners.worlds import Served, SqlWorld

OLD = "kR4-vw0cM1zQ8sXy7bTn2JdLhG5uPfAe"
NEW = "Zq9_aLx3Wm6Rt0Vb8Ye1Kc4Nj7Hs2DgU"
# How a read-only role is created, its name in grants, its refusal's code, and how it is removed.
READERS = {
    "InPostgres": (
        f"create role reader login password '{POSTGRES_PASSWORD}'",
        "reader",
        "42501",
        "drop owned by reader",
        "drop role reader",
    ),
    "InMariadb": (
        f"create user reader@127.0.0.1 identified by '{MARIADB_PASSWORD}'",
        "reader@127.0.0.1",
        "1142",
        "drop user reader@127.0.0.1",
    ),
}
KINDS = ("totp", "recovery", "webauthn")


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqlWorld]:
    async with in_sqlite(tmp_path / "owners.db") as made:
        point_at(made, monkeypatch)
        yield made


def point_at(world: SqlWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEKISHO_OWNERS", world.url)
    monkeypatch.setenv("SEKISHO_OWNERS_QUERY", QUERY)


async def sekisho(*line: str) -> int:
    """Run as from a shell, with its own event loop."""
    return await asyncio.to_thread(main, ["owners", *line])


async def told(capsys: pytest.CaptureFixture[str], *line: str) -> dict[str, Any]:
    capsys.readouterr()
    await sekisho(*line, "--json")
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


async def enrol(world: SqlWorld, *kinds: str, secret: str = OLD, account: str = "alice") -> None:
    owners, sealer = world.owners(), Sealer([secret.encode()], clock_s=time.time)
    before = len(await owners.enrolments(account))
    for number, kind in enumerate(kinds, before):
        name = f"{account.encode().hex():0<30.30}{number:02x}"
        sealed = sealer.seal(PURPOSES.get(kind, b"?"), kind.encode(), bound_to=enrolment_binding(account, name))
        await owners.enrol(account, Enrolment(name, kind, "", 1_750_000_000 + number, sealed))


async def readable(world: SqlWorld, secret: str, account: str = "alice") -> list[str]:
    """The enrolments that open with this secret alone."""
    sealer = Sealer([secret.encode()], clock_s=time.time)
    return [
        sealer.open(PURPOSES[one.kind], one.sealed, bound_to=enrolment_binding(account, one.id)).decode()
        for one in await world.owners().enrolments(account)
    ]


@pytest.fixture(params=["postgres", "mariadb"])
async def served(
    request: pytest.FixtureRequest, postgres_server: PostgresServer, mariadb_server: MariaServer
) -> AsyncIterator[Served]:
    opened = in_postgres(postgres_server) if request.param == "postgres" else in_mariadb(mariadb_server)
    async with opened as made:
        yield made


# --- common to all


@pytest.mark.parametrize("name", COMMANDS)
def test_without_a_database_nothing_is_done(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a database nothing is done, and the setting is named."""
    monkeypatch.setenv("SEKISHO_SECRET", OLD)
    monkeypatch.delenv("SEKISHO_OWNERS", raising=False)

    assert main(["owners", name, *(["alice"] if name == "reset" else [])]) == FAILED
    assert "SEKISHO_OWNERS is not set here: run this with the environment of the service" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command has help and `--json`, by contract."""
    with pytest.raises(SystemExit, match="0"):
        main(["owners", name, "--help"])
    assert "--json" in capsys.readouterr().out


def test_no_value_is_in_any_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """No error shows a value: a URL has a password, and an argument may be one."""
    monkeypatch.setenv("SEKISHO_OWNERS", "postgresql+asyncpg://u:canary@127.0.0.1:1/canary")
    monkeypatch.setenv("SEKISHO_OWNERS_QUERY", QUERY)
    for line in (["check"], ["migrate"], ["reset", "canary"]):
        assert main(["owners", *line]) == FAILED
    with pytest.raises(SystemExit, match=str(MISUSED)):
        main(["owners", "check", "canary"])
    said = capsys.readouterr()
    assert "the database failed: " in said.err
    assert "canary" not in said.out + said.err


@pytest.mark.parametrize(
    ("url", "helps"),
    [
        ("postgresql+asyncpg://u@127.0.0.1:1/shop", "nothing listens at the host and port of SEKISHO_OWNERS"),
        ("mysql://u@127.0.0.1:1/shop", "nothing listens at the host and port of SEKISHO_OWNERS"),
    ],
)
def test_a_database_that_fails_is_explained(
    url: str, helps: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A code of a driver alone tells an operator nothing."""
    monkeypatch.setenv("SEKISHO_OWNERS", url)
    monkeypatch.setenv("SEKISHO_OWNERS_QUERY", QUERY)

    assert main(["owners", "check"]) == FAILED
    assert helps in caplog.text


# --- migrate, check


async def test_tables_are_made_and_found_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Migrate creates the tables and `check` then accepts them; before that it names the command."""
    async with in_sqlite(tmp_path / "owners.db") as world:
        point_at(world, monkeypatch)
        await world.execute("drop table sekisho_meta", "drop table sekisho_resets", "drop table sekisho_enrolments")

        assert await sekisho("check") == FAILED
        assert "migrate" in capsys.readouterr().err
        assert await sekisho("migrate") == 0
        assert (await told(capsys, "migrate"))["version"] >= 1
        assert await sekisho("check") == 0
        assert await told(capsys, "check") == {"fit": True}


async def test_a_role_that_cannot_write_is_unfit(
    served: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`check` refuses a role that cannot write, as the first enrolment would fail; otherwise it leaves nothing
    behind.
    """
    made, reader, code, *gone = READERS[type(served).__name__]
    tables = ("users", "sekisho_meta", "sekisho_enrolments", "sekisho_resets")
    await served.execute(made, *(f"grant select on {table} to {reader}" for table in tables))
    monkeypatch.setenv("SEKISHO_OWNERS_QUERY", QUERY)
    monkeypatch.setenv("SEKISHO_OWNERS", served.server.role_url("reader", served.name))
    assert await sekisho("check") == FAILED
    said = capsys.readouterr().err
    assert "cannot write to sekisho's tables" in said
    assert code in said

    monkeypatch.setenv("SEKISHO_OWNERS", served.url)
    assert await sekisho("check") == 0
    assert list(await served.execute("select id from sekisho_enrolments")) == []
    assert list(await served.execute("select account_id from sekisho_resets")) == []
    await served.execute(*gone)


async def test_a_query_that_finds_too_much_is_unfit(
    world: SqlWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A query that finds several spellings is refused by the name of its setting."""
    assert world.url
    monkeypatch.setenv("SEKISHO_OWNERS_QUERY", "select * from users where username <> :account")

    assert await sekisho("check") == FAILED
    assert "SEKISHO_OWNERS_QUERY" in capsys.readouterr().err


# --- reset


async def test_a_reset_is_due_in_a_day(world: SqlWorld, capsys: pytest.CaptureFixture[str]) -> None:
    """A reset removes nothing now and is due in a day; asked again it stays, and cancelled it is gone."""
    await enrol(world, "totp")
    first = await told(capsys, "reset", "alice")

    assert first["due"] - first["asked"] == RESET_DELAY_S
    assert abs(first["asked"] - time.time()) < 60
    assert first["notice"] == "no server"
    assert len(await world.owners().enrolments("alice")) == 1
    assert (await told(capsys, "reset", "alice"))["due"] == first["due"]
    assert await told(capsys, "reset", "alice", "--cancel") == {"cancelled": True}
    assert await told(capsys, "reset", "alice", "--cancel") == {"cancelled": False}
    assert await world.owners().pending_reset("alice") is None


async def test_an_unknown_account_is_said_to_be_none(world: SqlWorld, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown account is reported as such, without its name, which may be a mistyped password."""
    assert world.url
    for line in (["nobody-canary"], ["nobody-canary", "--cancel"]):
        assert await sekisho("reset", *line) == FAILED
        said = capsys.readouterr()
        assert "finds no account of that name" in said.err
        assert "canary" not in said.out + said.err


async def test_the_owner_is_told_in_their_language(
    world: SqlWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The owner is mailed in the own language before the command ends; without an address the operator is asked to
    tell.
    """
    assert world.url
    async with real_server() as server:
        mail(monkeypatch, server.port)
        assert (await told(capsys, "reset", "Alice"))["notice"] == "sent"
        assert (await server.message()).to == ("another@mail.example",)
        assert b"Shop" in server.received[0].content
        assert (await told(capsys, "reset", "bob"))["notice"] == "no address"
        assert len(server.received) == 1


async def test_with_the_secret_the_notice_goes_through_the_outbox(
    world: SqlWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every address is told once, an earlier one too, however often the reset is asked for; a mail server that is away
    loses nothing: the notice waits.
    """
    monkeypatch.setenv("SEKISHO_SECRET", NEW)
    async with real_server() as server:
        mail(monkeypatch, server.port)
        assert (await told(capsys, "reset", "alice"))["notice"] == "sent"
        await world.execute("update users set email = 'thief@mail.example' where username = 'alice'")
        assert (await told(capsys, "reset", "alice"))["notice"] == "sent"
        assert (await told(capsys, "reset", "alice"))["notice"] == "told"
        assert sorted(one.to for one in server.received) == [("alice@mail.example",), ("thief@mail.example",)]
    assert await world.execute("select id from sekisho_outbox where times > 0") == []
    monkeypatch.setattr("sekisho.cli.owners.telling._MAIL_S", 0.2)
    mail(monkeypatch, 1)
    assert (await told(capsys, "reset", "Alice"))["notice"] == "queued"
    [(sealed,)] = await world.execute("select sealed from sekisho_outbox where times > 0")
    assert b"another" not in bytes(cast("bytes", sealed))


async def test_a_notice_that_is_not_taken_is_said(
    world: SqlWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the mail is refused the reset stands, and the operator is asked to tell the owner."""
    mail(monkeypatch, 1)

    assert await sekisho("reset", "Alice") == FAILED
    said = capsys.readouterr()
    assert "could NOT be notified" in said.out
    assert "@" not in said.out + said.err
    assert await world.owners().pending_reset("Alice") is not None


async def test_without_the_secret_two_runs_tell_the_owner_once(
    world: SqlWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two at once one mails; a run that failed, or was killed a minute ago, leaves it to the next."""
    mail(monkeypatch, 1)
    assert (await told(capsys, "reset", "Alice"))["notice"] not in {"sent", "told", "busy"}
    async with real_server() as server:
        mail(monkeypatch, server.port)
        both = [started("owners", "reset", "Alice", "--json") for _ in range(2)]
        said = {json.loads((await asyncio.to_thread(ended, one)).out)["notice"] for one in both}
        assert said in ({"sent", "told"}, {"sent", "busy"})
        assert (await told(capsys, "reset", "Alice"))["notice"] == "told"

        killed = "import os\nfrom sekisho.mail import Mailer\nMailer.send = lambda *_: os.kill(os.getpid(), 9)"
        await asyncio.to_thread(ended, started("owners", "reset", "alice", first=killed))
        assert (await told(capsys, "reset", "alice"))["notice"] == "busy"
        await world.execute("update sekisho_outbox set due_s = due_s - 60")
        assert (await told(capsys, "reset", "alice"))["notice"] == "sent"
        assert sorted(one.to for one in server.received) == [("alice@mail.example",), ("another@mail.example",)]


def mail(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setenv("SEKISHO_SMTP", f"smtp://127.0.0.1:{port}")
    monkeypatch.setenv("SEKISHO_MAIL_FROM", "no-reply@shop.example")
    monkeypatch.setenv("SEKISHO_ACCOUNT_PAGE", "shop.example/account")
    monkeypatch.setenv("SEKISHO_SERVICE_NAME", "Shop")


# --- rewrap


async def test_everything_is_sealed_with_the_newest_secret(
    world: SqlWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All is sealed with the newest secret, so the old one can go; a second run changes nothing."""
    await enrol(world, *KINDS)
    await enrol(world, *KINDS, account="花子")
    await enrol(world, "totp", secret=NEW)
    monkeypatch.setenv("SEKISHO_SECRET", f"{NEW},{OLD}")

    assert await told(capsys, "rewrap") == {"done": 6, "already": 1, "changed": 0, "failed": 0, "left": 0}
    assert await readable(world, NEW) == [*KINDS, "totp"]
    assert await readable(world, NEW, "花子") == list(KINDS)
    assert await told(capsys, "rewrap") == {"done": 0, "already": 7, "changed": 0, "failed": 0, "left": 0}


async def test_addresses_are_sealed_with_the_newest_secret(
    world: SqlWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The addresses that owners had as well, or a change would not be known as one; other rows are counted and kept."""
    rows, both = SqlAddresses(world.owners()), [NEW.encode(), OLD.encode()]
    for account_id in ("alice", "花子"):
        old = Sealer([OLD.encode()], clock_s=time.time).seal(b"addresses", b"[]", bound_to=binding(account_id))
        await rows.replace(account_id, None, old)
    await rows.replace("mallory", None, await rows.read("alice") or b"")  # moved from another row
    monkeypatch.setenv("SEKISHO_SECRET", f"{NEW},{OLD}")

    assert await told(capsys, "rewrap") == {"done": 2, "already": 0, "changed": 0, "failed": 1, "left": 1}
    for account_id in ("alice", "花子"):
        sealed = await rows.read(account_id) or b""
        assert not Sealer(both, clock_s=time.time).needs_rewrap(sealed)
        assert Sealer(both[:1], clock_s=time.time).open(b"addresses", sealed, bound_to=binding(account_id)) == b"[]"
    assert await told(capsys, "rewrap") == {"done": 0, "already": 2, "changed": 0, "failed": 1, "left": 1}


async def test_what_cannot_be_opened_is_counted_and_left(
    world: SqlWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Data that cannot be opened (unlisted secret, moved row, unknown kind) is counted and kept, with exit code 1."""
    await enrol(world, "totp", "unheard-of")
    before = await world.owners().enrolments("alice")
    monkeypatch.setenv("SEKISHO_SECRET", NEW)

    assert await sekisho("rewrap") == FAILED
    assert "2 cannot be opened" in capsys.readouterr().out
    monkeypatch.setenv("SEKISHO_SECRET", f"{NEW},{OLD}")
    await world.execute("update sekisho_enrolments set account_id = 'Alice'")
    assert await told(capsys, "rewrap") == {"done": 0, "already": 0, "changed": 0, "failed": 2, "left": 2}
    assert {one.sealed for one in before} == {one.sealed for one in await world.owners().enrolments("Alice")}


async def test_a_secret_is_needed(
    world: SqlWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A secret is needed: an ephemeral one would open nothing."""
    assert world.url
    monkeypatch.delenv("SEKISHO_SECRET", raising=False)

    assert await sekisho("rewrap") == FAILED
    assert "SEKISHO_SECRET: is not set" in capsys.readouterr().err


async def test_what_its_owner_uses_meanwhile_is_left_alone(world: SqlWorld) -> None:
    """A recovery code used between read and write is not restored."""
    await enrol(world, "recovery")
    owners = world.owners()

    class Racing(SqlOwners):
        """The owner comes between the read and the write of a row."""

        async def replace(self, enrolment_id: str, old_sealed: bytes, new_sealed: bytes) -> bool:
            await owners.replace(enrolment_id, old_sealed, b"one code fewer")
            return await super().replace(enrolment_id, old_sealed, new_sealed)

    racing = Racing(world.url, QUERY, clock_s=time.monotonic)
    counts = await rewrap(racing, Sealer([NEW.encode(), OLD.encode()], clock_s=time.time), ProgressLines())
    await racing.aclose()

    assert (counts.changed, counts.done, counts.left) == (1, 0, 1)
    assert (await owners.enrolments("alice"))[0].sealed == b"one code fewer"


async def test_what_is_left_is_told(
    world: SqlWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows still under the old secret, by a worker not restarted, give exit code 1: they would be lost with it."""
    await enrol(world, "totp")
    monkeypatch.setenv("SEKISHO_SECRET", f"{NEW},{OLD}")
    replace = SqlOwners.replace

    async def behind_us(self: SqlOwners, enrolment_id: str, old_sealed: bytes, new_sealed: bytes) -> bool:
        monkeypatch.setattr(SqlOwners, "replace", replace)
        done = await replace(self, enrolment_id, old_sealed, new_sealed)
        await enrol(world, "totp", account="Alice")  # a row that has already been passed
        return done

    monkeypatch.setattr(SqlOwners, "replace", behind_us)
    assert await sekisho("rewrap") == FAILED
    assert "1 still need an older secret" in capsys.readouterr().out
    monkeypatch.setattr(SqlOwners, "replace", replace)
    assert await sekisho("rewrap") == 0


def test_purposes_are_those_of_the_factors() -> None:
    """Rewrapping uses the factors' own purposes: sealed for another, a factor would be lost."""
    factors = {"totp": totp.PURPOSE, "recovery": recovery.PURPOSE, "webauthn": b"webauthn"}
    factors |= {"oidc": identities.PURPOSE, "passkey-owner": passkey_index.PURPOSE}
    assert {**factors, strong_only.KIND: strong_only.PURPOSE} == PURPOSES


async def test_a_reset_of_which_nobody_is_told_fails(world: SqlWorld) -> None:
    """The reset is asked for, and the exit code says that its owner must be told by another way."""
    await enrol(world, "totp")

    assert await sekisho("reset", "alice") == 1
    assert await world.owners().pending_reset("alice") is not None


async def test_the_same_on_a_server(
    served: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All four commands work on a server."""
    point_at(served, monkeypatch)
    monkeypatch.setenv("SEKISHO_SECRET", f"{NEW},{OLD}")
    await enrol(served, *KINDS)
    assert await sekisho("migrate") == 0
    assert await sekisho("check") == 0
    assert (await told(capsys, "rewrap"))["done"] == 3
    assert await readable(served, NEW) == list(KINDS)
    assert (await told(capsys, "reset", "alice"))["notice"] == "no server"
