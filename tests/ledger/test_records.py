"""Records in Redis expire, confirm nothing to a reader, and tolerate any foreign data."""

from __future__ import annotations

from math import ceil
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sekisho.ledger import arithmetic as ledger
from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.ledger.opening import open_line
from sekisho.ledger.records import FRESH, expires_us, network_keys
from sekisho.ledger.redis import RedisLedger, ledger_script, pack_charge, pack_limits, pack_settlement
from sekisho.model import Effect, Limit, Marked
from tests.ledger.charges import HOUR, LIMITS, MINUTE, ROOMY, SECOND, T0, charge
from tests.ledger.stores import KEYS, SPARE_MS, WIDE, LuaLedger, in_bucket, only, places

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.ledger.records import Record
    from sekisho.model import Charge, Verdict
    from tests.servers import RedisServer

VICTIM = charge(0, 1, ip=1)
LIVES_MS_MAX = (90 * 24 * HOUR // 1_000 + SPARE_MS) * 65 // 64 + 1
REFUNDED_MS_MAX = 4 * 3_600_000 + 1_800_000


def enter(lua: LuaLedger, *charges: Charge, now_us: int = T0) -> list[Verdict]:
    return lua.run(now_us, [(each, pack_charge(each)) for each in charges])


@pytest.mark.usefixtures("redis_url")
def test_every_record_lives_as_long_as_it_matters(lua: LuaLedger, client: redis.Redis) -> None:
    """Row 71: a record's expiry is set in the call that writes it, and equals the reference's.

    After a success it may stay up to four and a half hours later, since moving it costs more than the record.
    A bucket's expiry is that of its last member plus a sixty-fourth, so that not every write moves it.
    """
    book: dict[bytes, Record] = {}
    history = [
        *[charge(n, n, ip=n % 3, network=n % 2) for n in range(20)],
        *[charge(0, n, known_device=n % 4) for n in range(20)],
        *[charge(0, 1, v6=True) for _ in range(9)],
    ]
    expected = [ledger.apply(book, each, LIMITS, T0) for each in history]
    found = enter(lua, *history)
    assert expected == found
    for each, verdict in list(zip(history, found, strict=True))[::3]:
        ledger.undo(book, each, verdict, LIMITS, T0, Effect.RENEWED)
        lua.run(T0, [(each, pack_settlement(each, verdict, Effect.RENEWED))])

    for key, reference in {key: at for each in history for key, at in places(each).items()}.items():
        shared = not client.exists(key) and client.exists(in_bucket(key)[0])
        left_ms = max(0, client.pttl(in_bucket(key)[0] if shared else key) - SPARE_MS)
        life_ms = ceil((expires_us(book.get(reference, FRESH), T0) - T0) / 1_000)
        assert life_ms - 60_000 <= left_ms <= (LIVES_MS_MAX if shared else life_ms + REFUNDED_MS_MAX), key


@pytest.mark.usefixtures("redis_url")
def test_attempts_without_an_account_leave_no_tag_behind(lua: LuaLedger, client: redis.Redis) -> None:
    """In one batch with newcomers, attempts without an account are counted and leave no tag at any account."""
    named = [charge(n, n, ip=n, device=n) for n in range(5)]
    nameless = [charge(n, n, ip=n, device=n, network=1)._replace(account=b"", secret=b"") for n in range(5, 10)]
    book: dict[bytes, Record] = {}
    expected = [ledger.apply(book, each, LIMITS, T0) for each in named + nameless]

    assert expected == enter(lua, *named, *nameless)
    found = {key: at for each in nameless for key, at in places(each).items()}
    assert [book[at] for at in found.values()] == [
        record._replace(seen=book[at].seen) for record, at in zip(lua.records(found), found.values(), strict=True)
    ]
    assert not any(record.seen.size for record in lua.records(found))
    assert client.dbsize() == len({key for each in named + nameless for key in KEYS.of(each)})


@pytest.mark.parametrize(
    ("verdict", "effects", "named"),
    [
        (UNHINDERED._replace(charged=8), Effect.RENEWED, ["account"]),
        (UNHINDERED._replace(charged=8, marks=Marked.EARNS), Effect.EARNS, ["ip", "credit", "account"]),
        (UNHINDERED._replace(charged=16, tagged=128), 0, ["ip", "credit", "account", "secret"]),
        (UNHINDERED._replace(charged=7), 0, ["network", "ip", "device", "account"]),
    ],
)
def test_a_settlement_names_only_keys_of_what_it_changes(verdict: Verdict, effects: int, named: list[str]) -> None:
    """Of a device in its bucket the account; the credit where it is earned or given back."""
    owner = charge(0, 1, known_device=1)
    network, ip, device, account, secret = KEYS.of(owner)
    credit = network[: -len(b"n") - 8] + b"c" + owner.ip[:8]
    names = {credit: "credit", network: "network", ip: "ip", device: "device", account: "account", secret: "secret"}

    families = pack_settlement(owner, verdict, effects)[2]

    assert [names[key] for key in KEYS.of_families(owner, families)] == named


@pytest.mark.usefixtures("redis_url")
def test_a_new_bucket_has_no_dead_to_look_for(lua: LuaLedger, client: redis.Redis) -> None:
    """The first account of a bucket looks at no neighbour; some of those that come later do."""
    client.config_resetstat()
    looks = []
    for number in (0, 12):
        same_bucket = [charge(0, 0)._replace(account=bytes(3) + bytes([at]) * 13) for at in range(number + 1)]
        enter(lua, *same_bucket)
        looks.append(client.info("commandstats").get("cmdstat_hrandfield", {"calls": 0})["calls"])

    assert looks[0] == 0
    assert looks[1] > 0


@pytest.mark.usefixtures("redis_url")
def test_an_account_outlives_its_history_by_its_failures(lua: LuaLedger, client: redis.Redis) -> None:
    """An account with a history lives for its 60 days, and longer where its failures are remembered for longer."""
    owner = charge(0, 1, ip=1, place=1)
    (verdict,) = enter(lua, owner)
    lua.run(T0, [(owner, pack_settlement(owner, verdict, Effect.LEARNS))])
    days = []
    lua.limit(WIDE)
    for guesses in (1, 2, 70):
        enter(lua, *[charge(0, number, network=number) for number in range(guesses)])
        days.append(_days_left(client, owner))
    lua.limit(LIMITS)

    assert days == [60, 60, 73]


@pytest.mark.usefixtures("redis_url")
def test_an_account_outlives_its_history_by_a_change_of_its_password(lua: LuaLedger, client: redis.Redis) -> None:
    """The change is remembered for 400 days: a success after it, which has the history live for 60, keeps it."""
    owner = charge(0, 1, ip=1, place=1)
    for effects in (Effect.LEARNS | Effect.ENDS, Effect.LEARNS):
        (verdict,) = enter(lua, owner)
        lua.run(T0, [(owner, pack_settlement(owner, verdict, effects))])

    assert _days_left(client, owner) == 400


@pytest.mark.usefixtures("redis_url")
def test_an_account_outlives_its_history_by_a_long_limit_of_its_devices(lua: LuaLedger, client: redis.Redis) -> None:
    """Two log-ins in 200 days: the first still weighs for 100, and the second's success takes only its own back."""
    owner = charge(0, 1, ip=1, place=1, known_device=1)
    lua.limit(only(known_device=(Limit(burst=2, period_us=200 * 24 * HOUR),)))
    _, verdict = enter(lua, owner, owner)
    lua.run(T0, [(owner, pack_settlement(owner, verdict, Effect.LEARNS))])
    lua.limit(LIMITS)

    assert _days_left(client, owner) == 100


@pytest.mark.usefixtures("redis_url")
def test_a_record_that_lives_on_is_given_a_later_end(lua: LuaLedger, client: redis.Redis) -> None:
    """Row 71: an expiry is rewritten only when it moves, as with the next half-window."""
    ends = []
    for now_us in (T0, T0 + SECOND, T0 + 45 * MINUTE):
        enter(lua, VICTIM, now_us=now_us)
        left_us = [1_000 * (client.pttl(key) - SPARE_MS) for key in KEYS.network(VICTIM)]
        ends.append([round((now_us + left) / MINUTE) for left in left_us])

    book: dict[bytes, Record] = {}
    for now_us in (T0, T0 + SECOND, T0 + 45 * MINUTE):
        ledger.apply(book, VICTIM, LIMITS, now_us)
    at_last = [round(expires_us(book[key], now_us) / MINUTE) for key in network_keys(VICTIM)]
    assert ends[0][::2] == ends[1][::2]  # network and device: their tags outlive their counters
    assert at_last == ends[2]


@pytest.mark.usefixtures("redis_url")
@pytest.mark.parametrize("limits", [1, 2, 3, 4])
def test_a_record_is_read_again_with_any_number_of_limits(lua: LuaLedger, limits: int) -> None:
    """An address holds its limit, and the number of accounts tried there, with one limit to four."""
    lua.limit(only(ip=tuple(Limit(3, (number + 1) * HOUR) for number in range(limits))))
    told = [enter(lua, charge(n, n))[0] for n in range(5)]
    lua.limit(LIMITS)

    assert [verdict.ip_wait_us > 0 for verdict in told] == [False, False, False, True, True]
    assert [verdict.spread.accounts_per_ip for verdict in told] == [1, 2, 3, 4, 5]


@pytest.mark.usefixtures("redis_url")
def test_a_record_with_nothing_left_in_it_leaves(lua: LuaLedger, client: redis.Redis) -> None:
    """A refunded attempt without account or secret leaves no record."""
    bare = charge()._replace(account=b"", secret=b"")
    (verdict,) = enter(lua, bare)
    lua.run(T0, [(bare, pack_settlement(bare, verdict))])

    assert client.dbsize() == 0


@pytest.mark.usefixtures("redis_url")
def test_redis_confirms_no_right_password(lua: LuaLedger, client: redis.Redis) -> None:
    """R12: after the owner's success no record holds a tag of pair or member; before it they do."""
    (verdict,) = enter(lua, VICTIM)
    assert _holding(client, VICTIM) == {"pair", "member"}

    lua.run(T0, [(VICTIM, pack_settlement(VICTIM, verdict))])

    assert _holding(client, VICTIM) == set()


@pytest.mark.usefixtures("redis_url")
def test_a_known_devices_password_is_never_written(lua: LuaLedger, client: redis.Redis) -> None:
    """R12: the password of a known device, with which owners log in all day, never has a tag in Redis."""
    enter(lua, VICTIM._replace(known_device=b"l" * 8))

    assert _holding(client, VICTIM) == set()


async def test_the_clock_is_the_stores(redis_url: str, redis_server: RedisServer) -> None:
    """Row 72: verdicts use the store's clock; a worker's own, an hour off, is never sent."""
    line = open_line(redis_url, LIMITS, deadline_us=5 * SECOND)
    before = redis_server.cli("TIME")
    verdict = await RedisLedger(line, "t").charge(VICTIM)
    after = redis_server.cli("TIME")
    await line.aclose()

    assert _us(before) <= verdict.at_us <= _us(after)


def _us(time: tuple[int, int]) -> int:
    return time[0] * SECOND + time[1]


def _holding(client: redis.Redis, each: Charge) -> set[str]:
    everything = b"|".join(value for key in client.scan_iter() for value in read(client, key))
    tags = {"pair": each.pair_tag, "member": each.member_tag}
    return {name for name, tag in tags.items() if tag in everything}


def read(client: redis.Redis, key: bytes) -> list[bytes]:
    values: list[Any] = [*client.hvals(key)] if client.type(key) == b"hash" else [client.get(key) or b""]
    return values


# Bytes that no version has written.


def _written(lua: LuaLedger, *, devices: int = 1) -> dict[bytes, bytes]:
    """The records of five failures and the victim's devices; with a device the account has its own key."""
    enter(
        lua,
        *[charge(0, n, ip=1) for n in range(5)],
        *[charge(0, 1, ip=1, known_device=n) for n in range(devices)],
        VICTIM,
    )
    found = places(VICTIM)
    return dict(zip(found, lua.values(found), strict=True))


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


@pytest.mark.parametrize("devices", [0, 1])
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_not_ours_reads_as_absent(lua: LuaLedger, redis_server: RedisServer, damage: str, devices: int) -> None:
    """Foreign bytes, after a downgrade or beside another program, read as absent, and the batch's others are
    unaffected.
    """
    redis_server.cli("FLUSHALL")
    neighbour = charge(1, 1, network=1)
    fresh = enter(lua, VICTIM, neighbour)
    redis_server.cli("FLUSHALL")
    for key, value in _written(lua, devices=devices).items():
        lua.plant(key, DAMAGES[damage](value))

    assert enter(lua, VICTIM, neighbour) == fresh
    assert all(0 < left <= LIVES_MS_MAX for left in lua.lives_ms())


@pytest.mark.usefixtures("redis_url")
def test_a_value_of_another_type_reads_as_absent(lua: LuaLedger, client: redis.Redis) -> None:
    """A value of another type, such as a list, reads as absent and is overwritten."""
    keys, unused = [*KEYS.of(VICTIM), KEYS.bucket(VICTIM)], KEYS.account(VICTIM)
    for key in keys:
        client.rpush(key, "x")

    (verdict,) = enter(lua, VICTIM)

    assert (verdict.failures, verdict.throttle_wait_us) == (1, 0)
    assert all(client.pttl(key) > 0 for key in keys if key != unused)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_bytes_break_a_batch(data: st.DataObject, lua: LuaLedger, client: redis.Redis) -> None:
    """With any bytes in any record verdicts have waits of at most a period, now and later."""
    client.flushall()
    for key, value in _written(lua, devices=data.draw(st.integers(0, 1))).items():
        junk, at = data.draw(st.binary(max_size=60)), data.draw(st.integers(0, len(value)))
        lua.plant(key, data.draw(st.sampled_from([junk, value[:at] + junk + value[at + len(junk) :]])), SPARE_MS)

    for now_us in (T0, T0 + SECOND, T0 + HOUR):
        verdict, _, _ = enter(lua, VICTIM, VICTIM._replace(known_device=b"l" * 8), charge(1), now_us=now_us)
        lua.run(now_us, [(VICTIM, pack_settlement(VICTIM, verdict))])
        assert max(verdict.ip_wait_us, verdict.network_wait_us, verdict.device_wait_us) <= 24 * HOUR
        assert verdict.account_wait_us <= HOUR + MINUTE
        assert all(left > 0 for left in lua.lives_ms())


@pytest.mark.usefixtures("redis_url")
def test_a_call_that_fails_leaves_nothing_to_the_next(lua: LuaLedger) -> None:
    """A failed call leaves the next nothing: neither unreadable limits nor half a batch stay in the library."""
    enter(lua, VICTIM)
    for _ in range(2):
        with pytest.raises(redis.ResponseError):
            lua.call(T0, [(KEYS.of(VICTIM), pack_charge(VICTIM)), (KEYS.of(VICTIM), b"cut short")])
        with pytest.raises(redis.ResponseError):
            lua.call(T0, [(KEYS.of(VICTIM), pack_charge(VICTIM))], limits=lua._limits[:-1])

    assert [each.failures for each in enter(lua, VICTIM)] == [2]


# Accounts in buckets.


def neighbours(count: int) -> list[Charge]:
    """Accounts that share the victim's bucket, each from its own network."""
    bucket, chance = VICTIM.account[:2], Random(5)
    top = VICTIM.account[2] & 0xC0
    return [
        charge(0, number, network=number)._replace(account=bucket + bytes([top + number % 64]) + chance.randbytes(13))
        for number in range(count)
    ]


@pytest.mark.usefixtures("redis_url")
def test_a_bucket_stays_one_packed_block(lua: LuaLedger, client: redis.Redis) -> None:
    """A bucket stays one packed block; an account under attack or with devices moves to its own key."""
    bucket, own = KEYS.bucket(VICTIM), KEYS.account(VICTIM)
    enter(lua, *neighbours(60))
    enter(lua, *[charge(0, number, ip=1, network=90 + number, known_device=number) for number in range(12)])

    assert client.hlen(bucket) == 60
    assert client.object("ENCODING", bucket) == b"listpack"
    assert client.strlen(own) > 64


@pytest.mark.usefixtures("redis_url")
def test_an_account_that_calms_down_goes_back_into_its_bucket(lua: LuaLedger, client: redis.Redis) -> None:
    """An account that calms down moves back into its bucket, and is in one place at any time."""
    bucket, own = KEYS.bucket(VICTIM), KEYS.account(VICTIM)
    enter(lua, *[charge(0, number, network=number) for number in range(8)], now_us=T0)
    assert (client.exists(own), client.exists(bucket)) == (1, 0)

    enter(lua, VICTIM, now_us=T0 + 3 * HOUR)

    assert (client.exists(own), client.hlen(bucket)) == (0, 1)


@pytest.mark.usefixtures("redis_url")
def test_the_dead_in_a_bucket_are_hardly_more_than_the_living(lua: LuaLedger, client: redis.Redis) -> None:
    """Row 93: fields do not expire, but each newcomer removes a bounded number of expired neighbours."""
    bucket = KEYS.bucket(VICTIM)
    now_us, newcomers = T0, neighbours(4_000)
    lua.limit(ROOMY)
    for at in range(0, len(newcomers), 40):
        batch = newcomers[at : at + 40]
        verdicts = enter(lua, *batch, now_us=now_us)
        # Succeeded: only its origin is remembered, for an hour.
        settlements = [(each, pack_settlement(each, verdict)) for each, verdict in zip(batch, verdicts, strict=True)]
        lua.run(now_us, settlements)
        now_us += HOUR
    lua.limit(LIMITS)

    assert (
        40 <= client.hlen(bucket) < 200
    )  # the last hour left forty to remember, or eighty over the turn of a half-window


@pytest.mark.usefixtures("redis_url")
def test_after_a_flood_few_newcomers_bury_all_of_it(lua: LuaLedger, client: redis.Redis) -> None:
    """Row 13.4: four hundred invented names are gone a day later, as each newcomer checks some."""
    bucket = KEYS.bucket(VICTIM)
    names = neighbours(440)
    lua.limit(ROOMY)
    for at in range(0, 400, 40):
        enter(lua, *names[at : at + 40])
    before = client.hlen(bucket)
    for number, each in enumerate(names[400:]):
        enter(lua, each, now_us=T0 + 25 * HOUR + number * MINUTE)
    lua.limit(LIMITS)

    assert before == 400
    assert client.hlen(bucket) == 40


@pytest.mark.usefixtures("redis_url")
def test_failures_of_the_day_survive_any_number_of_newcomers(lua: LuaLedger, client: redis.Redis) -> None:
    """Failures of the day survive any number of newcomers that check them."""
    bucket = KEYS.bucket(VICTIM)
    for number in range(0, 400, 40):
        enter(lua, *neighbours(400)[number : number + 40], now_us=T0 + number // 40 * HOUR)

    assert client.hlen(bucket) == 400


class Full:
    """A Redis with full memory, asked by `EVALSHA`: it runs no library function then."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self.client = redis.Redis(unix_socket_path=str(server.socket_path))
        self._script = self.client.register_script(ledger_script(LIMITS).source.decode())

    def call(self, *operations: tuple[list[bytes], bytes], now_us: int = T0) -> bytes:
        keys = [key for each, _ in operations for key in each]
        packed: bytes = self._script(keys, [pack_limits(LIMITS), now_us, *[argument for _, argument in operations]])
        return packed

    def refuses(self, *operations: tuple[list[bytes], bytes], now_us: int = T0) -> None:
        """Make writes fail for want of memory, and make room again."""
        self._server.cli("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(redis.ResponseError, match="maxmemory"):
            self.call(*operations, now_us=now_us)
        self._server.cli("CONFIG", "SET", "maxmemory", "0")


def _days_left(client: redis.Redis, each: Charge) -> int:
    """How long the account's own record lives."""
    return round((client.pttl(KEYS.account(each)) - SPARE_MS) / (24 * HOUR // 1_000))


def _charged(*charges: Charge) -> list[tuple[list[bytes], bytes]]:
    return [(KEYS.of(each), pack_charge(each)) for each in charges]


@pytest.mark.parametrize("known_device", [1, None], ids=["member", "newcomer"])
def test_full_memory_deletes_no_bucket(own_redis_server: RedisServer, known_device: int | None) -> None:
    """Row 5.3: with full memory the write of one account fails, and its bucket's 63 others stay as they were."""
    full = Full(own_redis_server)
    full.call(*_charged(*neighbours(63)))
    bucket = KEYS.bucket(VICTIM)
    before = full.client.hgetall(bucket)
    assert len(before) == 63

    # A device in its bucket changes its account alone, so nothing fails before it.
    one = VICTIM if known_device is None else neighbours(63)[5]
    full.refuses(*_charged(one._replace(known_device=b"l" * 8)))

    assert full.client.hgetall(bucket) == before


def test_full_memory_loses_no_account_that_moves(own_redis_server: RedisServer) -> None:
    """Row 5.3: an account that moves between bucket and own key is written there before it is removed here."""
    full = Full(own_redis_server)
    bucket, own = KEYS.bucket(VICTIM), KEYS.account(VICTIM)
    in_buckets = [VICTIM._replace(known_device=bytes([n]) * 8) for n in range(3)]
    full.call(*_charged(in_buckets[0]))
    assert (full.client.hlen(bucket), full.client.exists(own)) == (1, 0)
    full.refuses(*_charged(*in_buckets[1:]))
    assert (full.client.hlen(bucket), full.client.exists(own)) == (1, 0)

    full.call(*_charged(*in_buckets[1:]))
    assert (full.client.exists(bucket), full.client.exists(own)) == (0, 1)
    full.refuses(*_charged(in_buckets[0]), now_us=T0 + 90 * MINUTE)  # two buckets have expired
    assert (full.client.exists(bucket), full.client.exists(own)) == (0, 1)
