"""The examination of real stores: rights, eviction, persistence, clock, workers."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import sekisho
from sekisho.asgi.checks import checks
from sekisho.breach.progress import Silent
from sekisho.control import ControlMac, ControlRecord, ListEntry
from sekisho.control.beacon import BeaconMac
from sekisho.doctor.run import examine
from sekisho.doctor.store import UNEXAMINED, Examiner, Trip, checks_of_trips, checks_of_workers
from sekisho.model import Mode
from sekisho.settings import Settings, load
from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.doctor import DoctorReport
    from sekisho.model.diagnosis import Diagnosis
    from tests.server_groups import RedisCluster, SentinelGroup

PACKAGE = Path(sekisho.__file__).parent
DOCS = (Path(__file__).parents[2] / "docs" / "production.md").read_text()
SOUND = ("--maxmemory", "100mb", "--appendonly", "yes")
VERSION = "SEK030"  # the Redis of these tests is whichever is installed


def rights_in_docs(what: str) -> list[str]:
    """The rights in one row of the table."""
    row = re.search(rf"^\| {re.escape(what)}[^|]*\| `(.+?)` \|$", DOCS, re.MULTILINE)
    assert row is not None
    return row[1].split()


def settings(url: str, **variables: str) -> Settings:
    usual = {"SECRET": "mB7tXq2LwPz9RkVn4HsYc6JdGf3AeUo8", "STORE": url, "STORE_DEADLINE_MS": "5000"}
    return load({f"SEKISHO_{name}": value for name, value in (usual | variables).items()})


async def examined(url: str, admin_url: str | None = None, *, ahead_s: float = 0, **variables: str) -> DoctorReport:
    """The report of the store, by a clock that is ahead by so many seconds."""
    examiner = Examiner(
        settings(url, **variables), admin_url, Silent(), lambda: time.time() + ahead_s, time.monotonic, "word"
    )
    return await examiner.examine()


def numbers(report: DoctorReport) -> set[str]:
    return {each.hazard.number for each in report.diagnoses} - {VERSION}


def the(report: DoctorReport, number: str) -> Diagnosis:
    (found,) = [each for each in report.diagnoses if each.hazard.number == number]
    return found


@pytest.fixture(scope="module")
def sound() -> Iterator[RedisServer]:
    """A Redis that is set up rightly."""
    with RedisServer(*SOUND) as server:
        yield server


@pytest.fixture
def limited(sound: RedisServer) -> Iterator[RedisServer]:
    """The same, with a user `guard` to be given rights."""
    yield sound
    sound.cli("ACL", "DELUSER", "guard")


def guarded(server: RedisServer, *rights: str) -> str:
    """The URL of the user `guard` with these rights."""
    server.cli("ACL", "SETUSER", "guard", "reset", "on", ">word", "-@all", *rights)
    return server.url.replace("//", "//guard:word@")


# --- a store that is set up rightly


async def test_nothing_is_said_about_a_sound_store(sound: RedisServer) -> None:
    """A sound store has no finding but the hole of its version, and no key is left."""
    sound.cli("FLUSHALL")

    report = await examined(sound.url)

    assert numbers(report) == set()
    assert report.is_complete
    assert sound.cli("KEYS", "*") == []
    assert [subject for subject, _ in report.facts] == ["store", "store"]


async def test_memory_has_no_store_to_examine() -> None:
    """`memory://` is examined by the settings alone."""
    assert (await examined("memory://")).facts == (("store", "memory://, in each process"),)


@pytest.mark.parametrize("kind", ["cluster", "sentinel"])
async def test_every_primary_is_examined(
    redis_cluster: RedisCluster, redis_cluster_url: str, sentinel_group: SentinelGroup, sentinel_url: str, kind: str
) -> None:
    """A Cluster's primaries are examined one by one, and the primary that Sentinels name; no key is left."""
    group, url, servers = (
        (redis_cluster, redis_cluster_url, 3) if kind == "cluster" else (sentinel_group, sentinel_url, 1)
    )

    report = await examined(url, url)

    assert numbers(report) == {"SEK035"}
    assert report.is_complete
    assert len(report.facts) == 2 * servers
    assert all(keys == [] for keys in group.each("KEYS", "*"))


# --- rights


@pytest.mark.parametrize("by_admin", [False, True])
async def test_the_documented_rights_suffice(limited: RedisServer, by_admin: bool) -> None:
    """A user with the rights of the table in production.md lacks none."""
    url = guarded(limited, *rights_in_docs("every deployment"), *rights_in_docs("a warning about a policy"))

    assert numbers(await examined(url, limited.url if by_admin else None)) == set()


