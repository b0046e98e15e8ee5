"""How MySQL and MariaDB differ from PostgreSQL and SQLite."""

from __future__ import annotations

import asyncio
import shutil
import time
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from sqlalchemy.util import await_only

from sekisho.model import SettingsError
from sekisho.owners import Contact, OwnersUnavailable, OwnersUnfit
from sekisho.owners.dialects import SECONDS, _limit, dialect_of
from sekisho.owners.query import MIXED, UNNAMED
from sekisho.owners.sql import SqlOwners, _number
from tests.owners.worlds import QUERY, enrolment

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from tests.owners.worlds import InMariadb, InPostgres

BY_ID = "select id as account_id, email from members where name = :account"
OPTIONS = "has an option that sekisho does not pass on; possible for MySQL: ssl, ssl_ca, unix_socket"
PLACE = "mysql://sekisho@db.internal/shop"


async def _members(world: InMariadb, kind: str) -> None:
    await world.execute(
        f"create table members (id bigint, name {kind}, email text)",
        "insert into members values (7, 'alice', 'alice@mail.example')",
    )


@pytest.mark.parametrize("scheme", ["mysql", "mysql+asyncmy", "mariadb", "mariadb+asyncmy"])
async def test_every_name_of_it_leads_there(mariadb: InMariadb, scheme: str) -> None:
    """Every URL form works, with a non-ASCII password too."""
    owners = mariadb.owners(url=mariadb.url.replace("mysql://", f"{scheme}://"))
    assert await owners.contact("bob") == Contact("bob", None, None)


@pytest.mark.parametrize("account", ["alice", "ALICE", "álice", "alice  ", "ａｌｉｃｅ"])
@pytest.mark.parametrize("collation", ["utf8mb4_general_ci", "utf8mb4_unicode_520_ci"])
async def test_spellings_are_one_account(mariadb: InMariadb, collation: str, account: str) -> None:
    """Spellings that the column equates have one id, to which all enrolments belong."""
    await _members(mariadb, f"varchar(50) collate {collation}")
    found = await mariadb.owners(BY_ID).contact(account)
    if (collation, account) == ("utf8mb4_general_ci", "ａｌｉｃｅ"):
        assert found is None
    else:
        assert found is not None
        assert (found.account_id, found.owner) == ("7", "7")


@pytest.mark.parametrize("account", ["alice", "ALICE", "nobody"])
async def test_a_query_without_an_id_is_refused(mariadb: InMariadb, account: str) -> None:
    """A query without an id is refused, at the start too: `ALICE` would log in without `alice`'s factors."""
    owners = mariadb.owners("select email, locale from users where username = :account")
    with pytest.raises(OwnersUnfit) as unfit:
        await owners.contact(account)
    assert str(unfit.value) == UNNAMED
    assert str(unfit.value).endswith("begin it with: select id as account_id, email")
    with pytest.raises(OwnersUnfit):
        await owners.check()


async def test_ids_are_told_apart_by_their_bytes(mariadb: InMariadb) -> None:
    """Ids are compared by bytes: a collation (utf8mb4_bin pads, too) would give `alice ` or `ALICE` `alice`'s
    factors.
    """
    owners = mariadb.owners()
    await owners.enrol("alice", enrolment(1))
    await owners.ask_reset("alice", now_s=0)
    for other in ("alice ", "ALICE", "álice"):
        assert await owners.enrolments(other) == ()
        assert await owners.pending_reset(other) is None
        assert not await owners.remove(other, enrolment(1).id)


@pytest.mark.parametrize("longest", ["a" * 512, "花" * 512, "😀" * 512])
async def test_the_longest_id_fits(mariadb: InMariadb, longest: str) -> None:
    """The longest id fits, and another last character makes another id."""
    owners = mariadb.owners()
    await owners.enrol(longest, enrolment(1, label="😀" * 64, sealed=b"x" * 8_192))
    assert await owners.enrolments(longest) == (enrolment(1, label="😀" * 64, sealed=b"x" * 8_192),)
    assert await owners.enrolments(longest[:-1] + "b") == ()


@pytest.mark.parametrize("charset", ["latin1", "ascii", "utf8mb3", "sjis"])
async def test_a_name_that_a_column_cannot_hold_is_no_account(mariadb: InMariadb, charset: str) -> None:
    """A name that a column cannot hold (an emoji) is no account, and no failure with a log line and a 503."""
    await _members(mariadb, f"varchar(50) character set {charset}")
    owners = mariadb.owners(BY_ID)
    assert await owners.contact("alice😀") is None
    assert await owners.contact("alice") == Contact("7", "alice@mail.example", None)


async def test_a_name_that_an_encoding_cannot_hold_is_no_account(postgres: InPostgres) -> None:
    """The same holds for PostgreSQL in an encoding other than UTF-8."""
    await postgres.execute(f"create database {postgres.name}_latin encoding 'LATIN1' template template0 locale 'C'")
    url = f"{postgres.url}_latin"
    owners = postgres.owners("select 'a@mail.example' as email where :account = 'müller'", url=url)
    assert await owners.contact("花子") is None
    assert await owners.contact("müller") == Contact("müller", "a@mail.example", None)
    await owners.aclose()


