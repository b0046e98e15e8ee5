"""`sekisho deny` and `sekisho allow` change every worker, for a time."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from sekisho.control import Act, ListEntry
from sekisho.control.record import ControlRecord, decode
from sekisho.record import replay
from tests.asgi.driving import HERE, OPEN, Shop, guarded, log_in
from tests.cli.operating import command, run, serve_with, stop
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import RedisServer


async def test_a_denied_address_is_refused_until_it_is_removed(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The address is refused by both workers; the event names operator, reason and network, but not the address."""
    serve_with(monkeypatch, store=redis_url)
    path = tmp_path / "events"
    guards = [guarded(Shop(), store=None, workers=2, events_file=str(path), **OPEN) for _ in range(2)]
    for guard in guards:
        await log_in(guard)

    added = await command("deny", HERE, "--for", "1h", "--because", "scraping")
    await until(lambda: all(guard._loops.control.applied.deny for guard in guards))  # type: ignore[union-attr]
    refused = [(await log_in(guard, client=HERE)).status for guard in guards]
    listed = await command("deny", "--json")
    removed = await command("deny", HERE, "--remove")
    await until(lambda: not any(guard._loops.control.applied.deny for guard in guards))  # type: ignore[union-attr]
    admitted = [(await log_in(guard, client=HERE)).status for guard in guards]
    await stop(*guards)

    assert (refused, admitted) == ([403, 403], [303, 303])
    assert added.out.startswith("203.0.113.9/32 is refused until ")
    assert removed.out.startswith("203.0.113.9/32 is no longer on the list")
    (entry,) = json.loads(listed.out)["listed"]
    assert (entry["network"], entry["why"]) == ("203.0.113.9/32", "scraping")
    assert 3_500 < entry["until"] - time.time() <= 3_600
    with path.open("rb") as file:
        events = [event for event in replay(file) if event.kind == "commanded"]
    assert sorted((event.command, event.text, event.subject.network) for event in events) == [
        ("deny", "scraping", "203.0.113.0/24"), ("deny", "scraping", "203.0.113.0/24"),
        ("remove_deny", "", "203.0.113.0/24"), ("remove_deny", "", "203.0.113.0/24"),
    ]  # fmt: skip
    assert {len(event.subject.address) for event in events} == {32}
    assert "203.0.113.9" not in path.read_text()


@pytest.mark.parametrize("word", ["deny", "allow"])
async def test_an_entry_with_a_trusted_proxy_says_what_it_does_not_do(
    word: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator who takes the proxy's address for an attacker's is told; of other networks nothing is said."""
    serve_with(monkeypatch, store=redis_url, trusted_proxies="203.0.113.0/28,2001:db8::1")

    said = [await command(word, network) for network in ("203.0.113.9", "203.0.112.0/23", "203.0.113.99")]
    removed = await command(word, "203.0.113.9", "--remove")

    assert ["clients behind a proxy are judged by" in each.out for each in said] == [True, True, False]
    assert "proxy" not in removed.out
    assert {each.code for each in (*said, removed)} == {0}


async def test_an_allowed_network_has_no_address_limits_and_still_needs_a_proof(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An allow lifts the address's limit, and no limit of the account; through the socket, with memory."""
    serve_with(monkeypatch, control_socket=str(tmp_path / "control"))
    guard = guarded(Shop(), limit_ip="1/hour", limit_account="2/hour")
    await log_in(guard, "first", "guess")
    await until((tmp_path / "control").exists)

    said = await command("allow", "203.0.113.0/24", "--because", "an exam")
    statuses = [(await log_in(guard, f"owner {n}", "guess")).status for n in range(3)]
    statuses += [(await log_in(guard, "hana", f"guess {n}")).status for n in range(3)]
    shown = await command("allow")
    await stop(guard)

    assert "203.0.113.0/24 has no address limits until " in said.out
    assert statuses == [401, 401, 401, 401, 401, 429]
    assert shown.out.startswith("203.0.113.0/24  until ")
    assert shown.out.endswith(": an exam\n")


def test_an_allow_always_ends(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> None:
    """Without --for an allow ends in an hour, and no option makes it longer than 30 days."""
    serve_with(monkeypatch, store=redis_url)
    assert run("allow", "203.0.113.0/24").code == 0
    (entry,) = json.loads(run("allow", "--json").out)["listed"]

    assert entry["until"] - time.time() <= 3_600
    assert run("allow", "203.0.113.0/24", "--for", "31d").code == 2


def test_ended_entries_make_room(monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer, redis_url: str) -> None:
    """Entries whose time has ended are neither shown nor kept."""
    serve_with(monkeypatch, store=redis_url, deny="192.0.2.0/24")
    run("deny", "198.51.100.1", "--for", "1s")
    later_s = time.time() + 5
    monkeypatch.setattr(time, "time", lambda: later_s)
    run("deny", "198.51.100.2")

    said = run("deny").out.splitlines()
    payload = redis_server.cli("GET", "sekisho:{control}").partition(" ")[2]

    assert said[0] == "192.0.2.0/24  always, by SEKISHO_DENY"
    assert [line.split()[0] for line in said[1:]] == ["198.51.100.2/32"]
    assert len(json.loads(payload)["deny"]) == 1


def test_a_full_list_is_said(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> None:
    """The thousand-and-first network is refused, and none is dropped for it."""
    serve_with(monkeypatch, store=redis_url)
    monkeypatch.setattr("sekisho.cli.lists.ENTRIES_MAX", 1)
    assert run("deny", "198.51.100.1").code == 0

    said = run("deny", "198.51.100.2")
    assert (said.code, said.err) == (1, "sekisho deny: the list is full: 1 entries\n")


def test_a_network_that_is_not_listed_cannot_be_removed(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> None:
    """A misspelt network is no success."""
    serve_with(monkeypatch, store=redis_url)
    said = run("deny", "198.51.100.1", "--remove")

    assert (said.code, said.err) == (1, "sekisho deny: the network is not on the list as it is written here\n")


@pytest.mark.parametrize(
    "line",
    [
        ["deny", "hunter2"],
        ["deny", "203.0.113.7/24"],
        ["deny", "203.0.113.7,203.0.113.8"],
        ["deny", "0.0.0.0/0"],
        ["allow", "0.0.0.0/1"],
        ["deny", "203.0.113.7", "--for", "hunter2"],
        ["deny", "203.0.113.7", "--for", "0h"],
        ["deny", "203.0.113.7", "--for", "1h", "--remove"],
        ["deny", "--remove"],
        ["deny", "--for", "1h"],
    ],
)
def test_a_wrong_line_is_refused(line: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong line has exit code 2 before anything is asked, and is not repeated."""
    serve_with(monkeypatch, store="redis://127.0.0.1:1/0")
    said = run(*line)

    assert said.code == 2
    assert "hunter2" not in said.err


# The acts in the record.


def test_acts_are_bounded() -> None:
    """The newest acts are kept; the oldest go where the lists need the room."""
    acts = tuple(Act(number, 5, "deny", why="x" * 200, by="y" * 200) for number in range(1, 40))
    full = tuple(
        ListEntry(f"2001:db8:ffff:ffff:ffff:ffff:ffff:{n:x}/128", 4_000_000_000) for n in range(0xF000, 0xF3E8)
    )

    few = decode(ControlRecord(7, acts=acts).encode()).acts
    later = {"later": "x" * 10_000}
    crowded = decode(ControlRecord(7, allow=full, deny=full, acts=acts, others=later).encode()).acts

    assert [act.number for act in few] == list(range(24, 40))
    assert 1 <= len(crowded) < 16
    assert crowded == acts[-len(crowded) :]
