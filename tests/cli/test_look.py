"""`sekisho look` says in words why, and `sekisho unblock` lets an owner in on every worker."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.read import Digests
from sekisho.record import replay
from sekisho.testing import SECRET
from tests.asgi.driving import HERE, RULED, Shop, address, guarded, known_device, log_in
from tests.cli.operating import command, run, serve_with, stop
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.wiring import LoginGuard
    from tests.servers import RedisServer

LIMITS = {"limit_ip": "3/10minute", "limit_network": "50/hour", "limit_device": "50/hour", "limit_account": "50/hour"}


async def fail(guard: LoginGuard, count: int, account: str = "somebody {}") -> list[int]:
    return [(await log_in(guard, account.format(n), f"guess {n}", client=HERE)).status for n in range(count)]


async def test_an_address_that_has_only_failed_is_named(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers there have to do work although no limit is used up. An unblocking ends it."""
    serve_with(monkeypatch, store=redis_url, **{**LIMITS, "limit_ip": "50/hour"})
    guard = guarded(Shop(), store=None, limit_ip="50/hour")
    await fail(guard, 6)

    text = (await command("look", "address", HERE)).out
    assert "attempts from this address have led to no success lately" in text
    assert "without attempts. Known devices are not." in text
    assert (await command("unblock", "address", HERE)).code == 0
    assert "led to no success" not in (await command("look", "address", HERE)).out
    await stop(guard)


