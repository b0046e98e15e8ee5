"""What lies in Redis: it expires, it confirms nothing, and whatever else lies there breaks nothing."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sekisho.observe.limiter import ledger
from sekisho.observe.limiter.ledger import FRESH
from sekisho.observe.limiter.opening import open_line
from sekisho.observe.limiter.redis import RedisLedger, pack_charge, pack_settlement
from tests.limiter.charges import HOUR, LIMITS, MINUTE, SECOND, T0, charge
from tests.limiter.stores import KEYS, SPARE_MS, LuaLedger, places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sekisho.model import Charge, Verdict
    from sekisho.observe.limiter.ledger import Record
    from tests.servers import RedisServer

VICTIM = charge(0, 1, ip=1)
LIVES_MS_MAX = 91 * 24 * HOUR // 1_000 + SPARE_MS


@pytest.fixture(scope="module")
def lua(redis_server: RedisServer) -> Iterator[LuaLedger]:
    found = LuaLedger(redis_server, LIMITS)
    yield found
    found.close()


@pytest.fixture(scope="module")
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis(unix_socket_path=str(redis_server.socket_path)) as found:
        yield found


def enter(lua: LuaLedger, *charges: Charge, now_us: int = T0) -> list[Verdict]:
    return lua.run(now_us, [(each, pack_charge(each)) for each in charges])


@pytest.mark.usefixtures("redis_url")
def test_every_record_lives_as_long_as_it_matters(lua: LuaLedger, client: redis.Redis) -> None:
    """Row 71: set in the same call that writes it, and neither longer nor shorter than the reference says."""
    book: dict[bytes, Record] = {}
    history = [
        *[charge(n, n, ip=n % 3, network=n % 2) for n in range(20)],
        *[charge(0, n, lane=n % 4) for n in range(20)],
        *[charge(0, 1, v6=True) for _ in range(9)],
    ]
    expected = [ledger.apply(book, each, LIMITS, T0) for each in history]
    found = enter(lua, *history)
    assert expected == found
    for each, verdict in list(zip(history, found, strict=True))[::3]:
        ledger.undo(book, each, verdict, LIMITS, T0, renewed=True)
        lua.run(T0, [(each, pack_settlement(each, verdict, renewed=True))])

    for key, reference in {key: at for each in history for key, at in places(each).items()}.items():
        left_ms = max(0, client.pttl(key) - SPARE_MS)
        life_ms = ceil((ledger.expires_us(book.get(reference, FRESH), T0) - T0) / 1_000)
        assert life_ms - 60_000 <= left_ms <= life_ms, key


@pytest.mark.usefixtures("redis_url")
def test_a_record_with_nothing_left_in_it_leaves(lua: LuaLedger, client: redis.Redis) -> None:
    """A log-in without an account or a secret, refunded at once, was never there."""
    bare = charge()._replace(account=b"", secret=b"")
    (verdict,) = enter(lua, bare)
    lua.run(T0, [(bare, pack_settlement(bare, verdict, renewed=False))])

    assert client.dbsize() == 0


@pytest.mark.usefixtures("redis_url")
def test_redis_confirms_no_right_password(lua: LuaLedger, client: redis.Redis) -> None:
    """R12: after the owner's success no record holds a tag of pair or member, and before it they do."""
    (verdict,) = enter(lua, VICTIM)
    assert _holding(client, VICTIM) == {"pair", "member"}

    lua.run(T0, [(VICTIM, pack_settlement(VICTIM, verdict, renewed=False))])

    assert _holding(client, VICTIM) == set()


@pytest.mark.usefixtures("redis_url")
def test_a_known_devices_password_is_never_written(lua: LuaLedger, client: redis.Redis) -> None:
    """R12: owners log in from their own devices all day; neither tag is in Redis at any time."""
    enter(lua, VICTIM._replace(lane=b"l" * 8))

    assert _holding(client, VICTIM) == set()


