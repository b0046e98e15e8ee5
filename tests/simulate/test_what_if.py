"""`sekisho simulate --replay`: recorded attempts under other limits, by the guard's own ledger and judge."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections import Counter
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from sekisho.cli import FAILED, MISUSED
from sekisho.cli.guards import guard
from sekisho.simulate.laboratory import packaged, read_scenario, simulate
from sekisho.simulate.laboratory.policy import policies
from sekisho.simulate.what_if.judging import JUDGED
from sekisho.testing import SECRET
from sekisho.wiring import on_clocks
from tests.asgi.driving import OPEN, RULED, Clock, Shop, log_in
from tests.cli.operating import run, serve_with, stop

SET = {"limit_account": "5/hour", "challenges": "none", "login": RULED, "canary": "off", **OPEN}
OWNERS = {f"owner{n}": "right" for n in range(4)}


async def recorded(path: Path, attempts: list[tuple[str, str, str]], **settings: Any) -> None:
    """Play attempts (account, secret, client), ten seconds apart, before a guard whose audit can be replayed."""
    clock = Clock()
    given = {"store": "memory://", "secret": SECRET, "audit": f"file:{path}", "audit_replay": "on", **SET, **settings}
    app = on_clocks(clock.clocks())(Shop(OWNERS), **given)
    for account, secret, client in attempts:
        await log_in(app, account, secret, client=client)
        clock.advance(10)
    await stop(app)


def replayed(monkeypatch: pytest.MonkeyPatch, *line: str, **settings: str) -> dict[str, Any]:
    """The result of a replay under these settings, for its only policy."""
    serve_with(monkeypatch, store="memory://", **{**SET, **settings})
    said = run("simulate", "--json", *line)
    assert said.code == 0, said.err
    (found,) = json.loads(said.out)
    assert isinstance(found, dict)
    return found


GUESSES = [("owner0", f"guess {n}", f"203.0.113.{n}") for n in range(8)]


def test_every_reason_of_the_judge_is_found_again() -> None:
    """A reason that the judge learns later must not be taken from the line: it would not change with the limits."""
    source = (files("sekisho") / "judge/policy.py").read_text()
    judged = set(re.findall(r'Finding\(.*?"([a-z_]+)"', source)) - {"deny_list"}
    assert judged >= {"ip_rate", "secret_accounts", "counters_lost"}
    assert judged <= JUDGED


async def test_unchanged_limits_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every attempt is decided as it was, for the same reasons: owners', repeated ones, known devices', refusals."""
    path = tmp_path / "audit.jsonl"
    owners = [(f"owner{n % 4}", "right" if n % 3 else "wrong", f"198.51.100.{n % 5}") for n in range(40)]
    await recorded(path, [*GUESSES, *owners, *[("owner1", "the same", "192.0.2.1")] * 6])

    found = replayed(monkeypatch, "--replay", str(path))
    assert (found["attempts"], found["stricter"], found["milder"]) == (54, 0, 0)
    assert all(row["recorded"] == row["now"] for row in found["rows"])
    assert Counter(row["action"] for row in found["rows"]).keys() == {"allow", "throttle"}


async def test_a_lower_limit_refuses_exactly_the_attempts_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of eight guesses at an account five passed. With three an hour, the fourth and the fifth would not have."""
    path = tmp_path / "audit.jsonl"
    await recorded(path, [*GUESSES, ("owner1", "right", "198.51.100.1")])

    found = replayed(monkeypatch, "--replay", str(path), limit_account="3/hour")
    assert (found["stricter"], found["milder"], found["refused"]) == (2, 0, 2)
    assert found["outcomes_of_stricter"] == {"failed": 2}
    assert (len(found["accounts_refused"]), len(found["addresses_refused"])) == (1, 2)
    changed = {
        (row["action"], row["reason"]): (row["recorded"], row["now"], row["come"], row["gone"]) for row in found["rows"]
    }
    assert changed == {
        ("allow", ""): (6, 4, 0, 2), ("throttle", "account_rate"): (2, 4, 2, 0),
        ("throttle", "account_ips, account_rate"): (1, 1, 0, 0),
    }  # fmt: skip


async def test_a_higher_limit_admits_what_was_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two policies of a file, beside each other: one as before, one with room for all guesses."""
    path, file = tmp_path / "audit.jsonl", tmp_path / "mine.toml"
    await recorded(path, GUESSES)
    file.write_text('[same]\nabout = ""\n\n[wide]\nabout = ""\nlimit_account = "9/hour"\n')
    serve_with(monkeypatch, store="memory://", **SET)

    line = ("simulate", "--replay", str(path), "--policies", str(file), "--policy", "same", "--policy", "wide")
    same, wide = json.loads(run(*line, "--json").out)
    assert (same["policy"], same["stricter"], same["milder"]) == ("same", 0, 0)
    assert (wide["policy"], wide["stricter"], wide["milder"], wide["admitted"]) == ("wide", 0, 3, 3)
    assert "wide: 8 attempts judged again, 3 differently" in run(*line).out