async def test_a_known_device_has_no_figures_of_its_account(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What strangers tried at the account stands at the account alone: the owner's device tried one thing."""
    serve_with(monkeypatch, store=redis_url, **LIMITS)
    guard = guarded(Shop(), store=None, workers=1, login=RULED, **LIMITS)
    token = await known_device(guard)
    await log_in(guard, password="a typo", token=token)
    for number in range(4):
        await log_in(guard, password=f"guess {number}", client=address(number))

    account, device = json.loads((await command("look", "account", "hana", "--json")).out)["counters"]
    await stop(guard)

    assert device["of"].startswith("from its known device ")
    assert [limit["used"] for limit in device["limits"]] == [1]
    assert (device["seen"], device["failures"]) == (0, 0)
    assert account["failures"] == 4
    assert account["seen"] >= 4


async def test_the_address_of_a_trusted_proxy_is_named_as_one(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator who takes the proxy's address for a client's learns where those stand; a client is not named so."""
    header = {"trusted_proxies": "203.0.113.0/28", "client_ip_header": "cf-connecting-ip"}
    serve_with(monkeypatch, store=redis_url, **header)

    proxy, client = [await command("look", "address", address) for address in ("203.0.113.9", "203.0.113.99")]
    told = [json.loads((await command("look", each, "203.0.113.9", "--json")).out) for each in ("address", "device")]

    assert proxy.out.splitlines()[0] == (
        "This is a trusted proxy (SEKISHO_TRUSTED_PROXIES). Clients behind it are counted at the addresses that it "
        "writes into cf-connecting-ip (SEKISHO_CLIENT_IP_HEADER); look at those. What follows is of requests that name "
        "no client."
    )
    assert "proxy" not in client.out
    assert all(each["proxy"].startswith("This is a trusted proxy") for each in told)


@pytest.mark.parametrize("kind", ["redis_url", "redis_cluster_url"])
async def test_an_address_is_unblocked_on_every_worker(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Both workers remember the refusal, and both let the owner in; each writes the event."""
    serve_with(monkeypatch, store=request.getfixturevalue(kind), **LIMITS)
    paths = [tmp_path / "first", tmp_path / "second"]
    guards = [guarded(Shop(), store=None, workers=2, events_file=str(path)) for path in paths]
    refused = [await fail(guard, 5) for guard in guards]

    looked = await command("look", "address", HERE)
    cleared = await command("unblock", "address", HERE, "--because", "called us")
    await until(lambda: all(guard.counts["", "command", "unblock"] for guard in guards))
    admitted = [(await log_in(guard, client=HERE)).status for guard in guards]
    await stop(*guards)

    assert refused == [[401, 401, 401, 429, 429], [429] * 5]
    first = looked.out.splitlines()[0]
    assert first.startswith("Refused: 3 of 3 failed attempts from this address in the last 10 minutes; the next")
    assert first.endswith(("allowed in 4 min.", "allowed in 3 min."))
    assert "from its network 203.0.113.0/24: 3 of 50 in an hour" in looked.out
    assert cleared.out.splitlines()[1:] == ["now: not refused", "every worker follows within a second"]
    assert admitted == [303, 303]
    for path in paths:
        with path.open("rb") as file:
            (event,) = [event for event in replay(file) if event.kind == "commanded"]
        assert (event.command, event.text) == ("unblock", "called us")
        assert "(uid " in event.by
        with path.open("rb") as file:
            assert event.subject.address in {each.subject.address for each in replay(file) if each.kind == "decided"}


async def test_an_account_in_memory_is_unblocked_through_the_socket(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The one process says what it counts, and clears it at once; its step-ups and devices are its own."""
    serve_with(monkeypatch, control_socket=str(tmp_path / "control"), limit_account="2/hour", challenges="none")
    guard = guarded(Shop())
    await fail(guard, 3, "hana")
    await until((tmp_path / "control").exists)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"HANA\n")))

    looked = await command("look", "account", "-", "--json")
    refused = (await log_in(guard)).status
    cleared = await command("unblock", "account", "hana", "--json")
    admitted = (await log_in(guard)).status
    await stop(guard)

    found = json.loads(looked.out)
    assert found["refused"]
    assert found["why"][0]["text"].startswith(
        "Strangers are refused: 2 of 2 failed attempts at this account in the last hour;"
    )
    assert found["why"][0]["text"].endswith("Known devices are not affected.")
    assert 1_700 < found["wait_s"] <= 1_800
    assert found["counters"][0]["failures"] == 2
    assert json.loads(cleared.out)["now"] == []
    assert (refused, admitted) == (429, 303)


async def test_a_device_is_unblocked_with_its_address(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A set of headers over its limit is named and cleared; so is its address, which refuses as well."""
    serve_with(monkeypatch, store=redis_url, **{**LIMITS, "limit_device": "3/10minute"})
    guard = guarded(Shop(), store=None, workers=1)
    await fail(guard, 4)

    looked = await command("look", "device", HERE, "--json")
    other = await command("look", "device", HERE, "--header", "User-Agent: another", "--json")
    cleared = await command("unblock", "device", HERE, "--json")
    await until(lambda: bool(guard.counts["", "command", "unblock"]))
    admitted = (await log_in(guard)).status
    await stop(guard)

    why = [reason["text"] for reason in json.loads(looked.out)["why"]]
    assert [line.partition(" in the last")[0] for line in why] == [
        "Refused: 3 of 3 failed attempts from this device",
        "Refused: 3 of 3 failed attempts from this address",
    ]
    assert len(json.loads(other.out)["why"]) == 1
    assert json.loads(cleared.out)["now"] == []
    assert admitted == 303


@pytest.mark.parametrize("kind", ["address", "device"])
async def test_limits_of_the_day_begin_anew_on_every_worker(
    kind: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sign-ups of a network or a device that is over its limit of the day pass again, on another worker as well."""
    limit = {"address": "signups_network_max", "device": "signups_device_max"}[kind]
    serve_with(monkeypatch, store=redis_url, signup="POST /signup form:username,password success=303:/home")
    guards = [guarded(Shop(), store=None, workers=2, **{limit: 2}) for _ in range(2)]

    async def sign_up(guard: LoginGuard, number: int) -> int:
        return (await log_in(guard, f"{number}", "never leaked 1!", client=HERE, path="/signup")).status

    before = [await sign_up(guards[number % 2], number) for number in range(4)]
    cleared = await command("unblock", kind, HERE, "--because", "called us")
    await until(lambda: all(guard.counts["", "command", "unblock"] for guard in guards))
    # The workers forget beside the event.
    first = [429]
    while first[-1] == 429 and len(first) < 500:
        await asyncio.sleep(0.01)
        first.append(await sign_up(guards[0], 10))
    second = await sign_up(guards[1], 11)
    await stop(*guards)

    assert 429 not in before[:2]
    assert before[2:] == [429, 429]
    assert cleared.code == 0
    assert 429 not in {first[-1], second}


async def test_requests_for_a_reset_are_a_counter_of_their_own(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another counter of the account is named with its doors, and cleared with the account."""
    doors = {"login": "POST /login success=303:/home", "reset": "POST /reset form:username"}
    serve_with(monkeypatch, store=redis_url, limit_account="2/hour", challenges="none", **doors)
    guard = guarded(Shop(), store=None, workers=1, login=None)
    for _ in range(3):
        await log_in(guard, "hana", "", path="/reset")

    looked = await command("look", "account", "hana", "--json")
    cleared = await command("unblock", "account", "hana", "--json")
    await stop(guard)

    assert "at this account, without a password, at RESET doors" in json.loads(looked.out)["why"][0]["text"]
    assert json.loads(cleared.out)["now"] == []


def test_workers_of_earlier_versions_are_told_by_their_key(
    redis_server: RedisServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They read the digests of the account's counters for a minute, by the store's clock."""
    serve_with(monkeypatch, store=redis_url)
    assert run("unblock", "account", "hana").code == 0
    digest = Digests([SECRET]).account("hana")

    told = redis_server.cli("ZRANGE", "sekisho:{exchange}unblocked", 0, -1, "WITHSCORES", text=False)
    seconds, _ = redis_server.cli("TIME")
    life_ms = redis_server.cli("PTTL", "sekisho:{exchange}unblocked")

    assert [name for name, _ in told] == [digest]
    assert abs(int(seconds) - told[0][1] / 1e6) < 60
    assert 0 < life_ms <= 60_000


def shown(*line: str) -> dict[str, Any]:
    said = run("look", *line, "--json")
    assert said.code == 0, said.err
    found: dict[str, Any] = json.loads(said.out)
    return found


def reasons(*line: str) -> list[str]:
    return [reason["text"] for reason in shown(*line)["why"]]


def test_the_lists_are_named(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A denied address is refused for that, by whom and why; an allowed one is under no limit; settings count too."""
    serve_with(monkeypatch, store=redis_url, deny="192.0.2.0/24")
    run("deny", "203.0.113.0/24", "--because", "scraping")
    run("allow", "198.51.100.0/24")

    (denied,) = reasons("address", "203.0.113.9")
    assert denied.startswith("Refused: the address is on the deny list (203.0.113.0/24) until ")
    assert denied.endswith(": scraping.")
    assert shown("address", "::ffff:203.0.113.9")["refused"]
    assert reasons("address", "192.0.2.1") == ["Refused: the address is on the deny list (SEKISHO_DENY)."]
    assert reasons("address", "198.51.100.1")[0].startswith("Under no limit: the address is on the allow list.")


def test_where_the_mode_refuses_nobody_it_is_said(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In monitor a denied address is not refused."""
    serve_with(monkeypatch, store=redis_url, deny="192.0.2.0/24", mode="monitor")

    assert run("look", "address", "192.0.2.1").out.startswith(
        "The mode is monitor: nobody is refused. In enforce it would be:\nRefused: the address is on the deny list"
    )
    assert not shown("address", "192.0.2.1")["refused"]
    assert run("look", "address", "198.51.100.1").out.startswith(
        "Not refused: no limit of this address is used up. Its devices are counted apart: `sekisho look device`.\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        ["address", "hunter2"],
        ["account", "hunter2\x00"],
        ["account", "hunter2", "--header", "a: b"],
        ["address", "203.0.113.7", "--id"],
        ["device", "203.0.113.7", "--header", "hunter2"],
        ["device", "203.0.113.7", "--header", "X-Hunter2: hunter2"],
        ["person", "hunter2"],
        ["account"],
    ],
)
@pytest.mark.parametrize("name", ["look", "unblock"])
def test_a_wrong_line_is_refused(name: str, line: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong line has exit code 2 before anything is asked, and is not repeated."""
    serve_with(monkeypatch, store="redis://127.0.0.1:1/0")
    said = run(name, *line)

    assert said.code == 2
    assert "hunter2" not in said.err.lower()


def test_without_an_answer_nothing_is_pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost store is an error of both commands."""
    serve_with(monkeypatch, store="redis://127.0.0.1:1/0")

    assert run("look", "account", "hana").code == 1
    assert run("unblock", "account", "hana").code == 1
