"""With a database down, slow, full or silent every call ends in time, leaves no task or connection, and recovers."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sqlite3
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sekisho.owners import OwnersUnavailable
from sekisho.owners.database import CALLS_MAX
from sekisho.owners.sql import SqlOwners
from tests.owners.worlds import QUERY, T0, enrolment
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.owners.worlds import InMariadb, InPostgres, Served, SqlWorld

DEADLINE_US = 200_000
SOON_S = 2.0  # the deadline, and the delay of a shared machine
SCHEMES = pytest.mark.parametrize("scheme", ["postgresql+asyncpg", "mysql"])


def _slow(world: Served) -> str:
    return f"{QUERY} and {world.asleep(30)}"


async def _refused(owners: SqlOwners) -> float:
    """The seconds until a contact was refused."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    with pytest.raises(OwnersUnavailable) as refused:
        await owners.contact("alice")
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None
    return loop.time() - start


async def _idle(owners: SqlOwners, seconds: float = 10.0) -> None:
    """Wait until no call is under way, abandoned ones included."""
    async with asyncio.timeout(seconds):
        while owners.database._tasks:
            await asyncio.wait(owners.database._tasks)


@contextlib.asynccontextmanager
async def _black_hole() -> AsyncIterator[int]:
    """A port that takes connections and sends nothing."""
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


@SCHEMES
async def test_a_refused_connection_is_reported_at_once(scheme: str) -> None:
    """A refused connection is reported at once."""
    owners = SqlOwners(f"{scheme}://sekisho:pw@127.0.0.1:{free_port()}/shop", QUERY, clock_s=time.monotonic)
    assert await _refused(owners) < SOON_S
    await owners.aclose()


@SCHEMES
async def test_a_black_hole(scheme: str, caplog: pytest.LogCaptureFixture) -> None:
    """A server that takes the connection and is silent costs the deadline, and is logged."""
    async with _black_hole() as port:
        owners = SqlOwners(
            f"{scheme}://sekisho:pw@127.0.0.1:{port}/shop",
            QUERY,
            connections_max=2,
            deadline_us=DEADLINE_US,
            clock_s=time.monotonic,
        )
        waited = await asyncio.gather(*(_refused(owners) for _ in range(20)))
        assert all(DEADLINE_US / 1e6 * 0.9 < seconds < SOON_S for seconds in waited)
        await _idle(owners)
        await owners.aclose()
    told = [message for name, _, message in caplog.record_tuples if name == "sekisho.owners"]
    assert len(told) == len(set(told)) > 0
    late = "the owners' database failed: TimeoutError: no answer came in time: "
    assert all(text == "the owners' database did not answer in time [SEK043]" or text.startswith(late) for text in told)


async def test_a_server_that_falls_silent(own_served: Served) -> None:
    """Open connections to a silent server are left at the deadline, and used again when it answers."""
    owners = own_served.owners(connections_max=2, deadline_us=DEADLINE_US)
    await _until_answered(owners)
    own_served.server.pause()
    for _ in range(3):
        assert await _refused(owners) < SOON_S
    await _idle(owners)
    own_served.server.resume()
    await _until_answered(owners)


async def test_a_server_that_dies_and_comes_back(own_served: Served) -> None:
    """After a killed server, calls are refused, then work again by themselves, and nothing is lost."""
    owners, server = own_served.owners(), own_served.server
    await owners.enrol("alice", enrolment(1))
    server.kill()
    assert await _refused(owners) < SOON_S
    server.start()
    assert await owners.enrolments("alice") == (enrolment(1),)
    server.kill()
    server.start()
    assert await owners.enrolments("alice") == (enrolment(1),)  # no call was made while it was away, so none noticed


async def test_a_slow_query_ends_with_its_caller(served: Served) -> None:
    """A slow query is cancelled in the server too, or a slow database would get ever more work."""
    owners = served.owners(_slow(served), connections_max=1, deadline_us=DEADLINE_US)
    assert await _refused(owners) < SOON_S
    await _idle(owners)
    await _until_idle(served, "sleep(30)")


async def test_a_caller_who_leaves(served: Served) -> None:
    """A cancelled caller's connection goes to the next one, with its own answer."""
    owners = served.owners(connections_max=1)
    await owners.contact("花子")
    asleep = sa.text(f"select {served.asleep(30)}")
    slow = asyncio.create_task(owners.database.call(lambda connection: connection.execute(asleep)))
    await asyncio.sleep(0)
    (task,) = owners.database._tasks
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    found = await owners.contact("bob")
    assert found is not None
    assert found.account_id == "bob"
    assert task.done()


async def test_no_more_connections_than_allowed(served: Served) -> None:
    """Forty callers are answered over the allowed number of connections."""
    owners = served.owners(
        f"select email, locale, ({served.active}) as account_id from users where username = :account "
        f"and {served.asleep(0.02)}",
        connections_max=3,
    )
    found = await asyncio.gather(*(owners.contact("alice") for _ in range(40)))
    assert {contact.account_id for contact in found if contact} <= {"1", "2", "3"}
    assert None not in found


@SCHEMES
async def test_no_more_callers_than_bounded(scheme: str) -> None:
    """With too many waiting callers the next is refused at once, so memory is bounded."""
    async with _black_hole() as port:
        owners = SqlOwners(f"{scheme}://u@127.0.0.1:{port}/shop", QUERY, deadline_us=5_000_000, clock_s=time.monotonic)
        waiting = [asyncio.create_task(owners.contact("alice")) for _ in range(CALLS_MAX)]
        await asyncio.sleep(0)
        assert await _refused(owners) < 1.0
        assert len(owners.database._tasks) == CALLS_MAX
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await owners.aclose()


