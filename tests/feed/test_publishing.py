"""Guards publish refused addresses in Redis; the commands read them, and give them to a front."""

from __future__ import annotations

import asyncio
import json
import shlex
import time
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.cli.feed.common import NOT_PUBLISHED
from sekisho.feed import FeedMac, FeedPublisher, FeedReader, RefusalNotes
from sekisho.ledger.counters import StoredCounters
from sekisho.ledger.opening import ledger_on, open_line
from sekisho.model import Effect
from sekisho.settings import load
from sekisho.testing import SECRET
from tests.asgi.driving import Shop, guarded, log_in
from tests.cli.operating import Said, command, run, serve_with, stop
from tests.doctor.test_store import guarded as guarded_user
from tests.doctor.test_store import rights_in_docs
from tests.feed.test_notes import EARNS, charge, origin, refusal
from tests.ledger.charges import charge as counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sekisho.model import Verdict
    from tests.servers import RedisServer

ATTACKER, OTHER, PROXY = "9.9.9.9", "9.9.9.10", "8.8.8.8"
KEY = "sekisho:{feed}"


class Worker:
    """Notes refusals and publishes them, as one worker does."""

    def __init__(
        self,
        url: str,
        *,
        entries_max: int = 100,
        seconds_max: int = 600,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        settings = load({}, {"secret": SECRET, "store": url, "feed": "on", "store_deadline_ms": 5_000})
        self.url = url
        self.line = open_line(url, settings.limits, deadline_us=5_000_000)
        self.notes = RefusalNotes(clock_s, seconds_max, [])
        self.enforces = True
        self._publisher = FeedPublisher(
            self.notes, self.line, FeedMac(settings.listed, "sekisho"), "sekisho", entries_max=entries_max,
            clock_s=clock_s, enforces=lambda: self.enforces,
            has_credit=StoredCounters(self.line, url, "sekisho").has_credit,
        )  # fmt: skip
        self.reader = FeedReader(
            self.line, FeedMac(settings.listed, "sekisho"), "sekisho", entries_max=entries_max,
            seconds_max=seconds_max, clock_s=clock_s,
        )  # fmt: skip

    async def publish(self) -> None:
        await self._publisher.once()

    async def refuse(self, *addresses: str, seconds: float = 300, forwarding: bool = False) -> list[str]:
        """Publish these refusals; the addresses of the feed then."""
        for address in addresses:
            # Its digest is the address itself: each address is known or unknown by itself.
            named = charge()._replace(ip=address.encode().ljust(16))
            self.notes.refused(origin(address, forwarding=forwarding), named, refusal(seconds))
        await self.publish()
        return await self.feed()

    async def know(self, address: str, verdict: Verdict) -> list[str]:
        """Publish that a known device has logged in."""
        self.notes.known(origin(address), charge()._replace(ip=address.encode().ljust(16)), verdict)
        await self.publish()
        return await self.feed()

    async def feed(self, *never: str) -> list[str]:
        found = await self.reader.read([ip_network(one) for one in never])
        return sorted(str(network.network_address) for network in found)


async def test_a_known_device_takes_its_address_out_of_the_feed(redis_url: str) -> None:
    """An address where a known device of an old account logged in is never blocked; one of a new account is."""
    worker = Worker(redis_url)
    before = await worker.refuse(ATTACKER, OTHER)
    new = await worker.know(ATTACKER, refusal())
    old = await worker.know(ATTACKER, refusal(marks=EARNS))
    again = await worker.refuse(ATTACKER)
    await worker.line.aclose()

    assert before == [OTHER, ATTACKER]
    assert new == before
    assert (old, again) == ([OTHER], [OTHER])


@pytest.mark.parametrize("kind", ["redis_url", "redis_cluster_url"])
async def test_credit_is_looked_at_where_the_ledger_did_not(kind: str, request: pytest.FixtureRequest) -> None:
    """Refusals at other doors than log-ins, and of bodies that nobody can read: an address of many owners is spared."""
    worker = Worker(request.getfixturevalue(kind))
    ledger = ledger_on(worker.line, worker.url, "sekisho", deadline_us=5_000_000)
    for account in range(9):
        one = counted(account, place=0)
        verdict = await ledger.charge(one)
        # Their first successes were long ago.
        ledger.settle(one, verdict._replace(marks=EARNS), Effect.LEARNS | Effect.EARNS)
    await ledger.charge(counted(99))
    for address, its in ((ATTACKER, counted(1, ip=7)), (OTHER, counted(1))):
        worker.notes.refused(origin(address), its, refusal(300))
    await worker.publish()
    found = await worker.feed()
    await worker.line.aclose()

    assert found == [ATTACKER]


async def test_while_the_warning_stands_the_feed_is_empty(redis_url: str) -> None:
    """Another worker's refusals are not published either."""
    first, second = Worker(redis_url), Worker(redis_url)
    published = await first.refuse(ATTACKER)
    warned = await second.refuse("1.1.1.1", "4.4.4.4", forwarding=True)
    alone = await second.refuse(OTHER)
    others = await first.refuse(OTHER)
    for worker in (first, second):
        await worker.line.aclose()

    assert published == [ATTACKER]
    assert (warned, alone, others) == ([], [], [])


async def test_nothing_is_published_where_nothing_is_refused(redis_url: str) -> None:
    """A guard that monitors refuses nobody, so no front may either."""
    worker = Worker(redis_url)
    worker.enforces = False
    found = await worker.refuse(ATTACKER)
    await worker.line.aclose()

    assert found == []


async def test_the_feed_is_bounded_and_ends(redis_server: RedisServer, redis_url: str) -> None:
    """Of too many entries those that end first are left out; the key ends with its last entry."""
    worker = Worker(redis_url, entries_max=2)
    await worker.refuse(ATTACKER, seconds=100)
    await worker.refuse(OTHER, seconds=50)
    found = await worker.refuse("9.9.9.11", seconds=200)
    left_ms = redis_server.cli("PTTL", KEY)
    await worker.line.aclose()

    assert found == ["9.9.9.11", ATTACKER]
    assert redis_server.cli("ZCARD", KEY) == 2
    assert 190_000 < left_ms <= 200_000


async def test_an_entry_from_before_the_clock_was_set_back_blocks_nobody(
    redis_server: RedisServer, redis_url: str
) -> None:
    """It would stand a day longer, and take the room of new ones; nor does a pause last a day longer."""
    ahead = Worker(redis_url, entries_max=1, clock_s=lambda: time.time() + 86_400)
    worker = Worker(redis_url, entries_max=1)
    before = await ahead.refuse(ATTACKER)
    at_once = await worker.feed()
    redis_server.cli("SET", KEY + "pause", "1", "PX", "86460000")
    paused = await worker.refuse(OTHER)
    left_ms = redis_server.cli("PTTL", KEY + "pause")
    redis_server.cli("DEL", KEY + "pause")
    after = await worker.refuse(OTHER)
    for each in (ahead, worker):
        await each.line.aclose()

    assert (before, at_once, paused, after) == ([ATTACKER], [], [], [OTHER])
    assert 0 < left_ms <= 60_000


async def test_the_documented_rights_suffice(own_redis_server: RedisServer) -> None:
    """A user with the rights of docs/production.md publishes, reads, and takes an address out."""
    rights = [*rights_in_docs("every deployment"), *rights_in_docs("`SEKISHO_FEED=on`")]
    worker = Worker(guarded_user(own_redis_server, *rights))
    published = await worker.refuse(ATTACKER, OTHER, "9.9.9.11")
    known = await worker.know(OTHER, refusal(marks=EARNS))
    await worker.reader.release(origin(ATTACKER).prefixes[0])
    released = await worker.feed()
    await worker.line.aclose()

    assert (len(published), known, released) == (3, ["9.9.9.11", ATTACKER], ["9.9.9.11"])
    assert own_redis_server.cli("ZCARD", KEY) == 1


async def test_networks_of_the_settings_are_never_read(redis_url: str) -> None:
    """Networks of the command's own settings stay out, regardless of the workers' settings."""
    worker = Worker(redis_url)
    await worker.refuse(ATTACKER, "2606:4700::1")
    found = await worker.feed("9.9.9.0/24"), await worker.feed("2606:4700::7/128"), await worker.feed("::/0")
    await worker.line.aclose()

    assert found == (["2606:4700::"], [ATTACKER], [ATTACKER])


async def test_the_commands_follow_the_guards(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> None:
    """A refused address is in the feed of every front; it leaves by `unblock` and `allow`, and in other modes."""
    serve_with(monkeypatch, store=redis_url, feed="on", limit_ip="2/10minute", canary="off")
    guard = guarded(Shop(), store=None)
    for client in (ATTACKER, ATTACKER, ATTACKER, OTHER, OTHER, OTHER, "203.0.113.9"):
        await log_in(guard, f"owner {client}", "guess", client=client)
    await until_listed(OTHER, ATTACKER)
    said = await command("feed", "json", "--once")

    # Programs read standard output: lines alone, or with --json one value.
    assert [json.loads(line)["do"] for line in said.out.splitlines()] == ["refuse", "refuse"]
    assert said.err == "sekisho feed: the front refuses 2 addresses\n"
    looked = await command("look", "address", ATTACKER)
    assert "Given to the front by `sekisho feed`, until 20" in looked.out
    await command("unblock", "address", ATTACKER)
    assert "Given to the front" not in (await command("look", "address", ATTACKER)).out
    await until_listed(OTHER)
    await command("allow", f"{OTHER}/32", "--for", "1h")
    assert listed(await command("feed", "json", "--once", "--json")) == []
    await command("allow", f"{OTHER}/32", "--remove")
    assert listed(await command("feed", "json", "--once", "--json")) == [OTHER]
    await command("mode", "monitor")
    assert listed(await command("feed", "json", "--once", "--json")) == []
    await stop(guard)


async def until_listed(*addresses: str) -> None:
    """Wait until the feed has these addresses and no others; a worker publishes twice a second."""
    for _ in range(600):
        if sorted(listed(await command("feed", "json", "--once", "--json"))) == list(addresses):
            return
        await asyncio.sleep(0.05)
    raise AssertionError


def listed(said: Said) -> list[str]:
    assert said.code == 0, said.err
    return [entry["network"] for entry in json.loads(said.out)]


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        (["nftables"], "add element inet sekisho refused4 { 9.9.9.9 timeout "),
        (["haproxy", "--socket", "/nowhere/s", "--map", "/nowhere/m"], "add map /nowhere/m <<\n9.9.9.9 1\n"),
        (["nginx", "--file", "/nowhere/f"], "9.9.9.9 1;\nnginx -s reload"),
        (["nginx", "--file", "/nowhere/f", "--form", "deny"], "deny 9.9.9.9;\nnginx -s reload"),
        (["cloudflare", "--account", "a" * 32, "--list", "b" * 32],
         f'PUT /accounts/{"a" * 32}/rules/lists/{"b" * 32}/items [{{"ip": "9.9.9.9", "comment": "sekisho"}}]'),
    ],
    ids=["nftables", "haproxy", "geo", "deny", "cloudflare"],
)  # fmt: skip
async def test_a_dry_run_prints_what_would_be_sent(
    line: list[str], sent: str, monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    """It sends nothing: there is no front here."""
    serve_with(monkeypatch, store=redis_url, feed="on")
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "token")
    worker = Worker(redis_url)
    await worker.refuse(ATTACKER)
    said = await command("feed", *line, "--dry-run")
    await worker.line.aclose()

    assert said.code == 0
    assert sent in said.out