async def test_the_policies_of_the_page_judge_a_service_that_has_no_factors_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's file needs no other setting: its readers ask what factors would change before they have any."""
    page = Path(__file__).parents[2].joinpath("docs", "what-if.md").read_text("utf-8")
    path, file = tmp_path / "audit.jsonl", tmp_path / "mine.toml"
    await recorded(path, GUESSES)
    file.write_text(re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[0])
    serve_with(monkeypatch, store="memory://", **SET)

    said = run("simulate", "--replay", str(path), "--policies", str(file), "--policy", "half", "--policy", "asks")
    assert (said.code, [line.partition(":")[0] for line in said.out.splitlines() if "judged again" in line]) == (
        0,
        ["half", "asks"],
    )


def played(path: Path, name: str, *, scale: float, seed: int) -> dict[str, Any]:
    """The replay of a scenario of the laboratory under the policy `familiar`, by which it was played."""
    familiar = policies()["familiar"]
    audited = familiar._replace(settings={**familiar.settings, "audit": f"file:{path}", "audit_replay": "on"})
    simulate(read_scenario(name, packaged()[name]).scaled(scale), partial(guard, audited), seed=seed, has_factors=True)
    (found,) = json.loads(run("simulate", "--json", "--replay", str(path), "--policy", "familiar").out)
    assert isinstance(found, dict)
    return found


def test_a_day_of_the_laboratory_is_judged_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work, second proofs, credit of an address and familiar strangers: 0 different decisions, 0 different reasons."""
    serve_with(monkeypatch, store="memory://", login=RULED)
    found = played(tmp_path / "audit.jsonl", "nat-with-bot", scale=0.01, seed=1)
    assert found["attempts"] > 100
    assert [row for row in found["rows"] if row["recorded"] != row["now"]] == []
    assert (found["stricter"], found["milder"]) == (0, 0)


@pytest.mark.parametrize("seed", [2, 4, 5])
def test_a_crowded_address_is_judged_as_it_was(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a bot spends an address's credit, each success counts that gave some: one proof of a device that was seen
    before, counted once too often, and an owner would be asked who was refused.
    """
    serve_with(monkeypatch, store="memory://", login=RULED)
    found = played(tmp_path / "audit.jsonl", "nat-with-solving-bot", scale=0.06, seed=seed)
    assert sum(row["recorded"] for row in found["rows"] if "crowded_address" in row["reason"]) > 10
    assert [row for row in found["rows"] if row["recorded"] != row["now"]] == []
    assert (found["stricter"], found["milder"]) == (0, 0)


async def test_renamed_files_are_read_before_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`FILE.2.gz`, `FILE.1`, `FILE`: the counts of the first weigh on the decisions of the last. Or from a pipe."""
    path = tmp_path / "audit.jsonl"
    await recorded(path, GUESSES)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    (tmp_path / "audit.jsonl.2.gz").write_bytes(gzip.compress(b"".join(lines[:4])))
    (tmp_path / "audit.jsonl.1").write_bytes(b"".join(lines[4:7]))
    path.write_bytes(b"".join(lines[7:]))

    of_files = replayed(monkeypatch, "--replay", str(path))
    assert (of_files["attempts"], of_files["stricter"], of_files["milder"]) == (8, 0, 0)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(whole)))
    assert replayed(monkeypatch, "--replay", "-") == of_files


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "line 2 is no JSON object"),
        (b'{"class_uid":3002,"time":1}', "line 2 is not of version 1 of this form"),
        (
            b'{"v":1,"time":"2026-11-29T07:30:09.000000Z","kind":"settled","counted":"1.zz"}',
            "line 2 has a field counted that is damaged",
        ),
    ],
)
async def test_a_damaged_line_is_named(
    line: bytes, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that is damaged, or of another program, ends the replay: the file and the number of the line are named."""
    path = tmp_path / "audit.jsonl"
    await recorded(path, GUESSES[:2])
    first, *rest = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([first, line, *rest, b""]))
    serve_with(monkeypatch, store="memory://")

    said = run("simulate", "--replay", str(path))
    assert said.code == FAILED
    assert f"audit.jsonl: {problem}" in said.err


async def test_what_a_flood_was_summed_to_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of an address's refusals names an account; later ones are refused unread, and summed."""
    path = tmp_path / "audit.jsonl"
    await recorded(path, [("owner0", f"guess {n}", "203.0.113.9") for n in range(12)], limit_ip="5/day")

    found = replayed(monkeypatch, "--replay", str(path), limit_ip="5/day")
    unread = found["untold"] + sum(each["attempts"] for each in found["summed"])
    assert found["attempts"] + unread == 12
    assert unread >= 5
    assert (found["stricter"], found["milder"]) == (0, 0)


async def test_an_audit_without_counters_cannot_be_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the setting that was off."""
    path = tmp_path / "audit.jsonl"
    await recorded(path, GUESSES, audit_replay="off")
    serve_with(monkeypatch, store="memory://", **SET)

    said = run("simulate", "--replay", str(path))
    assert said.code == FAILED
    assert "SEKISHO_AUDIT_REPLAY" in said.err
    assert b"counted" not in path.read_bytes()


@pytest.mark.parametrize("line", [("7pay",), ("--policy", "slowapi"), ("--scale", "0.5"), ("--svg", "here")])
def test_what_a_replay_does_not_take(line: tuple[str, ...], tmp_path: Path) -> None:
    """A replay plays no scenario, and other limiters cannot judge what was recorded."""
    path = tmp_path / "audit.jsonl"
    path.touch()
    assert run("simulate", "--replay", str(path), *line).code == MISUSED