async def test_closing_ends_what_waits(served: Served) -> None:
    """Closing does not wait, and refuses waiting callers."""
    owners = served.owners(_slow(served))
    waiting = asyncio.create_task(owners.contact("alice"))
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await owners.aclose()
    with pytest.raises(OwnersUnavailable):
        await waiting
    assert not owners.database._tasks


async def test_sqlite_locked_by_another(sqlite: SqlWorld, tmp_path: Path) -> None:
    """Another process's endless write in SQLite holds writers to the deadline and readers not at all."""
    owners = sqlite.owners(deadline_us=DEADLINE_US)
    await _until_answered(owners)
    loop = asyncio.get_running_loop()
    with contextlib.closing(sqlite3.connect(tmp_path / "owners.db", isolation_level=None)) as other:
        other.execute("begin immediate")
        start = loop.time()
        with pytest.raises(OwnersUnavailable):
            await owners.ask_reset("alice", now_s=T0)
        assert loop.time() - start < SOON_S
        await _until_answered(owners)
    await _idle(owners)
    assert (await owners.ask_reset("alice", now_s=T0)).asked_s == T0


async def test_a_lock_is_one_line_in_the_log(
    sqlite: SqlWorld, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A lock is one log line for any number of requests; its end is logged when it has lasted ten seconds."""
    now_s = 0.0
    changes: list[bool] = []
    owners = SqlOwners(sqlite.url, QUERY, deadline_us=DEADLINE_US, clock_s=lambda: now_s, on_change=changes.append)
    await _until_answered(owners)
    caplog.clear()
    with contextlib.closing(sqlite3.connect(tmp_path / "owners.db", isolation_level=None)) as other:
        other.execute("begin immediate")
        for _ in range(5):
            with pytest.raises(OwnersUnavailable):
                await owners.ask_reset("alice", now_s=T0)
            await _until_answered(owners)
    told = [message for name, _, message in caplog.record_tuples if name == "sekisho.owners"]
    assert len(told) <= 2  # the deadline, or the database's own error
    assert len(told) == len(set(told)) > 0
    assert changes == [False]

    now_s = 10.0
    await _idle(owners)
    await _until_answered(owners)
    assert caplog.messages[-1] == "the owners' database answers again"
    assert changes == [False, True]
    await owners.aclose()


async def test_a_row_locked_by_another(mariadb: InMariadb) -> None:
    """A locked row costs callers the deadline, and the server stops its statement too."""
    await mariadb.owners().ask_reset("alice", now_s=T0)
    owners = mariadb.owners(deadline_us=DEADLINE_US)
    await _until_answered(owners)
    with contextlib.closing(mariadb.server.connect()) as other, other.cursor() as cursor:
        cursor.execute(f"update {mariadb.name}.sekisho_resets set due_s = due_s + 1")
        with pytest.raises(OwnersUnavailable):
            await owners.cancel_reset("alice")
        await _until_idle(mariadb, "sekisho_resets")
    await _idle(owners)
    assert await mariadb.owners().cancel_reset("alice")


async def test_a_busy_query_ends_with_its_caller(mariadb: InMariadb) -> None:
    """A computing query, which never checks its client, is cancelled with its caller."""
    owners = mariadb.owners(f"{QUERY} and benchmark(10000000000, md5('x')) = 0", deadline_us=DEADLINE_US)
    with pytest.raises(OwnersUnavailable):
        await owners.contact("alice")
    await _until_idle(mariadb, "md5")


async def _until_idle(world: Served, text: str) -> None:
    """Wait until the server runs no statement with this text."""
    async with asyncio.timeout(10):
        while await world.running(text):
            pass


async def test_sqlite_in_no_folder(tmp_path: Path) -> None:
    """A path without a folder is a database that does not answer."""
    before = set(threading.enumerate())
    owners = SqlOwners(f"sqlite+aiosqlite:///{tmp_path}/missing/owners.db", QUERY, clock_s=time.monotonic)
    assert await _refused(owners) < SOON_S
    await owners.aclose()
    # aiosqlite's thread reports its own end to this loop, which must still exist.
    for thread in set(threading.enumerate()) - before:
        await asyncio.to_thread(thread.join, 5)


@pytest.mark.parametrize("options", ["?ssl=require", "?ssl=hunter2", "?target_session_attrs=x"])
async def test_options_that_the_driver_refuses(postgres: InPostgres, options: str) -> None:
    """Any exception of a driver, of any class, is a database that does not answer."""
    await _refused(postgres.owners(url=postgres.url + options))


async def _until_answered(owners: SqlOwners) -> None:
    """Retry: a busy machine may miss such a short deadline; the claim is that it ends."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(OwnersUnavailable):
                assert await owners.contact("alice") is not None
                return


async def test_nothing_is_reported_as_never_heard(served: Served) -> None:
    """No task's exception goes unread: the event loop would print it with its data."""
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    owners = served.owners("select email, locale from nowhere where username = :account")
    waiting = asyncio.create_task(owners.contact("alice"))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await _idle(owners)
    await _refused(owners)
    hasty = served.owners(deadline_us=DEADLINE_US)
    with pytest.raises(OwnersUnavailable):
        await hasty.database.call(partial(_end_badly, asleep=served.asleep(30)))
    await _idle(hasty)
    await owners.aclose()
    gc.collect()
    assert reported == []


def _end_badly(connection: sa.Connection, asleep: str) -> None:
    """Fail as drivers do that read a cancellation as a lost connection: abandoned, then an error."""
    try:
        connection.execute(sa.text(f"select {asleep}"))
    except asyncio.CancelledError:
        raise OwnersUnavailable("too late for anybody to hear") from None
