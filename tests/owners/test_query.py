"""The service's own query: which ones are accepted, how its result is used, and that it cannot write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.model import SettingsError
from sekisho.owners import Contact, OwnersUnavailable, OwnersUnfit
from sekisho.owners.query import QUERY_CHARS_MAX, lookup

if TYPE_CHECKING:
    from tests.owners.worlds import InPostgres, SqlWorld

COLUMNS = (
    "SEKISHO_OWNERS_QUERY wants the column `email` and, if need be, `locale`, `account_id` and `email_2` to `email_4`, "
    "each once; name them with `as`"
)


@pytest.mark.parametrize(
    "query",
    [
        "select email, locale from users where username = :account",
        "  SELECT email, locale\n FROM users WHERE username = :account ; ",
        "select email, 'ja' as locale from users where username = :account or email = :account",
        "select email, 'a;b--c/*' as locale from users where username = cast(:account as text)",
    ],
)
def test_a_single_select_is_taken(query: str) -> None:
    """A single SELECT is accepted in any layout; quoted text is ignored."""
    assert lookup(query) is not None


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("", "is no select"),
        ("delete from users where username = :account", "is no select"),
        ("with x as (select 1) select :account", "is no select"),
        ("select email, locale from users where username = :account " + "x" * QUERY_CHARS_MAX, "is no select"),
        ("select 1 where 1 = :account; drop table users", "wants one select"),
        ("select 1 where 1 = :account -- ", "wants one select"),
        ("select 1 /* where 1 = :account */", "wants one select"),
        ("select email, locale from users where username = 'alice'", "wants `:account`"),
        ("select email, locale from users where username = ?", "wants `:account`"),
        ("select email, locale from users where username = :account::citext", "wants `:account`"),
        ("select email, locale from users where username = :account and shop = :shop", "wants `:account`"),
        ("select email, locale from users where username = ':account'", "has `:account` within quotes"),
        ("select email, ':account' as locale from users where username = :account", "has `:account` within quotes"),
    ],
)
def test_anything_else_is_refused_at_the_start(query: str, problem: str) -> None:
    """Anything else is refused at the start, with a reason and without the query's text."""
    with pytest.raises(SettingsError) as refused:
        lookup(query)
    assert refused.value.name == "SEKISHO_OWNERS_QUERY"
    assert refused.value.problem.startswith(problem)
    example = "select id as account_id, email from users where username = :account"
    assert refused.value.problem.endswith(f", as in: {example}")
    assert "drop" not in str(refused.value)


async def test_columns_are_known_by_their_names(sql: SqlWorld) -> None:
    """Columns are found by name in any order and case, so no code is mailed to `ja`."""
    owners = sql.owners(
        'select locale as "LOCALE", email as Email, username as Account_Id from users where username = :account'
    )
    assert await owners.contact("alice") == Contact("alice", "alice@mail.example", "ja")


async def test_most_tables_have_no_locale(sql: SqlWorld) -> None:
    """Without a locale column mails are in English."""
    owners = sql.owners("select username as account_id, email from users where username = :account")
    await owners.migrate()
    await owners.check()
    assert await owners.contact("alice") == Contact("alice", "alice@mail.example", None)
    by_id = sql.owners("select 42 as account_id, email from users where username = :account")
    assert await by_id.contact("alice") == Contact("42", "alice@mail.example", None)


