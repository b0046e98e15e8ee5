"""The mark by which a command notices that it runs with another secret or namespace than the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.cli.right_service import other_namespace
from sekisho.control.beacon import BeaconMac, Seen, ServiceBeacon, namespaces
from sekisho.crypto.signers import Signer
from sekisho.store.opening import open_to
from sekisho.store.options import LineOptions
from sekisho.store.script import Script

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sekisho.store import AnyStoreConnection
    from tests.servers import RedisServer


def opened(url: str) -> AnyStoreConnection:
    return open_to(url, LineOptions(Script("return ''", (), 1), deadline_us=5_000_000))


OLD, NEW = b"o" * 40, b"n" * 40


@pytest.fixture
async def line(redis_url: str) -> AsyncIterator[AnyStoreConnection]:
    line = opened(redis_url)
    yield line
    await line.aclose()


async def test_a_mark_is_recognised_by_its_secret(redis_server: RedisServer, line: AnyStoreConnection) -> None:
    """In both steps of a change of the secret each list recognises the other's mark; another secret does not."""
    lists: dict[str, list[bytes | Signer]] = {
        "old": [OLD], "first step": [Signer(NEW, signs=False), Signer(OLD)], "second step": [NEW, OLD], "new": [NEW],
    }  # fmt: skip
    beacons = {name: ServiceBeacon(line, "shop", BeaconMac(secrets, "shop")) for name, secrets in lists.items()}
    before = await beacons["old"].seen()
    found = {}
    for name, beacon in beacons.items():
        await beacon.leave()
        found[name] = {each for each, reader in beacons.items() if await reader.seen() is Seen.OURS}
    redis_server.cli("SET", "shop:{control}service", "junk")

    assert (before, await beacons["old"].seen()) == (Seen.NONE, Seen.FOREIGN)
    assert found == {
        "old": {"old", "first step", "second step"},
        "first step": {"old", "first step", "second step"},
        "second step": {"first step", "second step", "new"},
        "new": {"first step", "second step", "new"},
    }
    assert redis_server.cli("TTL", "shop:{control}service") == -1


async def test_two_secrets_are_said_once(line: AnyStoreConnection, caplog: pytest.LogCaptureFixture) -> None:
    """Two workers that overwrite each other's mark; not the mark of an earlier secret, nor those of a rotation."""
    first, second = (ServiceBeacon(line, "shop", BeaconMac([secret], "shop")) for secret in (OLD, NEW))
    both = ServiceBeacon(line, "shop", BeaconMac([Signer(NEW, signs=False), Signer(OLD)], "shop"))
    for one in (first, both, first, both, second):
        await one.leave()
    assert caplog.text == ""

    for one in (first, second, first, second):
        await one.leave()
    assert caplog.text.count("has another one, so the two count apart") == 2  # each worker, once
    assert "[SEK045]" in caplog.text


async def test_namespaces_are_those_of_services(redis_server: RedisServer, line: AnyStoreConnection) -> None:
    """Of this version and of earlier ones; a name that none can have is not printed, nor are more than 16."""
    for name in ("shop", "old-control", "a b", "evil\x1b[2J", "x" * 33):
        redis_server.cli("SET", f"{name}:{{control}}", "1")
    redis_server.cli("SET", "shop:{control}service", "1")
    redis_server.cli("ZADD", "earlier:{exchange}workers", 1, "worker")
    redis_server.cli("SET", "none:{exchange}began", "1")
    redis_server.cli("SET", "none:{v123}", "1")
    few = await namespaces(line)
    for number in range(20):
        redis_server.cli("SET", f"other{number:02}:{{control}}", "1")

    assert few == ("earlier", "old-control", "shop")
    assert len(await namespaces(line)) == 16


async def test_every_node_of_a_cluster_is_asked(redis_cluster_url: str) -> None:
    """Services whose keys are at different nodes."""
    line = opened(redis_cluster_url)
    names = [f"shop{number}" for number in range(9)]
    for name in names:
        await line.execute(b"ZADD", f"{name}:{{exchange}}workers".encode(), b"1", b"worker")
        await line.execute(b"SET", f"{name}:{{control}}".encode(), b"1")
    found = await namespaces(line)
    await line.aclose()

    assert found == tuple(names)


async def test_a_user_who_may_not_list_keys_finds_none(redis_server: RedisServer, redis_url: str) -> None:
    """The rights of docs/production.md do not include SCAN: no error of a command is made of that."""
    redis_server.cli("SET", "shop:{control}", "1")
    redis_server.cli("ACL", "SETUSER", "few", "on", ">pass", "~*", "+ping", "+get", "+select")
    line = opened(redis_url.replace("//", "//few:pass@"))
    found = await namespaces(line)
    await line.aclose()
    redis_server.cli("ACL", "DELUSER", "few")

    assert found == ()


def test_a_wrong_namespace_says_what_to_set() -> None:
    """One line; nothing where the store has no other service, as before the first start."""
    assert other_namespace("shop", ()) == ""
    assert other_namespace("shop", ("forum", "store")) == (
        "no service has run at this SEKISHO_STORE under SEKISHO_NAMESPACE=shop: set SEKISHO_NAMESPACE to that of the "
        "service, which is among: forum, store\n"
    )
