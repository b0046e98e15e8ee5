"""A Redis that answers with errors is reported once per kind of error, and again when it works."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import redis
from redis.exceptions import RedisError, ResponseError

from sekisho.model import StoreUnavailable
from sekisho.record import Events
from sekisho.store import Script, open_to
from sekisho.store.batch import packed_keys
from sekisho.store.health import Health
from sekisho.store.options import LineOptions
from sekisho.store.refusals import evicting_policy, explained, refusal_of
from tests.servers import RedisServer
from tests.store.lines import ECHO, question, until
from tests.store.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sekisho.store import AnyStoreConnection
    from tests.server_groups import RedisCluster

PROBE = b"t:{probe}probe"
PATIENT_US = 5_000_000


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnect after a millisecond, and count a tenth of a second as steady."""
    monkeypatch.setattr("sekisho.store.connection.BACKOFF_US", (1_000,))
    monkeypatch.setattr("sekisho.store.health.STEADY_S", 0.1)


class Told:
    """A line as `LoginGuard` opens it, with its messages to the operator."""

    def __init__(self, url: str, probes: tuple[bytes, ...] = (PROBE,)) -> None:
        self.events = Events(clock_us=lambda: time.time_ns() // 1000)
        self.health = Health(asyncio.get_running_loop().call_later, self.events.store_answers)
        options = LineOptions(Script(ECHO, (), 8), PATIENT_US, self.health.turned, self.health, probes)
        self.line: AnyStoreConnection = open_to(url, options)

    def count(self, what: str) -> int:
        return self.events.counts.get(("", "store", what), 0)

    async def works(self) -> None:
        """Wait until the line reports that it works."""
        turns = self.count("answers")
        await until(lambda: self.count("answers") > turns)

    async def refused(self, times: int) -> None:
        """Wait until so many connections have failed."""
        for _ in range(times):
            with pytest.raises(StoreUnavailable):
                await self.line.ask(packed_keys((b"t:counted",)), question(1))
            await asyncio.sleep(0.002)


@asynccontextmanager
async def told(url: str) -> AsyncIterator[Told]:
    one = Told(url)
    try:
        yield one
    finally:
        await one.line.aclose()
        one.health.close()


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


DEGRADED = "counting is degraded until the store works again (SEKISHO_ON_STORE_FAILURE)"
AGAIN = "the store works again"

# Operators' commands that make Redis refuse, commands that end it, and the reported kind.
REFUSALS = {
    "OOM": (["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]),
    "READONLY": (["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"]),
    "NOPERM": (["ACL", "SETUSER", "default", "-@scripting"], ["ACL", "SETUSER", "default", "+@all"]),
    "NOREPLICAS": (["CONFIG", "SET", "min-replicas-to-write", "1"], ["CONFIG", "SET", "min-replicas-to-write", "0"]),
}


@pytest.mark.parametrize("kind", REFUSALS)
async def test_a_refusal_is_said_by_its_kind_once_and_ends_when_something_was_done(
    own_redis_server: RedisServer, impatient: None, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """A refusal is three log lines however often it reconnects: the last, as loud as the first, says that it works."""
    refuse, allow = REFUSALS[kind]
    async with told(own_redis_server.url) as one:
        await one.works()
        own_redis_server.cli(*refuse)
        await one.refused(30)
        assert (one.count("lost"), one.count("answers")) == (1, 1)

        own_redis_server.cli(*allow)
        await one.works()

    first, *rest = said(caplog)
    assert first.startswith(f"the store refuses to work: {kind}: ")
    assert rest == [DEGRADED, AGAIN]


async def test_a_redis_that_cannot_save_is_named(
    own_redis_server: RedisServer, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    """MISCONF is named: a disk is gone, and Redis takes no writes."""
    async with told(own_redis_server.url) as one:
        await one.works()
        with redis.Redis(port=own_redis_server.port) as operator:
            operator.config_set("save", "3600 1")
            shutil.rmtree(own_redis_server.socket_path.parent)
            operator.bgsave()
            await until(lambda: operator.info("persistence")["rdb_last_bgsave_status"] == "err")
        await one.refused(3)

    assert said(caplog)[0].startswith("the store refuses to work: MISCONF: ")


async def test_a_redis_kept_busy_by_a_script_is_named(
    own_redis_server: RedisServer, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    """BUSY is named: a script occupies Redis."""
    own_redis_server.cli("CONFIG", "SET", "busy-reply-threshold", "1")
    async with told(own_redis_server.url) as one:
        await one.works()
        with redis.Redis(port=own_redis_server.port) as operator:
            endless = asyncio.create_task(asyncio.to_thread(_endless, own_redis_server.port))
            await until(lambda: one.count("lost") == 1 or _poked(one))
            await until(lambda: any("BUSY" in line for line in said(caplog)))
            operator.script_kill()
            await endless
        await one.works()

    assert any(line.startswith("the store refuses to work: BUSY: ") for line in said(caplog))


def _endless(port: int) -> None:
    with redis.Redis(port=port) as other, pytest.raises(ResponseError):
        other.eval("while true do end", 0)


def _poked(one: Told) -> bool:
    """Send a question without a caller, so that the line uses its server."""
    one.line.tell(packed_keys((b"t:counted",)), b"!0000001")
    return False


@pytest.mark.parametrize(("secret", "kind"), [(":wrong@", "WRONGPASS"), ("", "NOAUTH")])
async def test_a_password_that_is_wrong_or_missing_is_named(
    own_redis_server: RedisServer, impatient: None, caplog: pytest.LogCaptureFixture, secret: str, kind: str
) -> None:
    """A wrong or missing password is named, and neither password is logged."""
    with redis.Redis(port=own_redis_server.port) as operator:
        operator.config_set("requirepass", "right")
    async with told(own_redis_server.url.replace("redis://", f"redis://{secret}")) as one:
        await one.refused(10)

    assert said(caplog)[0].startswith(f"the store refuses to work: {kind}: ")
    assert said(caplog)[1:] == [DEGRADED]
    assert not {"right", "wrong"} & set(" ".join(said(caplog)).replace("is wrong", "").split())


async def test_a_redis_that_takes_pings_and_no_writes_is_never_said_to_work(
    own_redis_server: RedisServer, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    """A replica (pings, but no writes) is never reported as working, even without an attempt."""
    own_redis_server.cli("REPLICAOF", "127.0.0.1", "1")
    async with told(own_redis_server.url) as one:
        await until(lambda: one.count("lost") == 1)
        await asyncio.sleep(0.2)
        assert one.count("answers") == 0

        own_redis_server.cli("REPLICAOF", "NO", "ONE")
        await one.works()

    assert said(caplog)[1:] == [DEGRADED, AGAIN]


async def test_a_user_who_may_run_no_script_is_never_said_to_work(
    own_redis_server: RedisServer, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    """It writes keys and is refused at each attempt: the log would change twice with every one."""
    own_redis_server.cli("ACL", "SETUSER", "default", "-@scripting")
    async with told(own_redis_server.url) as one:
        await one.refused(5)
        await asyncio.sleep(0.2)
        await one.refused(5)
        assert one.count("answers") == 0

    assert [line.partition(": ")[2].partition(":")[0] for line in said(caplog)] == ["NOPERM", ""]


@pytest.mark.parametrize(
    ("scheme", "rest", "what"),
    [
        ("redis+cluster", "", "refuses to work: NOCLUSTER: it is no node of a Cluster: write redis:// in place of"),
        ("redis+sentinel", "/shop", "refuses to work: NOSENTINEL: no Sentinel listens there"),
    ],
)
async def test_a_server_of_another_sort_is_named(
    own_redis_server: RedisServer, impatient: None, caplog: pytest.LogCaptureFixture, scheme: str, rest: str, what: str
) -> None:
    """A single Redis where SEKISHO_STORE names a Cluster or Sentinels: nothing said why it did not count."""
    async with told(f"{scheme}://127.0.0.1:{own_redis_server.port}{rest}") as one:
        await until(lambda: bool(said(caplog)))
        await one.refused(3)

    assert said(caplog)[0].startswith(f"the store {what}")


async def test_a_service_that_no_sentinel_knows_is_named(
    sentinel_url: str, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    async with told(f"{sentinel_url.rpartition('/')[0]}/shop") as one:
        await until(lambda: bool(said(caplog)))
        await one.refused(3)

    assert said(caplog)[0].startswith("the store refuses to work: NOSERVICE: the Sentinels know no service of the name")


@pytest.mark.parametrize("scheme", ["redis+cluster", "redis+sentinel"])
async def test_an_address_without_any_server_is_named(
    impatient: None, caplog: pytest.LogCaptureFixture, scheme: str
) -> None:
    async with told(f"{scheme}://127.0.0.1:1{'/shop' if 'sentinel' in scheme else ''}") as one:
        await until(lambda: bool(said(caplog)))
        await one.refused(3)

    assert said(caplog)[0].startswith("the store does not answer: ConnectionRefusedError: nothing listens at the host")


async def test_a_node_of_a_cluster_that_refuses_is_named_once(
    frail_cluster: RedisCluster, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    """A refusing node of a Cluster is named once; the others go on, and the Cluster is whole when it takes writes."""
    probes = tuple(b"t:{%d}probe" % number for number in range(64))
    node = frail_cluster.primaries[0]
    one = Told(frail_cluster.url, probes)
    try:
        await one.works()
        node.cli("CONFIG", "SET", "maxmemory", "1")
        with redis.Redis(port=node.port) as operator:
            operator.client_kill_filter(_type="normal", skipme=True)
        await until(lambda: one.count("lost") == 1)
        await asyncio.sleep(0.2)
        assert one.count("answers") == 1
        node.cli("CONFIG", "SET", "maxmemory", "0")
        await one.works()
    finally:
        await one.line.aclose()
        one.health.close()
        node.cli("CONFIG", "SET", "maxmemory", "0")

    assert sum("refuses to work: OOM" in line for line in said(caplog)) == 1
    assert said(caplog)[-1] == AGAIN


# A Redis that evicts.


@pytest.mark.parametrize(
    ("options", "warned"),
    [
        (("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"), ["allkeys-lru"]),
        (("--maxmemory", "50mb", "--maxmemory-policy", "volatile-ttl"), ["volatile-ttl"]),
        (("--maxmemory", "50mb", "--maxmemory-policy", "noeviction"), []),
        (("--maxmemory", "0", "--maxmemory-policy", "allkeys-lru"), []),  # without a memory bound nothing is evicted
    ],
)
async def test_a_redis_that_evicts_is_said_at_the_start(
    impatient: None, caplog: pytest.LogCaptureFixture, options: tuple[str, ...], warned: list[str]
) -> None:
    """A Redis that may evict keys with an expiry, which all of ours have, is reported once, reconnects included."""
    with RedisServer(*options) as server:
        async with told(server.url) as one:
            await one.works()
            server.cli("CLIENT", "KILL", "TYPE", "normal")
            await one.works()

    found = [line for line in said(caplog) if line.startswith("SEKISHO_STORE: this Redis evicts keys")]
    assert [line.partition("maxmemory-policy ")[2].partition(")")[0] for line in found] == warned


async def test_a_policy_that_is_set_while_workers_run_is_said(
    own_redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its connection lasts for weeks, and only a new one asked for the policy."""
    monkeypatch.setattr("sekisho.store.connection.WEIGHED_S", 0.01)
    async with told(own_redis_server.url) as one:
        await one.works()
        own_redis_server.cli("CONFIG", "SET", "maxmemory", "50mb")
        own_redis_server.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        await until(lambda: "[SEK032]" in caplog.text)
        await asyncio.sleep(0.1)

    assert [line.partition(":")[0] for line in said(caplog) if "[SEK032]" in line] == ["SEKISHO_STORE"]


async def test_a_store_that_answers_late_is_said_with_the_setting(
    own_redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A slow network or a full machine: the log said that it was late, and not what to look at."""
    monkeypatch.setattr("tests.store.test_refusals.PATIENT_US", 150_000)
    async with told(own_redis_server.url) as one:
        await one.works()
        own_redis_server.pause()
        await one.refused(2)
        own_redis_server.resume()

    assert said(caplog)[0] == (
        "the store does not answer in time: `sekisho doctor` compares it with SEKISHO_STORE_DEADLINE_MS [SEK038]"
    )


async def test_a_user_who_may_not_ask_is_not_kept_out(own_redis_server: RedisServer) -> None:
    """A user without the right to ask is still served: whether Redis evicts is then unknown."""
    own_redis_server.cli("ACL", "SETUSER", "default", "-info", "-config")
    async with told(own_redis_server.url) as one:
        assert await one.line.ask(packed_keys((b"t:counted",)), question(7)) == question(7)
    own_redis_server.cli("ACL", "SETUSER", "default", "+@all")


# Texts from the server.


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed", "OOM"),  # before Redis 7
        ("MISCONF Redis is configured to save RDB snapshots", "MISCONF"),
        ("BUSY Redis is busy running a script", "BUSY"),
        ("NOREPLICAS Not enough good replicas to write.", "NOREPLICAS"),
        ("WRONGTYPE Operation against a key", None),
        ("ERR value OOMPH is odd", None),
    ],
)
def test_a_kind_is_read_from_the_answer(text: str, kind: str | None) -> None:
    assert refusal_of(ResponseError(text)) == kind


def test_of_an_unknown_error_only_the_class_is_told() -> None:
    """Of an unknown error the class alone is logged: its text may hold a key."""
    assert explained(RedisError("t:{secret}")) == "RedisError"


@pytest.mark.parametrize(
    "answer", [b"", b"maxmemory", b"maxmemory_policy:curious\r\nmaxmemory:1\r\n", b"\xff:\xff", 7, None]
)
def test_a_policy_that_is_not_known_is_none(answer: object) -> None:
    """An unknown eviction policy, as a proxy may report, counts as none."""
    assert evicting_policy(answer) is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://127.0.0.1:1/0", "nothing listens at the host and port of SEKISHO_STORE"),
        ("redis://no-such-host.invalid:6379/0", "the host in SEKISHO_STORE has no address"),
        ("unix:///nowhere/redis.sock", "a file that SEKISHO_STORE names is not there"),
        ("rediss://127.0.0.1:1/0?ssl_ca_certs=/nowhere/ca.pem", "a file that SEKISHO_STORE names is not there"),
    ],
)
async def test_a_store_that_is_not_reached_is_said_in_words(
    url: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator learns what is wrong with the address; neither the log nor an error shows it."""
    told = Told(url)
    await until(lambda: "does not answer" in caplog.text)
    await told.line.aclose()

    assert said in caplog.text
    assert not any(part in caplog.text for part in ("127.0.0.1", "no-such-host", "/nowhere"))


async def test_a_certificate_that_nobody_vouches_for_is_named(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The usual mistake with `rediss://`: a CA of one's own that the settings do not name."""
    async with Proxy(redis_server, secure=True) as proxy:
        told = Told(proxy.url)
        await until(lambda: "does not answer" in caplog.text)
        await told.line.aclose()

    assert "its certificate is not trusted here: name its CA" in caplog.text


def test_a_command_within_a_script_is_forbidden_by_the_same_name(own_redis_server: RedisServer) -> None:
    """Redis 7.0 begins the refusal of a script's command by ERR, and earlier and later ones by other words."""
    own_redis_server.cli("ACL", "SETUSER", "default", "-hset")
    with redis.Redis(port=own_redis_server.port) as user, pytest.raises(redis.ResponseError) as refused:
        user.eval("return redis.call('HSET', 'a', 'b', 'c')", 0)
    own_redis_server.cli("ACL", "SETUSER", "default", "+@all")

    assert explained(refused.value) == (
        "NOPERM: its ACL forbids its user what sekisho needs: see the rights in docs/production.md [SEK034]"
    )
