"""The console reads files and the audit's stream, goes on as they grow, and says why it cannot."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sekisho.console.logs import FileLog, Reading, StreamLog
from sekisho.console.tally import Tally
from sekisho.ledger.opening import open_line
from sekisho.record import Event
from sekisho.record.lines import encode
from sekisho.settings import load
from sekisho.testing import SECRET
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import RedisServer

NOON_US = 1_795_953_600_000_000


def line(number: int, at_us: int = NOON_US) -> str:
    return encode(Event("decided", at_us + number, f"POST /{number}", action="allow")) + "\n"


def doors(tally: Tally) -> list[str]:
    return [event.door for event in tally.recent]


async def test_files_are_read_in_order_and_followed(tmp_path: Path) -> None:
    paths = [tmp_path / "events.1", tmp_path / "events"]
    paths[0].write_text(line(0) + line(1))
    paths[1].write_text(line(2) + "damaged\n")
    log, tally = FileLog(paths, 0), Tally()
    reading = Reading(log, tally)

    assert await reading.once() == 3
    assert (log.done, log.unread) == (1.0, 1)
    assert await reading.once() == 0
    with paths[1].open("a") as file:
        file.write(line(3))
    assert await reading.once() == 1
    log.close()

    assert doors(tally) == ["POST /0", "POST /1", "POST /2", "POST /3"]


async def test_a_large_file_is_read_in_parts(tmp_path: Path) -> None:
    """The page is answered in between, and says how far it is."""
    path = tmp_path / "events"
    path.write_text("".join(map(line, range(7_500))))
    log, tally = FileLog([path], 0), Tally()
    reading = Reading(log, tally)

    assert await reading.once() == 5_000
    assert log.done == pytest.approx(5_000 / 7_500, abs=0.01)
    assert await reading.once() == 2_500
    assert log.done == 1.0
    log.close()


async def test_a_file_that_cannot_be_read_is_named_and_found_again(tmp_path: Path) -> None:
    """After a rotation something else stands at its path: the reading does not end, and goes on with the next file."""
    path = tmp_path / "events"
    path.write_text(line(0))
    log, tally = FileLog([path], 0), Tally()
    reading = Reading(log, tally)
    await reading.once()
    path.unlink()
    path.mkdir()

    assert await reading.once() == 0
    assert reading.problem == "the log cannot be read: Is a directory"
    path.rmdir()
    path.write_text(line(1))
    assert await reading.once() == 1
    assert reading.problem == ""
    log.close()
    assert doors(tally) == ["POST /0", "POST /1"]


@pytest.mark.parametrize("kind", ["redis_url", "redis_cluster_url"])
async def test_the_stream_is_read_from_a_time_on(kind: str, request: pytest.FixtureRequest) -> None:
    """1,500 entries come in two answers; later ones are found, and one that is no event is counted."""
    settings = load({"SEKISHO_SECRET": SECRET.decode(), "SEKISHO_STORE": request.getfixturevalue(kind)})
    store = open_line(settings.store, settings.limits, deadline_us=10_000_000)

    async def write(at_ms: int, text: str) -> None:
        await store.execute(b"XADD", b"sekisho:{audit}", b"%d-*" % at_ms, b"line", text.encode())

    await write(NOON_US // 1_000 - 1, line(9_999))
    for number in range(1_500):
        await write(NOON_US // 1_000, line(number))
    log, tally = StreamLog(store, "sekisho", NOON_US), Tally()
    reading = Reading(log, tally)

    assert await reading.once() == 1_000
    assert log.done == 0.0
    assert await reading.once() == 500
    assert log.done == 1.0
    await write(NOON_US // 1_000 + 1, "damaged")
    await write(NOON_US // 1_000 + 1, line(1_500))
    assert await reading.once() == 1
    await store.aclose()

    assert doors(tally) == [f"POST /{number}" for number in range(1_501)]
    assert log.unread == 1


async def test_a_store_that_is_away_is_named_and_found_again(own_redis_server: RedisServer) -> None:
    settings = load({"SEKISHO_SECRET": SECRET.decode(), "SEKISHO_STORE": own_redis_server.url})
    store = open_line(settings.store, settings.limits, deadline_us=1_000_000)
    own_redis_server.cli("XADD", "sekisho:{audit}", "*", "line", line(0).strip())
    tally = Tally()
    reading = Reading(StreamLog(store, "sekisho", 0), tally)
    own_redis_server.kill()

    assert await reading.once() == 0
    assert reading.problem == "the log cannot be read: SEKISHO_STORE does not answer"
    own_redis_server.start()
    own_redis_server.cli("XADD", "sekisho:{audit}", "*", "line", line(1).strip())

    running = asyncio.create_task(reading.run(lambda _: asyncio.sleep(0.02)))
    await until(lambda: doors(tally) == ["POST /1"])
    running.cancel()
    await asyncio.wait([running])
    assert reading.problem == ""
    await store.aclose()