async def test_a_query_whose_collations_clash_is_the_operators_to_mend(mariadb: InMariadb) -> None:
    """A query whose collations clash finds no account, and the start reports it."""
    await _members(mariadb, "varchar(50) collate utf8mb4_general_ci")
    owners = mariadb.owners(
        f"{BY_ID} and name <> (select max(username collate utf8mb4_unicode_ci) from users where username > '')"
        " and name collate utf8mb4_bin = name collate utf8mb4_general_ci"
    )
    with pytest.raises(OwnersUnfit) as unfit:
        await owners.check()
    assert str(unfit.value) == MIXED


@pytest.mark.parametrize("account", ["\\' or 1=1 -- ", "\\", "alice\\", "' or ''='", "\\%_", '"', "\x1a", "\n"])
@pytest.mark.parametrize("mode", ["NO_BACKSLASH_ESCAPES", "ANSI_QUOTES,PIPES_AS_CONCAT", ""])
async def test_quotes_end_where_they_should(mariadb: InMariadb, mode: str, account: str) -> None:
    """Quoting is right in any server mode: the driver writes values, and bytes with backslashes, into statements."""
    before = (await mariadb.execute("select @@global.sql_mode"))[0][0]
    await mariadb.execute(f"set global sql_mode = '{mode}'")
    try:
        owners = mariadb.owners()
        await owners.enrol("alice", enrolment(1))
        assert await owners.contact(account) is None
        assert await owners.enrolments(account) == ()
        await owners.enrol(account, enrolment(2))
        assert await owners.enrolments(account) == (enrolment(2),)
        await owners.forget(account)
        assert await owners.enrolments("alice") == (enrolment(1),)
    finally:
        await mariadb.execute(f"set global sql_mode = '{before}'")


async def test_reading_cannot_write(mariadb: InMariadb) -> None:
    """A read-only transaction cannot write, even by a query's functions; the next writing one can."""
    await mariadb.execute(
        "create function wipe() returns text begin delete from users; return 'ja'; end",
    )
    owners = mariadb.owners(
        "select username as account_id, email, wipe() as locale from users where username = :account",
        connections_max=1,
    )
    with pytest.raises(OwnersUnavailable, match=r" 1792$"):  # cannot execute in a read-only transaction
        await owners.contact("alice")
    delete = "delete from users"
    with pytest.raises(OwnersUnavailable, match=r" 1792$"):
        await owners.database.call(lambda connection: connection.exec_driver_sql(delete).rowcount)
    assert await owners.database.call(lambda connection: connection.exec_driver_sql(delete).rowcount, writes=True) == 5


async def test_a_lock_ends_with_its_transaction(mariadb: InMariadb) -> None:
    """A lock ends with its transaction, after a failure too, although MySQL binds it to the pooled connection."""
    owners, others = mariadb.owners(connections_max=1), mariadb.owners(connections_max=1)
    await owners.enrol("alice", enrolment(1))
    with pytest.raises(ValueError, match="taken"):
        await owners.enrol("alice", enrolment(1))
    await others.enrol("alice", enrolment(2))
    assert len(await owners.enrolments("alice")) == 2


async def test_locks_of_two_databases_are_two(mariadb: InMariadb) -> None:
    """Lock names are server-wide, so ours contain the database: a neighbour's lock must not block our owners."""
    name = f"{mariadb.name}_neighbour"
    await mariadb.execute(f"create database {name}")
    neighbour = mariadb.owners(url=mariadb.url.replace(f"/{mariadb.name}", f"/{name}"))
    await neighbour.migrate()
    entered, leave = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        def work(connection: Connection) -> None:
            dialect_of(connection).lock(connection, _number("alice"))
            entered.set()
            await_only(leave.wait())

        await neighbour.database.call(work, writes=True)

    holding = asyncio.create_task(hold())
    await entered.wait()
    await mariadb.owners().enrol("alice", enrolment(1))
    leave.set()
    await holding
    await neighbour.aclose()


@pytest.mark.parametrize(
    ("is_mariadb", "limits"),
    [
        (True, "max_statement_time = 0.250"),
        (False, "max_execution_time = 250"),
    ],
)
def test_each_of_the_two_is_told_in_its_own_words(is_mariadb: bool, limits: str) -> None:
    """MySQL and MariaDB get their own statement timeout, sent once while it stays the same."""
    connection = Mock(info={}, dialect=Mock(is_mariadb=is_mariadb))
    connection.get_execution_options.return_value = {SECONDS: 0.25}
    _limit(connection)
    _limit(connection)
    connection.exec_driver_sql.assert_called_once_with(
        f"SET SESSION {limits}, SESSION innodb_lock_wait_timeout = 1, SESSION lock_wait_timeout = 1"
    )


# --- TLS