@pytest.mark.parametrize("by_admin", [False, True])
async def test_missing_rights_are_found(limited: RedisServer, by_admin: bool) -> None:
    """Each missing right stands in the line to write; the user's name does not. Nothing is left behind."""
    rights = [right for right in rights_in_docs("every deployment") if right not in {"+set", "+zrange"}]
    url = guarded(limited, *rights, "+info")

    found = the(await examined(url, limited.url if by_admin else None), "SEK034")

    assert found.what == "SEKISHO_STORE: the store refuses its user the commands set, zrange"
    assert found.write == "ACL SETUSER USER +set +zrange"
    assert limited.cli("KEYS", "*") == []


async def test_campaigns_need_rights_of_their_own(limited: RedisServer) -> None:
    """With SEKISHO_CAMPAIGNS four rights are asked for, and are those of the table."""
    url = guarded(limited, *rights_in_docs("every deployment"), "+info")
    found = the(await examined(url, CAMPAIGNS="on"), "SEK034")
    url = guarded(limited, *rights_in_docs("every deployment"), *rights_in_docs("`SEKISHO_CAMPAIGNS=on`"), "+info")

    assert found.write == "ACL SETUSER USER +exists +lrange +ltrim +rpush"
    assert numbers(await examined(url, CAMPAIGNS="on")) == set()


async def test_a_posture_needs_rights_of_its_own(limited: RedisServer) -> None:
    """Where the posture decides who is asked, its rights are asked for, and are those of the table."""
    by_posture: dict[str, Any] = {
        "STEP_UP": "attack",
        "FACTORS": "totp",
        "OWNERS": "sqlite+aiosqlite:////owners.db",
        "OWNERS_QUERY": "SELECT id AS account_id, email FROM owners WHERE name = :account",
    }
    url = guarded(limited, *rights_in_docs("every deployment"), "+info")
    found = the(await examined(url, **by_posture), "SEK034")
    url = guarded(
        limited, *rights_in_docs("every deployment"), *rights_in_docs("`SEKISHO_STEP_UP=elevated` or"), "+info"
    )

    assert found.write == "ACL SETUSER USER +exists +lrange +ltrim +rpush +setbit"
    assert numbers(await examined(url, **by_posture)) == set()


async def test_metrics_need_a_right_of_their_own(limited: RedisServer) -> None:
    """With SEKISHO_METRICS_TOKEN its right is asked for, and is that of the table."""
    token = "v8Qk2mXs7Rt4Wz9Lp3Nc6Hd1Yb5Jg0Fe"
    url = guarded(limited, *rights_in_docs("every deployment"), "+info")
    found = the(await examined(url, METRICS_TOKEN=token), "SEK034")
    url = guarded(limited, *rights_in_docs("every deployment"), *rights_in_docs("`SEKISHO_METRICS_TOKEN`"), "+info")

    assert found.write == "ACL SETUSER USER +hgetall"
    assert numbers(await examined(url, METRICS_TOKEN=token)) == set()


SCRIPTS_OF = {
    "metrics": "`SEKISHO_METRICS_TOKEN`",
    "feed": "`SEKISHO_FEED=on`",
    "detect": "`SEKISHO_STEP_UP=elevated` or",
    "campaigns": "`SEKISHO_CAMPAIGNS=on`",
}
"""The row of the table that adds rights for the scripts of a folder."""


@pytest.mark.parametrize("script", sorted(PACKAGE.rglob("*.lua")), ids=lambda path: path.name)
def test_scripts_call_what_the_table_allows(script: Path) -> None:
    """Each command within a script is among the rights of the table: Redis refuses the others."""
    row = SCRIPTS_OF.get(script.parent.name)
    rights = [*rights_in_docs("every deployment"), *(rights_in_docs(row) if row else ())]
    called = re.findall(r"call\('([A-Z]+)'", script.read_text())

    assert [name for name in called if f"+{name.lower()}" not in rights] == []


@pytest.mark.parametrize("by_admin", [False, True])
async def test_the_feed_needs_rights_of_its_own(limited: RedisServer, by_admin: bool) -> None:
    """With SEKISHO_FEED its two rights are asked for, and are those of the table."""
    admin = limited.url if by_admin else None
    url = guarded(limited, *rights_in_docs("every deployment"), "+info")
    found = the(await examined(url, admin, FEED="on"), "SEK034")
    url = guarded(limited, *rights_in_docs("every deployment"), *rights_in_docs("`SEKISHO_FEED=on`"), "+info")

    assert found.write == "ACL SETUSER USER +getbit +setbit"
    assert numbers(await examined(url, admin, FEED="on")) == set()
    assert limited.cli("KEYS", "*") == []


