"""`sekisho export` prints everything that is stored about an account, and `sekisho forget` removes it."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sekisho.cli.personal.parts import STAYS, STORED
from sekisho.crypto.vault_keys import VaultKeys
from sekisho.record import replay
from sekisho.stepup.attempt_limits import DOOR, AttemptLimits, CodeTrial, Guess
from sekisho.stepup.factors.letter_budget import LetterBudget
from sekisho.stepup.owner_counts import counts_of
from sekisho.store.vault import MemoryVault
from sekisho.testing import SECRET
from tests.asgi.driving import HERE, Shop, guarded, log_in
from tests.cli.operating import command, run, serve_with, stop
from tests.owners.worlds import QUERY
from tests.stepup.flow.test_activity import LOGIN, proved, site_at, statement
from tests.waiting import until

PAGE = (Path(__file__).parents[2] / "docs/privacy.md").read_text("utf-8")


def test_every_field_of_the_page_is_a_part_of_the_commands() -> None:
    """Each row of docs/privacy.md is exported and removed, or said to stay; and no part is without a row."""
    stored = PAGE.partition("\n## Export")[0]
    rows = [line for line in stored.splitlines() if line.startswith("| ") and not line.startswith("| what")]
    named = {row.rstrip(" |").rpartition("`")[0].rpartition("`")[2] for row in rows}
    named |= set(re.findall(r"\(`([a-z_]+)`\)[.:,]?", stored))
    assert len(rows) == 34
    assert named - {"subject"} == set(STORED) | {one.part for one in STAYS}


async def test_every_count_of_an_owner_is_found() -> None:
    """What the limits of codes and letters write for an owner is under the keys that the commands read."""
    vault = MemoryVault(entries_max=100, bytes_max=100_000, clock_s=lambda: 0.0)
    keys = VaultKeys([SECRET])
    limits = AttemptLimits(vault, keys)
    for scope in (b"", DOOR):
        trial = CodeTrial(b"", "4711", behind_right_secret=True, scope=scope)
        await limits.of_app(trial)
        await limits.early(trial, Guess.APP, exists=True)
    await LetterBudget(vault, keys).times("cap_reached", "4711")
    found = {what: await vault.get(key) for what, key in counts_of(keys, "4711").items()}
    assert {what: value for what, value in found.items() if value} == {
        "codes tried": b"1",
        "app codes tried": b"1",
        "codes tried at doors without a secret": b"1",
        "app codes tried at doors without a secret": b"1",
        "codes compared early": b"2",
        "letters of an hour: cap_reached": b"1",
    }


@pytest.mark.parametrize("line", [["export"], ["forget", "hana", "--because", "\x1b"], ["forget", "a\nb"]])
def test_a_wrong_line_repeats_nothing(line: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2, and no part of what was typed."""
    serve_with(monkeypatch, control_socket="/nowhere")
    said = run(*line)
    assert said.code in {1, 2}
    assert "hana" not in said.out + said.err


def assert_whole(stored: dict[str, Any]) -> None:
    """Each part is there, with what two log-ins of one owner leave in it."""
    assert list(stored) == list(STORED)
    assert stored["counters"][0]["of"] == "passwords"
    assert stored["devices"][0]["state"] == "known"
    assert stored["history"]["successes"] == 2
    assert stored["history"]["networks"][0]["browser_families"] == [3]
    assert [one["label"] for one in stored["factors"]] == ["phone"]
    assert {(one["outcome"], one["network"]) for one in stored["log_ins"]} == {
        ("proved", "198.51.100.0/24"),
        ("known", "198.51.100.0/24"),
    }


def assert_gone(stored: dict[str, Any]) -> None:
    """Each part is empty but for the names of devices, which stay."""
    nothing: tuple[Any, ...] = ([], None, {}, {"asked": 0, "others": 0, "messages": 0})
    left = {part: found for part, found in stored.items() if found not in nothing}
    assert list(left) == ["devices"]
    assert {one["state"] for one in left["devices"]} == {"known"}


async def test_everything_of_an_owner_is_exported_and_then_gone(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All parts of a real owner are printed; after forgetting all are empty, and another owner's are untouched."""
    path, events = tmp_path / "owners.db", tmp_path / "events"
    settings: dict[str, str] = {
        "store": redis_url, "owners": f"sqlite+aiosqlite:///{path}", "owners_query": QUERY, "factors": "totp",
        "challenges": "none", "login": LOGIN, "history": "on",
    }  # fmt: skip
    serve_with(monkeypatch, **settings)
    more = {"store": redis_url, "workers": 1, "history": "on", "events_file": str(events)}
    async with site_at(path, **more) as site:
        hana, alice = await proved(site), await proved(site, 0, "Alice", "wonder")
        await hana.log_in("hana", "wrong")
        again = site.client(headers=hana.extra)
        again.jar["__Host-sekisho"] = hana.jar["__Host-sekisho"]
        assert (await again.log_in()).status == 303
        await statement(hana, 2)
        theirs = await statement(alice, 1)
        before = json.loads((await command("export", "hana", "--json")).out)
        unasked = await command("forget", "hana")
        forgot = await command("forget", "hana", "--yes", "--json", "--because", "closed")
        after = json.loads((await command("export", "hana", "--json")).out)
        await until(lambda: bool(site.guard.counts["", "command", "forget"]))
        kept = await statement(alice, 1)

    assert before["not_read"] == []
    assert_whole(before["stored"])
    assert "hana" not in json.dumps(before)
    assert (unasked.code, unasked.out) == (2, "")
    done = json.loads(forgot.out)
    assert (done["removed"]["factors"], done["removed"]["history"]) == (1, 1)
    assert {one["part"] for one in done["stays"]} >= {"audit", "spent_tokens"}
    assert_gone(after["stored"])
    assert kept["log_ins"] == theirs["log_ins"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("select distinct account_id from sekisho_enrolments").fetchall() == [("Alice",)]
    with events.open("rb") as file:
        (told,) = [event for event in replay(file) if event.kind == "commanded"]
    assert (told.command, told.text, told.subject.account) == ("forget", "closed", before["account"])


async def test_an_account_in_memory_is_forgotten_through_the_socket(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The one process forgets counters and history; parts that it cannot show are said."""
    serve_with(monkeypatch, control_socket=str(tmp_path / "control"), challenges="none")
    guard = guarded(Shop(), history="on")
    await log_in(guard, client=HERE)
    await log_in(guard, password="wrong", client=HERE)
    await until((tmp_path / "control").exists)

    before: Any = json.loads((await command("export", "hana", "--json")).out)
    forgot = await command("forget", "hana", "--yes")
    after: Any = json.loads((await command("export", "hana", "--json")).out)
    await stop(guard)

    assert before["stored"]["counters"][0]["failures"] == 1
    assert before["stored"]["history"]["successes"] == 1
    assert "guesses" in before["not_read"]
    assert "not looked at: guesses at codes today" in forgot.out
    assert (after["stored"]["counters"], after["stored"]["history"]) == ([], None)