@pytest.mark.parametrize(
    ("line", "code", "text"),
    [
        (["nftables", "--ports", "hunter2"], 2, "--ports is no list such as 80,443"),
        (["nftables", "--table", "a;b"], 2, "--table is no name of letters, digits and _"),
        (["nftables", "--nft", "/nowhere/nft", "--once"], 1, "nft cannot be run: No such file or directory"),
        (["haproxy", "--socket", "/nowhere/s", "--map", "a b"], 2, "--map is no file name"),
        (["haproxy", "--socket", "s", "--map", "m"], 2, "--socket is neither a path nor host:port"),
        (["haproxy", "--socket", "/nowhere/s", "--map", "m", "--once"], 1, "HAProxy's runtime socket: No such file"),
        (["nginx", "--file", "/nowhere/f", "--once"], 1, "/nowhere/f: No such file or directory"),
        (["crowdsec", "--credentials", "/nowhere/c"], 2, "/nowhere/c: No such file or directory; make one with `cscli"),
        (["cloudflare", "--account", "a", "--list", "b"], 2, "CLOUDFLARE_API_TOKEN is not set, or is no token"),
    ],
)  # fmt: skip
def test_faults_are_said_in_words(
    line: list[str], code: int, text: str, monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    """The fault is named; typed text is not repeated."""
    serve_with(monkeypatch, store=redis_url, feed="on")
    monkeypatch.delenv("CLOUDFLARE_API_TOKEN", raising=False)
    said = run("feed", *line)

    assert said.code == code
    assert text in said.err
    assert "hunter2" not in said.err


def test_a_reload_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, redis_url: str, tmp_path: Path) -> None:
    """Nginx begins with a notice that a process was started; the line with the error is the one that helps."""
    serve_with(monkeypatch, store=redis_url, feed="on")
    said = ["[notice] signal process started", '[error] open() "/run/nginx.pid" failed']
    reload = shlex.join(["sh", "-c", f"printf '%s\\n' '{said[0]}' '{said[1]}' >&2; exit 1"])
    found = run("feed", "nginx", "--file", str(tmp_path / "refused.conf"), "--reload", reload, "--once")

    assert found.code == 1
    assert found.err.endswith(f"the reload failed: {said[1]}\n")