@pytest.mark.parametrize("by_admin", [False, True])
@pytest.mark.parametrize("where", [{"AUDIT": "redis"}, {"AUDIT": "stdout", "AUDIT_CHECKPOINTS": "store"}])
async def test_an_audit_in_the_store_needs_a_right_of_its_own(
    limited: RedisServer, by_admin: bool, where: dict[str, Any]
) -> None:
    """The service needs to write it. To read it is for the commands: its lack is said, and is no finding."""
    admin = limited.url if by_admin else None
    url = guarded(limited, *rights_in_docs("every deployment"), "+info")
    found = the(await examined(url, admin, **where), "SEK034")
    url = guarded(limited, *rights_in_docs("every deployment"), "+xadd", "+info")
    writes = await examined(url, admin, **where)
    url = guarded(limited, *rights_in_docs("every deployment"), "+xadd", "+xrange", "+info")
    reads = await examined(url, admin, **where)

    assert found.write == "ACL SETUSER USER +xadd"
    assert numbers(writes) == numbers(reads) == set()
    assert [each.what for each in writes.unseen if "audit" in each.what] == [
        "the audit in the store: its user may not read it (+xrange), so `sekisho audit` needs another user's URL"
    ]
    assert not [each for each in reads.unseen if "audit" in each.what]
    assert limited.cli("KEYS", "*") == []


@pytest.mark.parametrize("by_admin", [False, True])
async def test_another_prefix_is_found(limited: RedisServer, by_admin: bool) -> None:
    """A user who may touch other keys only is refused our prefix, as after `SEKISHO_NAMESPACE` was set."""
    rights = [right for right in rights_in_docs("every deployment") if not right.startswith("~")]
    url = guarded(limited, "~other:*", *rights, "+info")

    found = the(await examined(url, limited.url if by_admin else None, NAMESPACE="shop"), "SEK034")

    assert "keys of its own prefix" in found.what
    assert "ACL SETUSER USER ~shop:*" in found.write


async def test_an_administrator_without_rights_is_no_examination(limited: RedisServer) -> None:
    """An examination that was asked for and refused is incomplete."""
    url = guarded(limited, *rights_in_docs("every deployment"))

    report = await examined(url, url)

    assert not report.is_complete


async def test_without_info_its_facts_are_unknown(limited: RedisServer) -> None:
    """Without INFO no budget is kept, and version, eviction and persistence are unknown: that is said."""
    report = await examined(guarded(limited, *rights_in_docs("every deployment")))

    assert numbers(report) == {"SEK033"}
    assert any("--admin-url" in each.what for each in report.unseen)


async def test_without_config_snapshots_are_unknown(own_redis_server: RedisServer) -> None:
    """Only CONFIG tells whether snapshots are written."""
    report = await examined(guarded(own_redis_server, *rights_in_docs("every deployment"), "+info"))

    assert "SEK036" not in numbers(report)
    assert any("snapshots" in each.what for each in report.unseen)


# --- configuration


async def test_a_store_without_persistence_is_found(own_redis_server: RedisServer) -> None:
    """Neither snapshots nor an append-only file nor a replica: a restart forgets every counter."""
    assert numbers(await examined(own_redis_server.url)) == {"SEK035", "SEK036"}

    own_redis_server.cli("CONFIG", "SET", "save", "900 1")

    assert numbers(await examined(own_redis_server.url, STORE_BYTES_MAX="100000000")) == set()


async def test_a_store_that_evicts_is_found(own_redis_server: RedisServer) -> None:
    """An evicting policy with a memory limit is found, and its line sets the other policy."""
    own_redis_server.cli("CONFIG", "SET", "maxmemory", "100mb")
    own_redis_server.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")

    found = the(await examined(own_redis_server.url), "SEK032")

    assert "allkeys-lru" in found.what
    assert found.write == "redis-cli CONFIG SET maxmemory-policy noeviction"


async def test_a_replica_is_found(own_redis_server: RedisServer, sound: RedisServer) -> None:
    """A replica takes no writes."""
    own_redis_server.cli("REPLICAOF", "127.0.0.1", sound.port)

    found = the(await examined(own_redis_server.url), "SEK039")

    assert found.what.startswith("SEKISHO_STORE: the store takes no writes: READONLY: it is a replica")


