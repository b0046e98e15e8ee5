"""What a service reports changes later judgements: takeovers close an account, false alarms open it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sekisho.control.asked import AskedGroup, with_group
from sekisho.model import SettingsError, StoreUnavailable
from sekisho.record import replay
from sekisho.testing import SECRET, FakeClock
from sekisho.wiring import LoginGuard
from tests.asgi.driving import HERE, OPEN, Shop, ask, guarded, http, known_device, log_in
from tests.cli.operating import command, serve_with, stop
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import RedisServer

WORK: dict[str, Any] = {"challenges": "pow"}


async def status(guard: LoginGuard, account: str = "hana", *, token: str = "", password: str = "right") -> int:
    return (await log_in(guard, account, password, token=token)).status


async def test_an_account_that_was_taken_over_is_asked() -> None:
    """A device that was seen is a stranger there, and its log-in is asked for; another account is not concerned."""
    clock = FakeClock()
    guard = guarded(Shop({"hana": "right", "jun": "right"}), clock=clock, device_days=30, **WORK)
    thief, other = await known_device(guard), await known_device(guard, "jun")
    before = await status(guard, token=thief)
    await guard.report_takeover(" Hana ", why="she called")

    assert before == 303
    assert await status(guard, token=thief) == 401
    assert guard.counts["POST /login", "challenge", "under_proof"] == 1
    assert await status(guard, "jun", token=other) == 303
    clock.advance(days=31)
    await until(lambda: not guard._loops.control.applied.asked)  # type: ignore[union-attr]
    assert await status(guard) == 303
    await stop(guard)


async def test_a_similarly_named_account_keeps_its_devices() -> None:
    """Strangers at `hána` count where `hana` does, and its devices are not those that were reported."""
    guard = guarded(Shop({"hana": "right", "hána": "right"}), **WORK)
    own, similar = await known_device(guard), await known_device(guard, "hána")
    await guard.report_takeover("hána")

    assert await status(guard, token=own) == 303
    assert await status(guard, "hána", token=similar) == 401
    assert guard.counts["POST /login", "challenge", "device_token_reused"] == 0


async def test_the_history_of_the_account_is_forgotten() -> None:
    """A thief's network is not familiar any more."""
    guard = guarded(Shop(), **OPEN)
    for _ in range(3):
        await log_in(guard)
    assert guard._loops is not None
    buckets = [bucket for record in guard._loops.process.own.book.values() for bucket in record.buckets]
    await guard.report_takeover("hana")
    left = [bucket for record in guard._loops.process.own.book.values() for bucket in record.buckets]

    assert any(bucket.device[0] == 0xFE for bucket in buckets)
    assert [bucket for bucket in left if bucket.device[0] in {0xFD, 0xFE}] == []


async def test_a_false_alarm_opens_the_account_and_the_address() -> None:
    """Counters of both begin anew, the account is asked no more, and other addresses stay refused."""
    guard = guarded(Shop(), limit_account="2/hour", limit_ip="3/hour", limit_device="9/hour", **WORK)
    await guard.report_takeover("hana")
    guesses = [await status(guard, password=f"guess {n}") for n in range(5)]
    await guard.report_false_alarm("hana")
    still = await status(guard)
    await guard.report_false_alarm("hana", address=HERE)

    assert guesses[-1] == 429
    assert still == 429
    assert await status(guard) == 303


async def test_reports_reach_all_workers_and_the_events(redis_url: str, tmp_path: Path) -> None:
    """Within a second another worker asks; the events name the account by a digest, and say who and why."""
    path = tmp_path / "events"
    settings = {"store": redis_url, "store_deadline_ms": "5000", "events_file": str(path), **WORK}
    first, second = (guarded(Shop(), **settings) for _ in range(2))
    token = await known_device(second)
    await status(first, "nobody", password="guess")
    await first.report_takeover("hana", why="order 4711", keep_devices=True)
    await until(lambda: bool(second._loops.control.applied.asked))  # type: ignore[union-attr]
    asked = await status(second, token=token)
    await first.report_false_alarm("hana", address=HERE, why="it was her")
    await until(lambda: not second._loops.control.applied.asked)  # type: ignore[union-attr]
    opened = await status(second, token=token)
    await stop(first, second)

    assert (asked, opened) == (401, 303)
    with path.open("rb") as file:
        events = {(one.command, one.by, one.text) for one in replay(file) if one.kind == "commanded"}
    assert events == {
        ("takeover", "the service", "order 4711"), ("false_alarm", "the service", "it was her"),
    }  # fmt: skip
    assert "hana" not in path.read_text()


