"""A store over its memory budget: newcomers share counters, known accounts and devices are unaffected."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sekisho.ledger import arithmetic as ledger
from sekisho.ledger.opening import open_line
from sekisho.ledger.records import FRESH, current, shared_key
from sekisho.ledger.redis import pack_charge, pack_settlement
from sekisho.model import Charged, Effect
from sekisho.store import connection as lines
from sekisho.store.refusals import over_budget
from tests.ledger.charges import DAY, LIMITS, MINUTE, ROOMY, SECOND, T0, charge
from tests.ledger.stores import KEYS, LuaLedger, PartedLedger, let_in, places, unpack_record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import redis

    from sekisho.ledger.records import Record
    from sekisho.model import Charge, Verdict
    from sekisho.store import AnyStoreConnection
    from tests.servers import RedisServer

SHARED_FIELD = bytes(8)
OWN = charge(0)._replace(pair_tag=b"\x01own", ip_tag=b"\xffown")  # the one in 256 that gets a record all the same


@pytest.fixture(scope="module")
def parted(redis_server: RedisServer) -> Iterator[PartedLedger]:
    found = PartedLedger(LuaLedger(redis_server, LIMITS, db=1))
    yield found
    found.lua.close()


attempts = st.builds(
    charge,
    account=st.integers(0, 3),
    secret=st.integers(0, 6),
    ip=st.integers(0, 3),
    network=st.integers(0, 1),
    known_device=st.none() | st.integers(0, 3),
    exempt=st.booleans(),
)


@given(
    history=st.lists(
        st.tuples(
            st.booleans(), st.lists(attempts, min_size=1, max_size=12), st.integers(0, 3), st.booleans(),
            st.sampled_from([0, SECOND, 3 * SECOND, MINUTE, 7 * MINUTE, DAY]),
        ),
        max_size=12,
    )
)  # fmt: skip
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lua_its_parts_and_the_reference_share_alike(
    history: list[tuple[bool, list[Charge], int, bool, int]],
    lua: LuaLedger,
    parted: PartedLedger,
    redis_server: RedisServer,
) -> None:
    """The script, its parts and the reference agree in verdicts and records for any history of budgets kept and
    exceeded.
    """
    redis_server.cli("FLUSHALL")
    book: dict[bytes, Record] = {}
    charged: list[tuple[Charge, Verdict]] = []
    found_at: dict[bytes, bytes] = {}
    now_us = T0
    for over, tried, settled, proved, wait_us in history:
        told_us = -now_us if over else now_us
        batch = [each._replace(pair_tag=OWN.pair_tag, ip_tag=OWN.ip_tag) if each.exempt else each for each in tried]
        expected = [ledger.apply(book, each, LIMITS, now_us, over_budget=over) for each in batch]
        assert expected == lua.run(told_us, [(each, pack_charge(each)) for each in batch])
        assert expected == [parted.charge(told_us, each) for each in batch]
        charged += zip(batch, expected, strict=True)
        for each, verdict in charged[:settled]:
            effects = Effect.PROVED if proved else 0
            ledger.undo(book, each, verdict, LIMITS, now_us, effects)
            parted.settle(told_us, each, verdict, effects)
            lua.run(told_us, [(each, pack_settlement(each, verdict, effects))])
        del charged[:settled]
        for each in batch:
            found_at |= places(each) | {KEYS.bucket(each) + SHARED_FIELD: shared_key(each)}
        kept = [book.get(key, FRESH) for key in found_at.values()]
        for one in (lua, parted.lua):
            assert failures(kept, now_us) == failures(one.records(found_at), now_us)
        now_us += wait_us


def failures(records: list[Record], now_us: int) -> list[int]:
    return [current(record, now_us).failures for record in records]


@pytest.mark.usefixtures("redis_url")
def test_a_flood_of_invented_names_leaves_one_in_256(lua: LuaLedger, client: redis.Redis) -> None:
    """Row 13.4: of 20,000 invented names and secrets from one address some 80 names and no secret get a record."""
    lua.limit(ROOMY)
    for start in range(0, 20_000, 100):
        flood = [charge(n, n)._replace(secret=b"%04x" % n) for n in range(start, start + 100)]
        lua.run(-T0, [(each, pack_charge(each)) for each in flood])
    lua.limit(LIMITS)

    fields = [field for key in client.scan_iter("t:{a*") for field in client.hkeys(key)]
    assert 20 < len([field for field in fields if field != SHARED_FIELD]) < 200
    assert list(client.scan_iter("t:s*")) == []


@pytest.mark.usefixtures("redis_url")
def test_who_is_known_does_not_notice(lua: LuaLedger) -> None:
    """A counted account counts on, and a known device keeps its bucket even at a new account."""
    victim = charge(1)
    lua.run(T0, [(victim, pack_charge(victim))])
    again, known_device = charge(1, 2), charge(2, known_device=1)

    told = lua.run(-T0 - SECOND, [(each, pack_charge(each)) for each in (again, known_device)])

    assert [verdict.charged for verdict in told] == [
        Charged.NETWORK | Charged.ACCOUNT | Charged.FAILURES,
        Charged.KNOWN_DEVICE,
    ]
    assert told[0].failures == 2


@pytest.mark.usefixtures("redis_url")
def test_a_newcomer_is_limited_with_others_and_waits_a_minute_at_most(lua: LuaLedger) -> None:
    """Row 13.4: newcomers share five guesses and then one a minute; room returns within a minute."""
    lua.limit(ROOMY)
    guesses = [charge(3, n, network=n)._replace(pair_tag=b"\x01" + bytes(3)) for n in range(30)]
    told = lua.run(-T0, [(each, pack_charge(each)) for each in guesses])
    assert let_in(told) == 5
    assert max(verdict.account_wait_us for verdict in told) == MINUTE

    for minute in range(1, 20):
        (verdict,) = lua.run(-T0 - minute * MINUTE, [(guesses[0], pack_charge(guesses[0]))])
        assert verdict.account_wait_us == 0
    lua.limit(LIMITS)


@pytest.mark.usefixtures("redis_url")
def test_the_shared_record_stays_small(lua: LuaLedger) -> None:
    """The shared record holds no tags, or its bucket would outgrow the packed encoding."""
    lua.limit(ROOMY)
    same = charge(4)
    for number in range(50):
        each = charge(4, number, network=number)
        lua.run(-T0 - number * MINUTE, [(each, pack_charge(each))])
    (value,) = lua.values([KEYS.bucket(same) + SHARED_FIELD])
    lua.limit(LIMITS)

    record = unpack_record(value)
    assert (len(value) <= 64, record.failures, record.seen.size, record.tried.size) == (True, 0, 0, 0)


# The budget.


@pytest.mark.parametrize(
    ("said", "bytes_max", "expected"),
    [
        (b"used_memory:801\r\nmaxmemory:1000\r\n", None, True),
        (b"used_memory:800\r\nmaxmemory:1000\r\n", None, False),
        (b"used_memory:800\r\nmaxmemory:0\r\n", None, False),
        (b"used_memory:800\r\nmaxmemory:0\r\n", 799, True),
        (b"used_memory:800\r\nmaxmemory:100\r\n", 800, False),
        (b"maxmemory:100\r\n", 800, None),
        (b"used_memory:many\r\n", 800, None),
        (None, 800, None),
    ],
)
def test_a_budget_is_what_is_set_or_four_fifths_of_what_there_is(
    said: bytes | None, bytes_max: int | None, expected: bool | None
) -> None:
    """The budget is the set one or four fifths of the maximum; a server that reports none has none."""
    assert over_budget(said, bytes_max) is expected


@asynccontextmanager
async def weighed(url: str, bytes_max: int) -> AsyncIterator[AnyStoreConnection]:
    line = open_line(url, ROOMY, deadline_us=5 * SECOND, bytes_max=bytes_max)
    yield line
    await line.aclose()


async def until(line: AnyStoreConnection, leading: bytes) -> bool:
    async with asyncio.timeout(20):
        while line._script.leading[1] != leading:  # type: ignore[union-attr] # noqa: ASYNC110 - it is no event
            await asyncio.sleep(0.01)
    return True


async def test_a_line_looks_at_what_the_server_holds(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 13.4: the script is told while the server's memory is over the budget, and no longer below it."""
    monkeypatch.setattr(lines, "WEIGHED_S", 0.01)
    async with weighed(redis_url, bytes_max=1) as line:
        assert await until(line, b"-1")
        line._bytes_max = 10**15  # type: ignore[union-attr]
        assert await until(line, b"0")


async def test_a_server_that_does_not_tell_is_said_once(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the right to `INFO` there is no budget, and the log says once what to do."""
    monkeypatch.setattr(lines, "WEIGHED_S", 0.01)
    monkeypatch.setattr(lines.StoreConnection, "_memory", _silent)
    async with weighed(redis_url, bytes_max=1):
        async with asyncio.timeout(20):
            while not caplog.messages:  # noqa: ASYNC110 - a log sets no event
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)

    (said,) = [message for message in caplog.messages if "budget" in message]
    assert said == (
        "SEKISHO_STORE_BYTES_MAX: this Redis does not tell how much it holds, so no budget is kept: give its user "
        "+info [SEK033]"
    )


async def _silent(_: object) -> None:
    return None