async def test_a_full_store_is_found(own_redis_server: RedisServer) -> None:
    """A full store refuses writes."""
    own_redis_server.cli("CONFIG", "SET", "maxmemory", "1")

    found = the(await examined(own_redis_server.url), "SEK039")

    assert found.what.startswith("SEKISHO_STORE: the store takes no writes: OOM: it is full")
    assert found.write.startswith("redis-cli CONFIG SET maxmemory")


async def test_a_store_that_is_gone_was_not_examined(own_redis_server: RedisServer) -> None:
    """A store that does not answer is a finding, and leaves the examination incomplete; its address is not printed."""
    own_redis_server.kill()

    report = await examined(own_redis_server.url)

    assert not report.is_complete
    found = the(report, "SEK042")
    problem = "ConnectionRefusedError: nothing listens at the host and port of SEKISHO_STORE"
    assert found.what == f"SEKISHO_STORE: the store does not answer: {problem}"
    assert found.write == "SEKISHO_STORE=redis://USER:PASSWORD@HOST:6379/0"
    assert [each.what for each in report.unseen] == [UNEXAMINED]


async def test_a_wrong_password_is_said(limited: RedisServer) -> None:
    """A wrong password is named, and not printed."""
    report = await examined(guarded(limited, "+@all", "~*").replace("word", "hunter2"))

    assert the(report, "SEK042").what == (
        "SEKISHO_STORE: the store refuses to work: WRONGPASS: the user or the password in SEKISHO_STORE is wrong"
    )
    assert not report.is_complete
    assert "hunter2" not in str(report)


@pytest.mark.parametrize(
    ("url", "what", "write"),
    [
        (
            "redis+cluster://127.0.0.1:{port}",
            "NOCLUSTER: it is no node of a Cluster: write redis:// in place of redis+cluster:// in SEKISHO_STORE",
            "SEKISHO_STORE=redis://USER:PASSWORD@HOST:6379/0",
        ),
        (
            "redis+sentinel://127.0.0.1:{port}/shop",
            "NOSENTINEL: no Sentinel listens there: its port is mostly 26379, and that of the data 6379",
            "SEKISHO_STORE=redis+sentinel://HOST:26379,HOST:26379/SERVICE",
        ),
    ],
)
async def test_a_url_of_another_kind_of_store_is_said(sound: RedisServer, url: str, what: str, write: str) -> None:
    """A single Redis that the settings take for a Cluster or for a Sentinel: the finding has the line to write."""
    found = the(await examined(url.format(port=sound.port)), "SEK042")

    assert (found.what, found.write) == (f"SEKISHO_STORE: the store refuses to work: {what}", write)


async def test_a_user_that_may_not_ask_for_the_nodes_is_said(limited: RedisServer) -> None:
    """Without +cluster|slots no node is found: the right is named, and not the address."""
    found = the(await examined(guarded(limited, "+ping", "~*").replace("redis://", "redis+cluster://")[:-2]), "SEK034")

    assert found.write == "ACL SETUSER USER +cluster|slots"


async def test_a_database_that_does_not_exist_is_no_lack_of_rights(sound: RedisServer) -> None:
    """The number at the end of the URL: neither INFO nor memory is to blame."""
    report = await examined(sound.url.removesuffix("/0") + "/99")

    assert numbers(report) == {"SEK039"}
    assert the(report, "SEK039").write == "SEKISHO_STORE=redis://USER:PASSWORD@HOST:6379/0"


# --- clock, latency, workers


async def test_clocks_that_differ_are_found(sound: RedisServer) -> None:
    """The difference of the clocks is measured by the fastest round trip."""
    assert the(await examined(sound.url, ahead_s=3_600), "SEK037").what == (
        "this machine's clock is 3600 seconds ahead of the store's"
    )


@pytest.mark.parametrize(
    ("trips", "numbers"),
    [
        ([Trip(0.001, 0.0)] * 50, []),
        ([Trip(0.001, 0.0)] * 48 + [Trip(0.2, 0.0)] * 2, []),
        ([Trip(0.001, 0.0)] * 47 + [Trip(0.2, 0.0)] * 3, ["SEK038"]),
        ([Trip(0.08, 0.0)] * 50, ["SEK038"]),
        ([Trip(0.001, 1.9)] * 50, []),
        ([Trip(0.001, -2.1)] * 50, ["SEK037"]),
        ([Trip(0.1, 2.04)] * 2 + [Trip(0.09, 2.04)], ["SEK038"]),  # the round trip may have made the difference
    ],
)
def test_round_trips_are_judged_by_the_deadline(trips: list[Trip], numbers: list[str]) -> None:
    """With 150 ms: three late answers of fifty, or a median of half the deadline. Clocks: two seconds and more."""
    assert [each.hazard.number for each in checks_of_trips(trips, 150_000)] == numbers