async def test_the_command_does_the_same(
    monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer, redis_url: str
) -> None:
    """An operator reports it, and takes it back; the store names the account by a digest."""
    serve_with(monkeypatch, store=redis_url)
    done = await command("takeover", "hana", "--because", "she called")
    record = redis_server.cli("GET", "sekisho:{control}")
    looked = await command("look", "account", "hana")
    undone = await command("takeover", "hana", "--undo", "--json")

    assert done.out == "asked for a proof from now on; every worker follows within a second\n"
    assert '"reported-20' in record
    assert "on devices without a proof too: it was reported as taken over" in looked.out
    assert "hana" not in record
    assert undone.out == '{"done": "undone"}\n'
    assert '"reported-20' not in redis_server.cli("GET", "sekisho:{control}")


@pytest.mark.parametrize(
    ("account", "more", "problem"),
    [
        ("\x00", {}, "no account can have this name"),
        ("hana", {"why": "hunter2\n"}, "the reason has control characters, or is longer than 200 bytes"),
        ("hana", {"address": "hunter2"}, "this is no address"),
    ],
)
async def test_wrong_reports_are_errors(account: str, more: dict[str, Any], problem: str) -> None:
    """Nothing of them is repeated, and nothing is done."""
    guard = guarded(Shop())
    report = guard.report_false_alarm if "address" in more else guard.report_takeover
    with pytest.raises(ValueError, match=f"^{problem}$"):
        await report(account, **more)


async def test_a_guard_that_did_not_start_takes_no_reports() -> None:
    """It says why it did not start."""
    guard = LoginGuard(Shop(), secret=SECRET, store="memory://", plugins="sinks:none")
    with pytest.raises(SettingsError, match="SEKISHO_PLUGINS"):
        await guard.report_takeover("hana")


def test_groups_keep_their_accounts_until_they_end() -> None:
    """A report adds to the group of its month, and leaves out groups that have ended."""
    groups = (AskedGroup("reported-2026-01", 100, (b"a" * 8,)), AskedGroup("c-1", 50, (b"b" * 8,)))
    found = with_group(AskedGroup("reported-2026-01", 200, (b"c" * 8, b"a" * 8)), groups, 60.0)

    assert found == (AskedGroup("reported-2026-01", 200, (b"a" * 8, b"c" * 8)),)


async def test_a_store_that_refuses_is_no_error_of_another_library(redis_server: RedisServer, redis_url: str) -> None:
    """A service catches `StoreUnavailable`; the gauges of its metrics stay readable, too."""
    redis_server.cli("ACL", "SETUSER", "few", "on", ">pw", "~*", "&*", "+@all", "-eval")
    token = "a-token-of-forty-characters-for-the-test"
    guard = guarded(Shop(), store=redis_url.replace("//", "//few:pw@"), metrics_token=token, **OPEN)
    await log_in(guard)
    with pytest.raises(StoreUnavailable, match="NOPERM"):
        await guard.report_takeover("hana")
    with pytest.raises(StoreUnavailable, match="NOPERM"):
        await guard.report_false_alarm("hana", address="203.0.113.7")
    headers = [(b"authorization", b"Bearer " + token.encode())]
    page = await ask(guard, http("/sekisho/metrics", method="GET", headers=headers))
    await stop(guard)
    redis_server.cli("ACL", "DELUSER", "few")

    assert page.status == 200
    assert b"sekisho_strangers" in page.body
