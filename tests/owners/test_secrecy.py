"""No log or error of the adapter shows an account, address, label, sealed bytes, password or URL."""

from __future__ import annotations

import time
import traceback
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model import SettingsError
from sekisho.owners import OwnersError, OwnersUnavailable, OwnersUnfit
from sekisho.owners.sql import SqlOwners
from tests.left_behind import capturing
from tests.owners.worlds import QUERY, T0, SqlWorld, enrolment

if TYPE_CHECKING:
    from tests.owners.worlds import InMariadb, InPostgres

SECRETS = ("hunter2", "alice", "mail.example", "marked-label", "marked-seal", "steward", "shop-db")


async def _everything(owners: SqlOwners) -> None:
    await owners.contact("alice")
    await owners.contact("alice@mail.example")
    await owners.enrol("alice", enrolment(1, label="marked-label", sealed=b"marked-seal"))
    await owners.enrolments("alice")
    await owners.replace(enrolment(1).id, b"marked-seal", b"marked-seal 2")
    _ = [held async for held in owners.all_sealed()]
    reset = await owners.ask_reset("alice", now_s=T0)
    await owners.carry_out(reset, now_s=reset.due_s)
    await owners.forget("alice")


async def test_no_log_line_holds_anything_of_anybody(sql: SqlWorld) -> None:
    """No log line shows owners' data, with every logger verbose, drivers and SQLAlchemy included."""
    with capturing() as captured:
        owners = sql.owners()
        await _everything(owners)
        await owners.aclose()
    assert _found(captured.text.getvalue()) == []


@pytest.mark.parametrize(
    "query",
    [
        "select email, locale from nowhere where username = :account",
        "select email, locale from users where cast(username as int) = cast(:account as int)",
        "select email, locale from users where 1 / (length(:account) - length(:account)) > 0",
        "select locale as email, email from users where username = :account",
        "select email, locale from users where username like '%lice' and :account = 'alice'",
    ],
)
async def test_no_error_holds_anything_of_anybody(postgres: InPostgres, query: str) -> None:
    """PostgreSQL's errors quote values and asyncpg's parameters; neither gets into text, context or log."""
    with capturing() as captured:
        owners = postgres.owners(query)
        with pytest.raises((OwnersUnavailable, OwnersUnfit)) as refused:
            await owners.contact("alice")
        await owners.aclose()
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None
    assert _found(captured.text.getvalue() + _whole(refused.value)) == []


@pytest.mark.parametrize(
    "condition",
    [
        "username = (select nothing from nowhere where name = :account)",
        "username = = :account",  # from here on it quotes the statement, in which the driver has written the account
        "username = :account and complain(email) = 1",
        "username = :account and email = (select username from users where username in ('alice', 'Alice'))",
    ],
)
async def test_no_error_of_mariadb_holds_anything_of_anybody(mariadb: InMariadb, condition: str) -> None:
    """MariaDB's errors quote values, and its driver writes values into statements; neither is shown."""
    complain = "begin signal sqlstate '45000' set message_text = word; return 1; end"
    await mariadb.execute(f"create function complain(word text) returns int {complain}")
    with capturing() as captured:
        owners = mariadb.owners(f"select username as account_id, email from users where {condition}")
        with pytest.raises(OwnersUnavailable) as refused:
            await owners.contact("alice")
        await owners.aclose()
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None
    assert _found(captured.text.getvalue() + _whole(refused.value)) == []


@pytest.mark.parametrize(
    ("server", "code"),
    [("postgres_server", "DBAPIError 28P01"), ("mariadb_server", "OperationalError 1045")],
    ids=["postgres", "mariadb"],
)
async def test_a_wrong_password_is_not_repeated(request: pytest.FixtureRequest, server: str, code: str) -> None:
    """The log names the failure, and not the role, database or password that the server refused.

    MariaDB's error names the user and the user's address.
    """
    url = request.getfixturevalue(server).url("shop-db").replace("//sekisho:hunter2", "//steward:hunter2-wrong")
    with capturing() as captured:
        owners = SqlOwners(url, QUERY, clock_s=time.monotonic)
        with pytest.raises(OwnersUnavailable) as refused:
            await owners.contact("alice")
        await owners.aclose()
    assert _found(captured.text.getvalue() + _whole(refused.value)) == []
    assert str(refused.value) == f"the database failed: {code}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hunter2",
        "postgresql://steward:hunter2@shop-db/alice",
        "postgresql+psycopg://steward:hunter2@shop-db/alice",
        "mysql+aiomysql://steward:hunter2@shop-db/alice",
        "mysql+pymysql://steward:hunter2@shop-db/alice",
        "mariadb+mariadbconnector://steward:hunter2@shop-db/alice",
        "mysql://steward:hunter2@shop-db",
        "mysql://steward:hunter2@shop-db/alice?no_such_option=hunter2",
        "mysql://steward:hunter2@shop-db/alice?ssl=hunter2",
        "mysql://steward:hunter2@shop-db/alice?ssl_ca=/hunter2/ca.pem",
        "mysql://steward:hunter2@shop-db:99999999/alice",
        "sqlite:///shop-db/hunter2.db",
        "postgresql+asyncpg://steward:hunter2@shop-db:port/alice",
        "postgresql+asyncpg://steward:hunter2@shop-db:99999999/alice",
        "postgresql+asyncpg://steward:hunter2@shop-db/alice?port=x",
        "postgresql+asyncpg://steward:hunter2@shop-db/alice?no_such_option=hunter2",
        "postgresql+asyncpg://steward:hunter2@shop-db/alice?prepared_statement_cache_size=hunter2",
        "sqlite+aiosqlite://",
        "sqlite+aiosqlite:///:memory:",
        "sqlite+aiosqlite:///file:shop-db?mode=memory&uri=true",
    ],
)
def test_a_url_that_cannot_work_is_refused_and_not_repeated(url: str) -> None:
    """An unusable URL is refused without repeating it: other drivers would need their own locks, and memory forgets."""
    with pytest.raises(SettingsError) as refused:
        SqlOwners(url, QUERY, clock_s=time.monotonic)
    assert refused.value.name == "SEKISHO_OWNERS"
    assert _found(_whole(refused.value)) == []


@given(url=st.text(max_size=60) | st.from_regex(r"(postgresql\+asyncpg|sqlite\+aiosqlite|mysql|mariadb)://\S{0,40}"))
def test_any_url_is_taken_or_refused(url: str) -> None:
    """Any URL is accepted or refused with a settings error."""
    try:
        assert "steward" not in repr(SqlOwners(url, QUERY, clock_s=time.monotonic))
    except SettingsError as error:
        assert error.__context__ is None  # noqa: PT017 - either way is right


@pytest.mark.parametrize("scheme", ["postgresql+asyncpg", "mysql"])
def test_a_repr_shows_no_url(scheme: str) -> None:
    """A `repr` shows no URL: debug pages print objects."""
    shown = repr(SqlOwners(f"{scheme}://steward:hunter2@shop-db/alice", QUERY, clock_s=time.monotonic))
    assert _found(shown) == []


@pytest.mark.parametrize("text", SECRETS)
def test_what_is_left_behind_would_be_found(text: str) -> None:
    """The search finds planted values, so the tests above claim something."""
    assert _found(f"… {text} …") == [text]


def _found(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def _whole(error: OwnersError | SettingsError) -> str:
    """All that a log or an error page could print of it, except the lines of this file."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=False)
    return "".join([*shown.format_exception_only(), repr(error), repr(error.args), repr(error.__context__)])
