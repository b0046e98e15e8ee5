"""The vault: one suite for both implementations, then the faults that memory or Redis alone can have.

In Redis: one server, the primary that Sentinels name, or a Cluster.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from math import inf, nan
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sekisho.model import StoreUnavailable
from sekisho.store import Script, open_to
from sekisho.store.options import LineOptions
from sekisho.store.redis_vault import RedisVault
from sekisho.store.vault import (
    ENTRY_BYTES,
    KEY_BYTES_MAX,
    NUMBER_BYTES,
    SECONDS_MAX,
    STALE_MAX,
    VALUE_BYTES_MAX,
    MemoryVault,
    Vault,
    _Entry,
    _weight,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from tests.servers import RedisServer, Store

PATIENT_US = 5_000_000  # most of this does not test deadlines; a slow machine must not matter
HOUR = 3_600
KEY, OTHER = b"k" * 16, b"o" * 16
WIDE = {"entries_max": 10_000, "bytes_max": 100_000_000}


class InMemory:
    def __init__(self, **bounds: int) -> None:
        self.now_s = 1_000.0
        self.vault = MemoryVault(**(WIDE | bounds), clock_s=lambda: self.now_s)

    async def worker(self) -> MemoryVault:
        return self.vault

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


class InRedis:
    """Each worker has its own line. Time passes by shortening every key's expiry."""

    def __init__(self, server: Store, stack: AsyncExitStack) -> None:
        self._server = server
        self._stack = stack

    async def worker(self, url: str | None = None, deadline_us: int = PATIENT_US) -> RedisVault:
        line = open_to(url or self._server.url, LineOptions(Script("return ''", (), 1), deadline_us))
        self._stack.push_async_callback(line.aclose)
        return RedisVault(line, "t")

    def advance(self, seconds: float) -> None:
        script = """
        for _, key in ipairs(redis.call('KEYS', '*')) do
          redis.call('PEXPIRE', key, redis.call('PTTL', key) - ARGV[1])
        end
        """
        self._server.each("EVAL", script, 0, int(seconds * 1000))


@asynccontextmanager
async def in_redis(server: Store) -> AsyncIterator[InRedis]:
    async with AsyncExitStack() as stack:
        yield InRedis(server, stack)


@pytest.fixture
async def redis_store(redis_server: RedisServer, redis_url: str) -> AsyncIterator[InRedis]:
    async with in_redis(redis_server) as store:
        yield store


