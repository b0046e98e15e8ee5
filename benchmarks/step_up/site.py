"""The accounts and passwords of the measured service, and the store of its owners' factors."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks import measure
from benchmarks.known import SECRET
from sekisho.crypto.seal import Sealer
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.owners import Enrolment
from sekisho.owners.sql import SqlOwners
from sekisho.passwords import Profile
from sekisho.stepup.factors.passkeys import PasskeySealer
from sekisho.stepup.factors.totp import PURPOSE, new_secret
from sekisho.stepup.webauthn import Credential
from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PASSWORD: Final = "right0000"
WRONG: Final = "wrong0000"
PROFILE: Final = Profile(2, 7_168, 1, source="this benchmark: slow beside the guard, and short enough for thousands")
KNOWN: Final = 1_000
"""Members. As many strangers' names are tried, of the same length."""

FLOOD, FLOOD_S = "flood", 1.0
"""How names of attempts begin that keep the queue full, and how long the application takes for one."""

QUERY = "select id as account_id, email, locale from members where name = :account"


def members(count: int) -> Iterator[str]:
    return (f"member{number:05d}@mail.example" for number in range(count))


def nobodies(count: int) -> Iterator[str]:
    return (f"nobody{number:05d}@mail.example" for number in range(count))


ENROLLED: Final = ("webauthn", "totp", "")
"""For services with several factors: one for each member by turns; "" for none."""


class Furnished(NamedTuple):
    """Attributes:
    machine: as it was before.
    redis: on the core of the load.
    bare, asking: environments of a service without factors, and of one whose members are enrolled.
    """

    machine: Mapping[str, Any]
    redis: RedisServer
    bare: Mapping[str, str]
    asking: Mapping[str, str]

    def forget(self) -> None:
        """Empty the store."""
        self.redis.cli("FLUSHALL")


@contextlib.contextmanager
def furnished(factors: str = "totp", enrolled: tuple[str, ...] = ("totp",)) -> Iterator[Furnished]:
    """What the services of a benchmark need. `factors`: as the setting. `enrolled`: one for each member by turns."""
    measure.require_tools()
    about = measure.machine()
    os.sched_setaffinity(0, {measure.LOAD_CORE})  # and with it Redis, which inherits it
    with RedisServer() as redis, tempfile.TemporaryDirectory() as folder:
        bare = {"BENCH_STORE": redis.url}
        owners = furnish(Path(folder) / "members.sqlite", enrolled)
        yield Furnished(about, redis, bare, {**bare, "BENCH_FACTORS": factors, "BENCH_OWNERS": owners})


def furnish(path: Path, enrolled: tuple[str, ...] = ("totp",)) -> str:
    """A members table in SQLite, each enrolled with one of these factors by turns. Returns its URL."""
    url = f"sqlite+aiosqlite:///{path}"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table members (id text primary key, name text unique, email text, locale text)")
        rows = [(str(number), name, name, "en") for number, name in enumerate(members(KNOWN))]
        connection.executemany("insert into members values (?, ?, ?, ?)", rows)
    asyncio.run(_enrol(url, enrolled))
    return url


def _sealed(sealer: Sealer, kind: str, account_id: str, name: str) -> bytes:
    if kind == "totp":
        return sealer.seal(PURPOSE, new_secret(), bound_to=enrolment_binding(account_id, name))
    passkey = Credential(secrets.token_bytes(32), secrets.token_bytes(77), 0, secrets.token_bytes(32))
    return PasskeySealer(sealer).seal(passkey, account=account_id, enrolment=name)


async def _enrol(url: str, enrolled: tuple[str, ...]) -> None:
    owners = SqlOwners(url, QUERY, deadline_us=20_000_000, clock_s=time.monotonic)
    sealer = Sealer((SECRET.encode(),), clock_s=time.time)
    try:
        await owners.migrate()
        for number in range(KNOWN):
            name, account_id, kind = secrets.token_hex(16), str(number), enrolled[number % len(enrolled)]
            if kind:
                sealed = _sealed(sealer, kind, account_id, name)
                await owners.enrol(account_id, Enrolment(name, kind, "phone", 1, sealed))
    finally:
        await owners.aclose()
