"""The outbox under SIGKILL: real processes, real databases, a real mail server."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from contextlib import asynccontextmanager
from email import message_from_bytes
from typing import TYPE_CHECKING

from tests.mail.servers import real_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.mail.servers import RealServer, Received
    from tests.owners.worlds import SqlWorld

KILLS = 6
NOTICES = 8  # of each worker that is killed
ENOUGH_S = 120


class Said:
    """The addresses whose notices a worker has kept."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self._news = asyncio.Event()

    async def read(self, lines: asyncio.StreamReader) -> None:
        async for line in lines:
            word, address = line.decode().split()
            assert word == "kept"
            self.kept.append(address)
            self._news.set()

    async def reached(self, count: int) -> None:
        async with asyncio.timeout(ENOUGH_S):
            while len(self.kept) < count:
                self._news.clear()
                await self._news.wait()


async def _empty(sql: SqlWorld) -> None:
    async with asyncio.timeout(ENOUGH_S):
        while await sql.execute("select id from sekisho_outbox"):  # noqa: ASYNC110 - another process empties it
            await asyncio.sleep(0.1)


@asynccontextmanager
async def worker(sql: SqlWorld, mail: RealServer, name: str, notices: int) -> AsyncIterator[Said]:
    """A worker beside others, and what it has said. It is killed at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.outbox.worker", sql.url, str(mail.port), name, str(notices),
        stdout=asyncio.subprocess.PIPE, env={**os.environ},
    )  # fmt: skip
    assert process.stdout is not None
    said = Said()
    reading = asyncio.create_task(said.read(process.stdout))
    try:
        yield said
    finally:
        process.kill()
        await process.wait()
        await reading  # what it had said before


async def test_nothing_kept_is_lost_and_nothing_is_sent_twice_but_what_was_in_flight(sql: SqlWorld) -> None:
    """Workers are killed at random instants, two at work at a time. Each notice that was kept arrives. Each kill
    repeats at most one, which the killed worker was handing over (two kills may meet the same), with its Message-ID.
    """
    chance = random.Random()
    kept: list[str] = []
    async with real_server() as mail, worker(sql, mail, "steady", 0):
        for number in range(KILLS):
            async with worker(sql, mail, f"killed{number}", NOTICES) as its:
                await its.reached(chance.randint(1, NOTICES))
                await asyncio.sleep(chance.random() / 10)  # the random instant
            kept += its.kept
        await _empty(sql)
    arrived = Counter(one.to[0] for one in mail.received)
    assert len(kept) >= KILLS
    assert set(kept) <= arrived.keys()
    assert arrived.total() - len(arrived) <= KILLS
    for address in arrived:
        assert len({_message_id(one) for one in mail.received if one.to == (address,)}) == 1


def _message_id(received: Received) -> str:
    return str(message_from_bytes(received.content)["Message-ID"])