@pytest.fixture(params=["memory", "redis_server", "sentinel_group", "redis_cluster"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[InMemory | InRedis]:
    if request.param == "memory":
        yield InMemory()
        return
    server: Store = request.getfixturevalue(request.param)
    server.each("FLUSHALL")
    async with in_redis(server) as found:
        yield found


@pytest.fixture
async def vault(store: InMemory | InRedis) -> Vault:
    return await store.worker()


USES: dict[str, Callable[[Vault], Awaitable[Any]]] = {
    "put": lambda vault: vault.put(OTHER, b"value", seconds=HOUR),
    "get": lambda vault: vault.get(OTHER),
    "take": lambda vault: vault.take(OTHER),
    "once": lambda vault: vault.once(OTHER, seconds=HOUR),
    "count": lambda vault: vault.count(OTHER, seconds=HOUR),
    "forget": lambda vault: vault.forget(OTHER),
}

# The contract of both.


async def test_what_is_put_is_there_until_it_ends(store: InMemory | InRedis, vault: Vault) -> None:
    """A value stays until its end; reading does not remove it."""
    assert await vault.put(KEY, b"value", seconds=HOUR)
    store.advance(HOUR - 100)
    assert [await vault.get(KEY), await vault.get(KEY), await vault.get(OTHER)] == [b"value", b"value", None]

    store.advance(100)
    assert [await vault.get(KEY), await vault.take(KEY)] == [None, None]


async def test_what_one_worker_puts_another_takes(store: InMemory | InRedis, vault: Vault) -> None:
    """Another worker can take a value: the balancer chooses the worker that gets the proof."""
    await vault.put(KEY, b"value", seconds=HOUR)

    assert await (await store.worker()).take(KEY) == b"value"
    assert await vault.get(KEY) is None


async def test_a_value_is_replaced_with_its_end(store: InMemory | InRedis, vault: Vault) -> None:
    """A replaced value has its new end, sooner or later than the old one."""
    await vault.put(KEY, b"first", seconds=HOUR)
    await vault.put(KEY, b"second", seconds=2 * HOUR)
    await vault.put(OTHER, b"first", seconds=2 * HOUR)
    await vault.put(OTHER, b"second", seconds=HOUR)

    store.advance(HOUR + 100)

    assert [await vault.get(KEY), await vault.get(OTHER)] == [b"second", None]


async def test_only_new_leaves_what_is_there(store: InMemory | InRedis, vault: Vault) -> None:
    """`only_new` leaves an existing value and its end; after the end there is room again."""
    assert await vault.put(KEY, b"first", seconds=HOUR, only_new=True)
    assert not await vault.put(KEY, b"second", seconds=2 * HOUR, only_new=True)
    assert await vault.get(KEY) == b"first"

    store.advance(HOUR)
    assert await vault.put(KEY, b"third", seconds=HOUR, only_new=True)
    assert await vault.get(KEY) == b"third"


async def test_of_fifty_who_take_at_once_one_gets_it(store: InMemory | InRedis) -> None:
    """Rows 79 and 82: of fifty parallel takes over five workers one gets the value."""
    workers = [await store.worker() for _ in range(5)]
    await workers[0].put(KEY, b"value", seconds=HOUR)

    taken = await asyncio.gather(*[workers[n % 5].take(KEY) for n in range(50)])

    assert sorted(taken, key=bool) == [None] * 49 + [b"value"]


async def test_of_fifty_who_are_first_at_once_one_is(store: InMemory | InRedis) -> None:
    """Row 79: of fifty workers that mark one time step in parallel one is first."""
    workers = [await store.worker() for _ in range(5)]

    first = await asyncio.gather(*[workers[n % 5].once(KEY, seconds=HOUR) for n in range(50)])

    assert sum(first) == 1


async def test_of_fifty_who_put_something_new_at_once_one_does(store: InMemory | InRedis) -> None:
    """Of fifty parallel `only_new` puts one succeeds, and its value stays."""
    workers = [await store.worker() for _ in range(5)]

    done = await asyncio.gather(*[workers[n % 5].put(KEY, b"%d" % n, seconds=HOUR, only_new=True) for n in range(50)])

    assert sum(done) == 1
    assert await workers[0].get(KEY) == b"%d" % done.index(True)


async def test_once_is_once_until_it_ends(store: InMemory | InRedis, vault: Vault) -> None:
    """A mark's end does not move when asked again, or replays would bar a code for ever."""
    assert await vault.once(KEY, seconds=HOUR)
    store.advance(HOUR - 100)
    assert not await vault.once(KEY, seconds=HOUR)

    store.advance(100)
    assert await vault.once(KEY, seconds=HOUR)


async def test_fifty_who_count_at_once_are_fifty(store: InMemory | InRedis) -> None:
    """Row 58: fifty parallel counts give fifty different numbers, so a cap of five lets five through."""
    workers = [await store.worker() for _ in range(5)]

    counts = await asyncio.gather(*[workers[n % 5].count(KEY, seconds=HOUR) for n in range(50)])

    assert sorted(counts) == list(range(1, 51))


async def test_a_count_begins_anew_when_its_period_ends(store: InMemory | InRedis, vault: Vault) -> None:
    """A count's period starts at the first count, so repeated questions do not extend it."""
    assert await vault.count(KEY, seconds=HOUR) == 1
    store.advance(HOUR - 100)
    assert [await vault.count(KEY, seconds=HOUR), await vault.count(OTHER, seconds=HOUR)] == [2, 1]

    store.advance(100)
    assert [await vault.count(KEY, seconds=HOUR), await vault.count(OTHER, seconds=HOUR)] == [1, 2]


async def test_what_is_forgotten_was_never_there(vault: Vault) -> None:
    """A forgotten value, mark or count is gone; forgetting a missing one is no error."""
    await vault.put(b"value", b"value", seconds=HOUR)
    await vault.once(b"mark", seconds=HOUR)
    await vault.count(b"count", seconds=HOUR)

    for key in (b"value", b"mark", b"count", b"nothing"):
        await vault.forget(key)

    assert await vault.get(b"value") is None
    assert await vault.once(b"mark", seconds=HOUR)
    assert await vault.count(b"count", seconds=HOUR) == 1


async def test_a_value_is_not_counted_up(vault: Vault) -> None:
    """Counting on a key that holds a value is refused, and the value stays."""
    await vault.put(KEY, b"\x93 sealed", seconds=HOUR)

    with pytest.raises(StoreUnavailable):
        await vault.count(KEY, seconds=HOUR)

    assert await vault.get(KEY) == b"\x93 sealed"


async def test_digests_are_any_bytes(vault: Vault) -> None:
    """A digest may be any bytes, with line ends, braces, NULs or another digest as its prefix."""
    keys = [b"\0", b"\r\n", b"}", b"{", b"{}", b"}}", b"a", b"ab", b"\xff" * KEY_BYTES_MAX]
    for key in keys:
        await vault.put(key, key * 2, seconds=HOUR)

    assert [await vault.get(key) for key in keys] == [key * 2 for key in keys]


async def test_values_are_any_bytes_up_to_their_bound(vault: Vault) -> None:
    """A value may be any bytes up to its bound; an empty one is not a missing one."""
    longest = bytes(range(256)) * (VALUE_BYTES_MAX // 256)
    await vault.put(KEY, b"", seconds=HOUR)
    await vault.put(OTHER, longest, seconds=HOUR)

    assert [await vault.take(KEY), await vault.take(OTHER)] == [b"", longest]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("key", [b"", b"k" * (KEY_BYTES_MAX + 1)])
async def test_what_cannot_be_a_digest_is_no_key(vault: Vault, key: bytes, use: str) -> None:
    """An empty or long text is refused as a key: the first would be shared by all, the second is a stranger's text."""
    arguments: dict[str, Any] = {"seconds": HOUR} if use in {"put", "once", "count"} else {}
    values = (b"value",) if use == "put" else ()

    with pytest.raises(ValueError, match=r"^a key has 1 to 64 bytes$"):
        await getattr(vault, use)(key, *values, **arguments)


async def test_a_value_beyond_its_bound_is_refused(vault: Vault) -> None:
    """A value beyond its bound is refused, and nothing of it is kept."""
    with pytest.raises(ValueError, match=r"^a value has at most 98304 bytes$"):
        await vault.put(KEY, bytes(VALUE_BYTES_MAX + 1), seconds=HOUR)

    assert await vault.get(KEY) is None


@pytest.mark.parametrize("use", ["put", "once", "count"])
@pytest.mark.parametrize("seconds", [0, -1, nan, inf, SECONDS_MAX + 1])
async def test_whatever_is_kept_ends(vault: Vault, seconds: float, use: str) -> None:
    """Row 71: every value, mark and count needs an end, and a possible one."""
    values = (b"value",) if use == "put" else ()

    with pytest.raises(ValueError, match=r"^an end lies above 0 and at most 7776000 seconds ahead$"):
        await getattr(vault, use)(KEY, *values, seconds=seconds)

    assert await vault.get(KEY) is None


STEP = 70  # no sum of steps comes near an end: Redis's own clock runs on meanwhile
OPERATIONS = st.tuples(
    st.sampled_from(["put", "only_new", "get", "take", "once", "count", "forget", "advance"]),
    st.sampled_from([KEY, OTHER, b"x"]),
    st.sampled_from([100.0, 1_000.0]),
    st.sampled_from([b"7", b"sealed", b""]),
)


async def _do(store: InMemory | InRedis, vault: Vault, operation: tuple[str, bytes, float, bytes]) -> Any:
    use, key, seconds, value = operation
    match use:
        case "advance":
            return store.advance(STEP)
        case "put" | "only_new":
            return await vault.put(key, value, seconds=seconds, only_new=use == "only_new")
        case "once":
            return await vault.once(key, seconds=seconds)
        case "count":
            try:
                return await vault.count(key, seconds=seconds)
            except StoreUnavailable:
                return "refused"
        case _:
            return await getattr(vault, use)(key)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=st.lists(OPERATIONS, max_size=40))
@pytest.mark.parametrize("kind", ["redis_server", "redis_cluster"])
def test_memory_and_redis_say_the_same(
    request: pytest.FixtureRequest, kind: str, operations: list[tuple[str, bytes, float, bytes]]
) -> None:
    """Memory and Redis give the same answers in any order; every key has an end, and memory's accounting is exact."""
    server: Store = request.getfixturevalue(kind)
    server.each("FLUSHALL")

    async def compare() -> None:
        async with in_redis(server) as real:
            memory, in_real = InMemory(), await real.worker()
            for operation in operations:
                assert await _do(memory, memory.vault, operation) == await _do(real, in_real, operation)
                assert ends_of(server) >= 1
                entries = memory.vault._entries
                assert memory.vault._bytes == sum(_weight(key, entry) for key, entry in entries.items())

    asyncio.run(compare())


def ends_of(server: Store) -> int:
    """The remaining milliseconds of the shortest-lived key; below 0 if one has no end."""
    script = """
    local least = 1e9
    for _, key in ipairs(redis.call('KEYS', '*')) do least = math.min(least, redis.call('PTTL', key)) end
    return least
    """
    return int(min(server.each("EVAL", script, 0)))


# Memory.


async def _fill(vault: Vault, entries: int, seconds: float = HOUR, value: bytes = b"") -> None:
    for number in range(entries):
        await vault.put(b"%d" % number, value, seconds=seconds)


async def test_when_full_newcomers_are_refused_and_nobody_is_forgotten() -> None:
    """CVE-2024-21662: a full vault refuses newcomers, so ten thousand challenges of one client end no other's."""
    vault = InMemory(entries_max=10).vault
    await vault.count(KEY, seconds=HOUR)
    await _fill(vault, 9)

    for use in ("put", "once", "count"):
        with pytest.raises(StoreUnavailable):
            await USES[use](vault)

    assert [await vault.get(b"%d" % number) for number in range(9)] == [b""] * 9
    assert await vault.count(KEY, seconds=HOUR) == 2
    assert await vault.put(b"0", b"replaced", seconds=HOUR)
    assert not await vault.once(b"1", seconds=HOUR)


@pytest.mark.parametrize("leaves", ["take", "forget", "end"])
async def test_whoever_leaves_makes_room(leaves: str) -> None:
    """A full vault has room again when something is taken, forgotten or ended."""
    store = InMemory(entries_max=2)
    await _fill(store.vault, 2)
    if leaves == "end":
        store.advance(HOUR)
    else:
        await getattr(store.vault, leaves)(b"0")

    assert await store.vault.put(KEY, b"value", seconds=HOUR)


async def test_bytes_are_bounded_as_entries_are() -> None:
    """Bytes are bounded as well as entries, so a few long answers cannot take the room of thousands of short ones."""
    one = ENTRY_BYTES + 1 + NUMBER_BYTES
    vault = InMemory(bytes_max=2 * one).vault
    await vault.put(b"v", b"v" * NUMBER_BYTES, seconds=HOUR)
    await vault.count(b"c", seconds=HOUR)

    for key in (b"v", b"n"):
        with pytest.raises(StoreUnavailable):
            await vault.put(key, b"v" * (NUMBER_BYTES + 1), seconds=HOUR)

    assert await vault.get(b"v") == b"v" * NUMBER_BYTES
    assert [await vault.count(b"c", seconds=HOUR) for _ in range(10)] == list(range(2, 12))
    assert await vault.put(b"v", b"", seconds=HOUR)


async def test_many_short_ones_that_ended_make_room_for_a_long_one() -> None:
    """Many short entries that ended make room for a long one."""
    store = InMemory(bytes_max=VALUE_BYTES_MAX + ENTRY_BYTES + KEY_BYTES_MAX)
    await _fill(store.vault, 150)
    store.advance(HOUR)

    assert await store.vault.put(KEY, bytes(VALUE_BYTES_MAX), seconds=HOUR)


async def test_what_ended_is_swept_out_by_what_comes() -> None:
    """Later entries sweep out ended ones, such as abandoned challenges."""
    store = InMemory()
    await _fill(store.vault, 1_000)
    store.advance(HOUR)
    await _fill(store.vault, 150, seconds=2 * HOUR)

    assert store.vault.entries <= 150


async def test_a_challenge_begun_and_done_a_thousand_times_leaves_nothing() -> None:
    """A thousand challenges begun and finished leave nothing, in the index of ends either."""
    vault = InMemory().vault
    for number in range(1_000):
        await vault.put(KEY, b"value", seconds=HOUR)
        await vault.put(KEY, b"value", seconds=HOUR + number)
        await vault.take(KEY)

    assert (vault.entries, vault._bytes) == (0, 0)
    assert len(vault._ends) <= STALE_MAX + 2


async def test_an_end_that_was_replaced_ends_nothing() -> None:
    """A replaced end does not end a value early: its entry in the index is skipped."""
    store = InMemory()
    await store.vault.put(KEY, b"value", seconds=10)
    await store.vault.put(KEY, b"value", seconds=HOUR)
    store.advance(20)
    await store.vault.once(OTHER, seconds=2 * HOUR)
    assert await store.vault.get(KEY) == b"value"

    store.advance(HOUR)
    await store.vault.once(OTHER + b"2", seconds=2 * HOUR)
    assert store.vault.entries == 2


@pytest.fixture
def hasty() -> Iterator[None]:
    """Make threads switch as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
def test_threads_are_callers_like_any_other() -> None:
    """Threads (Django may run a loop in each) count every number once, and one is first."""
    vault = InMemory().vault
    counts: list[int] = []
    firsts: list[bool] = []

    async def work() -> None:
        for number in range(500):
            counts.append(await vault.count(KEY, seconds=HOUR))
            firsts.append(await vault.once(b"%d" % number, seconds=HOUR))

    threads = [Thread(target=lambda: asyncio.run(work())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(counts) == list(range(1, 2_001))
    assert sum(firsts) == 500


async def test_nothing_that_is_held_shows() -> None:
    """A vault's `repr` shows neither keys nor values: error reporters print it."""
    vault = InMemory().vault
    await vault.put(b"canary-key", b"canary-value", seconds=HOUR)

    assert "canary" not in repr(vault) + str(vault) + repr(_Entry(1.0, b"canary-value"))


# Redis.


async def test_each_use_is_one_command(redis_store: InRedis, redis_server: RedisServer) -> None:
    """Each use is one command, so no failure can come between two; a count is created with its end."""
    vault = await redis_store.worker()
    await vault.get(KEY)
    redis_server.cli("CONFIG", "RESETSTAT")

    for use in USES.values():
        await use(vault)

    stats = redis_server.cli("INFO", "commandstats")
    not_ours = {"hello", "info", "config|resetstat", "client|setinfo"}
    ran = {name.removeprefix("cmdstat_"): each["calls"] for name, each in stats.items()}
    asked = {"set": 2, "get": 1, "getdel": 1, "eval": 1, "del": 1}
    within_the_count = {"set": 1, "pttl": 1, "incr": 1}
    assert Counter({name: calls for name, calls in ran.items() if name not in not_ours}) == Counter(asked) + Counter(
        within_the_count
    )


async def test_every_key_has_its_place_and_its_end(redis_store: InRedis, redis_server: RedisServer) -> None:
    """Row 71: a key is namespace and digest with milliseconds to live; counting again does not move the end."""
    vault = await redis_store.worker()
    await vault.put(b"value", b"value", seconds=HOUR)
    await vault.once(b"mark", seconds=HOUR)
    await vault.count(b"count", seconds=HOUR)
    await vault.count(b"count", seconds=20 * HOUR)

    found = {key: redis_server.cli("PTTL", key) for key in redis_server.cli("KEYS", "*")}

    assert set(found) == {"t:{vvalue}", "t:{vmark}", "t:{vcount}"}
    assert all((HOUR - 60) * 1000 < left <= HOUR * 1000 for left in found.values())


async def test_a_count_from_before_the_clock_was_set_back_lasts_one_period(
    redis_store: InRedis, redis_server: RedisServer
) -> None:
    """Redis keeps the end as a time of its clock: an owner's hour of attempts would last a day and an hour."""
    vault = await redis_store.worker()
    await vault.count(b"count", seconds=HOUR)
    redis_server.cli("PEXPIRE", "t:{vcount}", str(25 * HOUR * 1000))

    assert await vault.count(b"count", seconds=HOUR) == 2
    assert (HOUR - 60) * 1000 < redis_server.cli("PTTL", "t:{vcount}") <= HOUR * 1000


async def test_the_rights_that_it_needs_are_these(own_redis_server: RedisServer) -> None:
    """A Redis user with these rights alone can be used as a vault; without scripts counting fails."""
    rights = ("+ping", "+set", "+get", "+getdel", "+del", "+eval", "+incr", "+pttl", "+pexpire")
    own_redis_server.cli("ACL", "SETUSER", "vault", "on", ">word", "~t:{v*", "resetchannels", "-@all", *rights)
    async with in_redis(own_redis_server) as store:
        vault = await store.worker(own_redis_server.url.replace("//", "//vault:word@"))
        answers = [await use(vault) for use in USES.values()]
        assert answers == [True, b"value", b"value", True, 2, None]

        own_redis_server.cli("ACL", "SETUSER", "vault", "-eval")
        with pytest.raises(StoreUnavailable):
            await vault.count(KEY, seconds=HOUR)


@pytest.mark.parametrize("use", USES)
async def test_a_redis_that_is_gone_is_unavailable(own_redis_server: RedisServer, use: str) -> None:
    """Row 96: a killed Redis raises, and never answers *there is none* or *you are the first*."""
    async with in_redis(own_redis_server) as store:
        vault = await store.worker(deadline_us=500_000)
        await vault.get(KEY)
        own_redis_server.kill()

        with pytest.raises(StoreUnavailable):
            await USES[use](vault)


async def test_a_redis_that_is_silent_is_unavailable_in_time(own_redis_server: RedisServer) -> None:
    """Row 96: with a Redis paused on the way each use ends at the line's deadline."""
    async with in_redis(own_redis_server) as store:
        vaults = [await store.worker(deadline_us=300_000) for _ in USES]
        for vault in vaults:
            await vault.get(KEY)
        own_redis_server.pause()
        asked = [use(vault) for use, vault in zip(USES.values(), vaults, strict=True)]

        async with asyncio.timeout(5):
            answers = await asyncio.gather(*asked, return_exceptions=True)
        own_redis_server.resume()

        assert [type(answer) for answer in answers] == [StoreUnavailable] * len(USES)


async def test_a_redis_that_is_full_is_unavailable(
    own_redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A full Redis keeps, marks and counts nothing; logged once per command, without its arguments."""
    async with in_redis(own_redis_server) as store:
        vault = await store.worker()
        await vault.put(KEY, b"before", seconds=HOUR)
        own_redis_server.cli("CONFIG", "SET", "maxmemory", "1")

        for _ in range(3):
            for use in ("put", "once", "count"):
                with pytest.raises(StoreUnavailable) as refused:
                    await USES[use](vault)
                assert (refused.value.args, refused.value.__context__) == ((), None)

        assert await vault.take(KEY) == b"before"
        said = [record.getMessage() for record in caplog.records]
        full = "OOM: it is full: raise its maxmemory, and leave maxmemory-policy at noeviction"
        assert said == [f"the store refuses SET: {full}", f"the store refuses EVAL: {full}"]


async def test_the_shortest_span_is_a_span(redis_store: InRedis) -> None:
    """Less than a millisecond is rounded up: Redis would reject zero."""
    vault = await redis_store.worker()

    assert await vault.put(KEY, b"value", seconds=1e-6)
    assert await vault.count(OTHER, seconds=1e-6) == 1


async def test_scripts_that_were_flushed_cost_nobody_a_count(redis_store: InRedis, redis_server: RedisServer) -> None:
    """Row 98: a flushed script is loaded again without losing a count."""
    vault = await redis_store.worker()
    assert await vault.count(KEY, seconds=HOUR) == 1

    redis_server.cli("SCRIPT", "FLUSH")

    assert await vault.count(KEY, seconds=HOUR) == 2