def test_a_slow_store_is_told_with_its_figures() -> None:
    """The finding has the median and the worst."""
    (found,) = checks_of_trips([Trip(0.08, 0.0)] * 2 + [Trip(0.3, 0.0)], 150_000)

    assert found.what == (
        "SEKISHO_STORE_DEADLINE_MS: 1 of 3 answers came after 150 ms; the median took 80.0 ms, the worst 300.0 ms"
    )


@pytest.mark.parametrize(
    ("heard", "workers", "is_found"), [(4, 4, False), (4, None, False), (0, 2, False), (4, 2, True)]
)
def test_a_wrong_number_of_workers_is_found(heard: int, workers: int | None, is_found: bool) -> None:
    """The number in the settings is compared with the workers that report; with none, nobody runs."""
    assert [each.write for each in checks_of_workers(heard, workers)] == (["SEKISHO_WORKERS=4"] if is_found else [])


async def test_another_secret_than_the_services_is_found(sound: RedisServer) -> None:
    """The service's mark and its control record; with the service's own secret nothing is found."""
    ours = settings(sound.url).listed
    keys = {"sekisho:{control}service": BeaconMac, "sekisho:{control}": ControlMac}
    try:
        for key, mac in keys.items():
            sound.cli("SET", key, mac(ours, "sekisho").sign(b'{"v":1}').decode())
        same = numbers(await examined(sound.url))
        for key, mac in keys.items():
            sound.cli("SET", key, mac([b"o" * 40], "sekisho").sign(b'{"v":1}').decode())
        report = await examined(sound.url)
    finally:
        sound.cli("DEL", *keys)

    assert (same, numbers(report)) == (set(), {"SEK040", "SEK045"})


@pytest.mark.parametrize(("mode", "setting"), [(Mode.OFF, "enforce"), (Mode.ENFORCE, "monitor"), (None, "enforce")])
async def test_what_operators_left_in_force_is_told(sound: RedisServer, mode: Mode | None, setting: str) -> None:
    """A mode that a command has set counts, not SEKISHO_MODE: a forgotten `off` outlives every restart."""
    found = settings(sound.url, MODE=setting)
    record = ControlRecord(
        1, mode, posture="attack 9999999999", deny=(ListEntry("203.0.113.0/24", 9_999_999_999), ListEntry("9.9.9.9", 1))
    )
    key = "sekisho:{control}"
    sound.cli("SET", key, ControlMac(found.listed, "sekisho").sign(record.encode()).decode())
    try:
        report = await examine(
            found, list(checks(found)), progress=Silent(), wall_s=time.time, monotonic_s=time.monotonic
        )
    finally:
        sound.cli("DEL", key)

    facts = dict(report.facts)
    said = [(each.what, each.write) for each in report.diagnoses if each.hazard.number == "SEK003"]
    assert facts.get("mode") == (f"{mode.value}, by an operator's command" if mode else None)
    assert (facts["posture"], facts["deny"]) == ("attack is forced", "networks by operators' commands: 1")
    assert said == (
        [
            (
                "an operator's command has switched the mode to off: `sekisho mode` says whose, and why",
                'sekisho mode enforce --because "REASON"',
            )
        ]
        if mode is Mode.OFF
        else []
    )


async def test_workers_are_heard_of(sound: RedisServer) -> None:
    """Workers report to the store once a second; older reports do not count."""
    now_us = int(time.time() * 1e6)
    sound.cli("ZADD", "sekisho:{exchange}workers", now_us, "one", now_us, "two", now_us - 60_000_000, "old")
    try:
        assert the(await examined(sound.url, WORKERS="8"), "SEK022").write == "SEKISHO_WORKERS=2"
    finally:
        sound.cli("DEL", "sekisho:{exchange}workers")


async def test_two_examinations_do_not_disturb_each_other(sound: RedisServer) -> None:
    """Keys of trials have random names."""
    first = Examiner(settings(sound.url), None, Silent(), time.time, time.monotonic, "one").examine()
    second = Examiner(settings(sound.url), None, Silent(), time.time, time.monotonic, "two").examine()

    assert [numbers(each) for each in await asyncio.gather(first, second)] == [set(), set()]