def test_without_the_setting_there_is_nothing_to_follow(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> None:
    """The command says which setting is missing, rather than wait for ever."""
    serve_with(monkeypatch, store=redis_url)
    said = run("feed", "json", "--once")

    assert (said.code, NOT_PUBLISHED in said.err) == (2, True)


async def test_off_by_default(redis_server: RedisServer, redis_url: str) -> None:
    """Without the setting no address reaches the store."""
    guard = guarded(Shop(), store=redis_url, limit_ip="1/10minute", store_deadline_ms="5000")
    statuses = [(await log_in(guard, client=ATTACKER, password="guess")).status for _ in range(3)]
    await asyncio.sleep(0)
    await stop(guard)

    assert statuses == [401, 429, 429]
    assert guard._loops.process.feed is None  # type: ignore[union-attr]
    assert redis_server.cli("KEYS", "*feed*") == []


@pytest.mark.parametrize(
    ("settings", "problem"),
    [({"store": "memory://"}, "wants a Redis"), ({"store": "redis://h/0", "history": "off"}, "SEKISHO_HISTORY=on")],
)
def test_a_feed_that_cannot_be_kept_stops_the_start(settings: dict[str, Any], problem: str) -> None:
    """A feed without a store, or without the history that knows shared addresses, is a mistake."""
    with pytest.raises(Exception, match=f"SEKISHO_FEED: .*{problem}"):
        load({}, {"secret": SECRET, "feed": "on", **settings})