@pytest.mark.parametrize(
    ("account", "where", "warned"),
    [
        ("Bob", "lower(username) = lower(:account)", 1),
        ("o'brien; DROP table users", "lower(username) = lower(:account)", 1),
        ("bob", "username = lower(:account)", 1),
        ("alice", "username = :account", 0),
        ("alice", "username = :account or username = 'Alice' and :account = 'ALICE'", 0),
        ("花子", "lower(username) = lower(:account)", 0),  # has no other case
    ],
)
async def test_a_query_that_finds_several_spellings_wants_an_id(
    exact: SqlWorld, account: str, where: str, warned: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A query that finds several spellings needs an id: logged once, with the line to write, and without delay. From
    then on its accounts are told to be ambiguous (E46).
    """
    owners = exact.owners(f"select email, locale from users where {where}")
    found = []
    for _ in range(3):
        found.append(await owners.contact(account))
        if owners._background is not None:
            await owners._background
    assert [one is not None and one.ambiguous for one in found] == [False, warned == 1, warned == 1]
    assert None not in found
    assert sum("has no column `account_id`" in message for message in caplog.messages) == warned


async def test_an_id_settles_it(sql: SqlWorld, caplog: pytest.LogCaptureFixture) -> None:
    """With an id, spellings are left to the database."""
    owners = sql.owners("select 42 as account_id, email from users where lower(username) = lower(:account)")
    contact = await owners.contact("BOB")
    assert contact is not None
    assert (contact.owner, owners._background, caplog.messages) == ("42", None, [])


@pytest.mark.parametrize(
    "columns",
    ["locale", "locale, email, username", "email, email as email, locale", "email as mail, locale", "*"],
)
@pytest.mark.parametrize("account", ["alice", "nobody"])
async def test_other_columns_are_the_operators_to_mend(sql: SqlWorld, columns: str, account: str) -> None:
    """Missing, unknown or doubled columns are reported at the first question, for any account, and by `check`
    before.
    """
    owners = sql.owners(f"select {columns} from users where username = :account")
    with pytest.raises(OwnersUnfit) as unfit:
        await owners.contact(account)
    assert str(unfit.value) == COLUMNS
    with pytest.raises(OwnersUnfit):
        await owners.check()


async def test_two_rows_are_an_error(sql: SqlWorld) -> None:
    """Two rows are an error, as either may be the thief's; at most two are fetched."""
    owners = sql.owners(
        "select username as account_id, email, locale from users where lower(username) = lower(:account)"
    )
    with pytest.raises(OwnersUnfit, match=r"^SEKISHO_OWNERS_QUERY found more than one row for an account"):
        await owners.contact("ALICE")
    assert await owners.contact("BOB") == Contact("bob", None, None)


@pytest.mark.parametrize(
    ("expression", "account_id"),
    [
        ("lower(username)", "alice"),
        ("42", "42"),
        ("trim('')", None),
        ("nullif(username, username)", None),
        ("1.5", None),
    ],
)
async def test_an_id_of_the_services_own(sql: SqlWorld, expression: str, account_id: str | None) -> None:
    """Where spellings are one account, its factors belong to its exact id; without one, to nothing."""
    owners = sql.owners(
        f"select email, locale, {expression} as account_id from users where username = :account",
    )
    if account_id is None:
        with pytest.raises(OwnersUnfit, match=r"`account_id`, and no null$"):
            await owners.contact("Alice")
        return
    assert await owners.contact("Alice") == Contact(account_id, "another@mail.example", "en-GB")


async def test_postgres_has_more_kinds_of_id(postgres: InPostgres) -> None:
    """In PostgreSQL a UUID's id is its usual text, and a boolean is none."""
    uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    query = "select email, locale, cast('{}' as {}) as account_id from users where username = :account"
    contact = await postgres.owners(query.format(uuid, "uuid")).contact("alice")
    assert contact is not None
    assert contact.account_id == uuid
    with pytest.raises(OwnersUnfit):
        await postgres.owners(query.format("true", "boolean")).contact("alice")


async def test_a_column_that_folds_case_folds_it_for_us(postgres: InPostgres) -> None:
    """A `citext` column is folded for us: `ALICE` must find the factors that the service's log-in would need."""
    await postgres.execute(
        "create extension citext",
        "create table members (id int, name citext, mail citext, lang text)",
        "insert into members values (7, 'Alice', 'a@mail.example', 'ja')",
    )
    query = "select mail as email, lang as locale, id as account_id from members where name = :account"
    assert await postgres.owners(query).contact("ALICE") == Contact("7", "a@mail.example", "ja")


@pytest.mark.parametrize(
    ("email", "usable"),
    [
        ("a@b", True),
        ("花子@例え.example", True),
        ("a\nBcc: all@mail.example", False),
        ("a@mail.example\u2028", False),
        ("a@mail.example, b@mail.example", False),
        ("<a@mail.example>", False),
        ("mail.example", False),
        ("@mail.example", False),
        ("a@", False),
        ("", False),
        ("a" * 241 + "@mail.example", True),
        ("a" * 242 + "@mail.example", False),
    ],
)
async def test_what_is_no_single_mailbox_is_no_contact(sqlite: SqlWorld, email: str, usable: bool) -> None:
    """A text that is not one mailbox is no contact: a line feed adds headers, a comma another recipient."""
    owners = sqlite.owners(f"select '{email}' as email, 'ja' as locale from users where username = :account")
    assert await owners.contact("bob") == Contact("bob", email if usable else None, "ja")


@pytest.mark.parametrize("locale", ["", "ja_JP.UTF-8", "ja\n", "../../etc", "j", "ja" + "-x" * 5])
async def test_what_is_no_locale_is_none(sqlite: SqlWorld, locale: str) -> None:
    """A locale that may be a file name or worse is dropped: locales select texts."""
    owners = sqlite.owners(f"select email, '{locale}' as locale from users where username = :account")
    assert await owners.contact("bob") == Contact("bob", None, None)


@pytest.mark.parametrize("expression", ["1", "1.5"])
async def test_a_number_is_no_address(sql: SqlWorld, expression: str) -> None:
    """A column of another type is an error for the operator."""
    owners = sql.owners(f"select {expression} as email, username as account_id from users where username = :account")
    with pytest.raises(OwnersUnfit, match=r"wants text in the columns of addresses and in `locale`$"):
        await owners.contact("alice")


@pytest.mark.parametrize(
    "query",
    [
        "select email, cast(nextval('numbers') as text) as locale from users where username = :account",
        "select email, locale from users where username = :account for update",
        "select email, wipe() as locale from users where username = :account",
    ],
)
async def test_the_query_cannot_write(postgres: InPostgres, query: str) -> None:
    """The query cannot write, with any function: its transaction is read-only, and the next writing one is not."""
    await postgres.execute(
        "create sequence numbers",
        "create function wipe() returns text language sql as 'delete from users returning locale'",
    )
    owners = postgres.owners(query)
    with pytest.raises(OwnersUnavailable, match=r"25006$"):  # read_only_sql_transaction
        await owners.contact("alice")
    assert await postgres.execute("select count(*) from users", "select is_called from numbers") == [(False,)]
    assert (await owners.ask_reset("alice", now_s=0)).asked_s == 0


async def test_reading_cannot_write_in_sqlite(sqlite: SqlWorld) -> None:
    """A reading SQLite connection refuses to write, and writes when it is a writing one again."""
    owners = sqlite.owners(connections_max=1)
    delete = "delete from users"
    with pytest.raises(OwnersUnavailable, match=r"SQLITE_READONLY$"):
        await owners.database.call(lambda connection: connection.exec_driver_sql(delete).rowcount)
    assert await owners.database.call(lambda connection: connection.exec_driver_sql(delete).rowcount, writes=True) == 5


@pytest.mark.parametrize(
    "query",
    [
        "select id as account_id, mail from users where username = :account",
        "select id as account_id, email from user where username = :account",
        "select id as account_id, email from users were username = :account",
    ],
    ids=["column", "table", "syntax"],
)
async def test_a_query_that_the_database_refuses_is_named_by_the_check(sql: SqlWorld, query: str) -> None:
    """A misspelt column, table or word is told from an outage: the start and `owners check` name the setting."""
    with pytest.raises(
        OwnersUnfit, match=r"^SEKISHO_OWNERS_QUERY is refused \(the database failed: \w+ \w+\): "
    ) as told:
        await sql.owners(query).check()

    assert "username" not in str(told.value)
    assert told.value.__context__ is None