@pytest.mark.parametrize("way", ["require", "verify-ca", "verify-full"])
async def test_the_line_is_encrypted_where_it_is_asked_for(mariadb: InMariadb, way: str) -> None:
    """The connection is encrypted if asked for, and the certificate verified by the URL's authority."""
    given = "" if way == "require" else f"&ssl_ca={mariadb.server.certificate}"
    assert await _cipher(mariadb.owners(url=f"{mariadb.url}?ssl={way}{given}"))


async def test_an_authority_alone_means_the_strictest(mariadb: InMariadb) -> None:
    """`ssl_ca` alone means full verification; without TLS options the connection is as configured."""
    assert await _cipher(mariadb.owners(url=f"{mariadb.url}?ssl_ca={mariadb.server.certificate}"))
    assert not await _cipher(mariadb.owners())
    assert not await _cipher(mariadb.owners(url=f"{mariadb.url}?ssl=disable"))


async def test_a_stranger_in_between_is_not_spoken_to(mariadb: InMariadb) -> None:
    """An unknown authority or another name in the certificate ends the connection."""
    known = f"?ssl_ca={mariadb.server.certificate}"
    elsewhere = mariadb.url.replace("127.0.0.1", "127.1")  # the same address, not named in the certificate
    assert await _cipher(mariadb.owners(url=f"{elsewhere}{known}&ssl=verify-ca"))
    for url in (f"{mariadb.url}?ssl=verify-full", f"{mariadb.url}?ssl=verify-ca", f"{elsewhere}{known}"):
        with pytest.raises(OwnersUnavailable):
            await mariadb.owners(url=url).contact("alice")


async def test_a_server_without_tls_is_not_spoken_to_in_plain_text() -> None:
    """A man in the middle who denies TLS gets no name: the driver starts the handshake all the same."""
    heard: list[bytes] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Protocol 10, without CLIENT_SSL among the capabilities.
        greeting = b"\x0a8.0.30\0" + b"\x01\0\0\0" + b"saltsalt\0" + b"\xff\xf7" + b"\x2d\x02\0" + b"\xff\xdf"
        greeting += b"\x15" + b"\0" * 10 + b"saltsaltsalt\0" + b"mysql_native_password\0"
        writer.write(len(greeting).to_bytes(3, "little") + b"\0" + greeting)
        heard.append(await reader.read(4_096))
        heard.append(await reader.read(4_096))
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    owners = SqlOwners(
        f"mysql://marked-user:marked-word@127.0.0.1:{port}/shop?ssl=require", QUERY, clock_s=time.monotonic
    )
    with pytest.raises(OwnersUnavailable):
        await owners.contact("alice")
    await owners.aclose()
    server.close()
    await server.wait_closed()
    assert heard
    assert b"marked" not in b"".join(heard)


async def test_a_socket_leads_there(mariadb: InMariadb) -> None:
    """A unix socket works, as the server's own root user."""
    url = f"mysql://root@localhost/{mariadb.name}?unix_socket={mariadb.server.socket}"
    assert await mariadb.owners(url=url).contact("bob") == Contact("bob", None, None)


async def _cipher(owners: SqlOwners) -> object:
    show = "show session status like 'Ssl_cipher'"
    row = await owners.database.call(lambda connection: connection.exec_driver_sql(show).one())
    return row[1]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("?ssl=yes", "has an `ssl` that is none of disable, require, verify-ca, verify-full"),
        ("?ssl=require&ssl=disable", "has an `ssl` that is none of disable, require, verify-ca, verify-full"),
        ("?ssl_ca=/nowhere/ca.pem", "names a file in `ssl_ca` that cannot be read, or holds no certificates"),
        ("?ssl_ca=a&ssl_ca=b", "names a file in `ssl_ca` that cannot be read, or holds no certificates"),
        ("?ssl_mode=hunter2", OPTIONS),
        ("?local_infile=1", OPTIONS),
    ],
)
def test_options_that_make_no_sense_stop_the_start(options: str, problem: str) -> None:
    """Wrong options stop the start by their names, without their values."""
    with pytest.raises(SettingsError) as refused:
        SqlOwners(PLACE + options, QUERY, clock_s=time.monotonic)
    assert (refused.value.name, refused.value.problem) == ("SEKISHO_OWNERS", problem)
    assert refused.value.__context__ is None


def test_a_file_without_certificates_is_none(tmp_path: Path) -> None:
    """A file without certificates is refused: no server could be verified."""
    shutil.copy(__file__, tmp_path / "ca.pem")
    with pytest.raises(SettingsError, match="holds no certificates"):
        SqlOwners(f"{PLACE}?ssl_ca={tmp_path / 'ca.pem'}", QUERY, clock_s=time.monotonic)


def test_a_url_names_its_database() -> None:
    """A URL without a database is refused: there would be no place for tables."""
    with pytest.raises(SettingsError, match="names no database"):
        SqlOwners("mysql://sekisho@db.internal", QUERY, clock_s=time.monotonic)