async def test_the_clock_is_the_stores(redis_url: str, redis_server: RedisServer) -> None:
    """Row 72: a worker's own clock, an hour off, has no say in any verdict: it is never sent."""
    line = open_line(redis_url, LIMITS, deadline_us=5 * SECOND)
    before = redis_server.cli("TIME")
    verdict = await RedisLedger(line, "t").charge(VICTIM)
    after = redis_server.cli("TIME")
    await line.aclose()

    assert _us(before) <= verdict.at_us <= _us(after)


def _us(time: tuple[int, int]) -> int:
    return time[0] * SECOND + time[1]


def _holding(client: redis.Redis, each: Charge) -> set[str]:
    everything = b"|".join(read(client, key) for key in client.scan_iter())
    tags = {"pair": each.pair_tag, "member": each.member_tag}
    return {name for name, tag in tags.items() if tag in everything}


def read(client: redis.Redis, key: bytes) -> bytes:
    value = client.get(key)
    return value if isinstance(value, bytes) else b""


# Bytes that no version of ours has written.


def _written(lua: LuaLedger, client: redis.Redis) -> dict[bytes, bytes]:
    """What five failures and a device of the victim leave behind."""
    enter(lua, *[charge(0, n, ip=1) for n in range(5)], charge(0, 1, ip=1, lane=1), VICTIM)
    return {key: read(client, key) for key in KEYS.of(VICTIM)}


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "a byte": lambda _: b"\x01",
    "a later version": lambda value: b"\x09" + value[1:],
    "version 0": lambda value: b"\x00" + value[1:],
    "cut short": lambda value: value[:-1],
    "cut in the head": lambda value: value[:10],
    "too long": lambda value: value + b"\x00",
    "more limits than there are": lambda value: value[:1] + b"\xff" + value[2:],
    "text": lambda _: b"hello, I am somebody else's value",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_not_ours_reads_as_absent(
    lua: LuaLedger, client: redis.Redis, redis_server: RedisServer, damage: str
) -> None:
    """After a downgrade, or beside another program: counted from nothing, and the batch's neighbours are not hurt."""
    redis_server.cli("FLUSHALL")
    neighbour = charge(1, 1, network=1)
    fresh = enter(lua, VICTIM, neighbour)
    redis_server.cli("FLUSHALL")
    for key, value in _written(lua, client).items():
        client.set(key, DAMAGES[damage](value))

    assert enter(lua, VICTIM, neighbour) == fresh
    assert all(0 < left <= LIVES_MS_MAX for left in lua.lives_ms())


@pytest.mark.usefixtures("redis_url")
def test_a_value_of_another_type_reads_as_absent(lua: LuaLedger, client: redis.Redis) -> None:
    """A list under our name is not read, and is written over."""
    for key in KEYS.of(VICTIM):
        client.rpush(key, "x")

    (verdict,) = enter(lua, VICTIM)

    assert (verdict.failures, verdict.throttle_wait_us) == (1, 0)
    assert all(left > 0 for left in lua.lives_ms())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_bytes_break_a_batch(data: st.DataObject, lua: LuaLedger, client: redis.Redis) -> None:
    """Any bytes in any record, sensible or not: a verdict with waits of at most a period, now and ever after."""
    client.flushall()
    for key, value in _written(lua, client).items():
        junk, at = data.draw(st.binary(max_size=60)), data.draw(st.integers(0, len(value)))
        client.set(key, data.draw(st.sampled_from([junk, value[:at] + junk + value[at + len(junk) :]])), px=SPARE_MS)

    for now_us in (T0, T0 + SECOND, T0 + HOUR):
        verdict, _, _ = enter(lua, VICTIM, VICTIM._replace(lane=b"l" * 8), charge(1), now_us=now_us)
        lua.run(now_us, [(VICTIM, pack_settlement(VICTIM, verdict, renewed=False))])
        assert max(verdict.ip_wait_us, verdict.network_wait_us, verdict.device_wait_us) <= 24 * HOUR
        assert verdict.account_wait_us <= HOUR + MINUTE
        assert all(left > 0 for left in lua.lives_ms())
