"""`sekisho look` and `sekisho unblock` name every reason for which an owner is kept out, and what ends each."""

from __future__ import annotations

import io
import json
import re
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.cli.operator import settings
from sekisho.cli.reasons import Reason
from sekisho.cli.standing import Standing, lines_of
from sekisho.detect.written import PostureMac, encode_state
from sekisho.judge.posture import PostureState, advance
from sekisho.model import Mode
from sekisho.model.posture import StrangerOutcome, ToldOutcome
from sekisho.read import Addresses
from sekisho.record import replay
from sekisho.testing import SECRET
from sekisho.wiring.digests import digests_of
from tests.asgi.driving import HERE, Shop, guarded, log_in
from tests.cli.operating import command, run, serve_with, stop
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import RedisServer

ASKED = "Strangers are asked for a second proof"
COMMAND = re.compile(r"`sekisho ([^`]+)`")


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    text = "".join(f"{line}\n" for line in lines).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))


def reasons(*line: str) -> list[dict[str, Any]]:
    said = run("look", *line, "--json")
    assert said.code == 0, said.err
    found: list[dict[str, Any]] = json.loads(said.out)["why"]
    return found


def keep_estimate(redis_server: RedisServer, tags: list[bytes]) -> None:
    """Have the store say that strangers' log-ins failed 80 times, in networks of these tags."""
    failures = [
        StrangerOutcome("POST /login", ToldOutcome.FAILED, tag, 4, n.to_bytes(4, "little"))
        for n, tag in enumerate(tags * (80 // len(tags)))
    ]
    state = advance(PostureState(), failures, int(time.time()))
    signed = PostureMac([SECRET], "sekisho").sign(encode_state(state))
    redis_server.cli("HSET", "sekisho:{posture}state", "number", "1", "text", signed.decode())


async def test_an_account_and_the_address_of_its_owner_are_unblocked_together(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Support knows both; the account alone would read `not refused` while its owner's address is."""
    limits = {"limit_ip": "3/10minute", "limit_account": "2/hour", "limit_network": "50/hour"}
    serve_with(monkeypatch, store=redis_url, challenges="none", **limits)
    guard = guarded(Shop(), store=None, workers=1, events_file=str(tmp_path / "events"), **limits)
    for n in range(2):
        await log_in(guard, "hana", f"guess {n}", client=HERE)
    await log_in(guard, "yuki", "guess", client=HERE)

    looked = await command("look", "account", "hana", "--address", HERE)
    cleared = await command("unblock", "account", "hana", "--address", HERE, "--because", "called us")
    await until(lambda: guard.counts["", "command", "unblock"] == 2)
    admitted = (await log_in(guard, "hana", client=HERE)).status
    await stop(guard)

    assert "Strangers are refused: 2 of 2 failed attempts at this account" in looked.out
    assert "ends it: `sekisho unblock account -`" in looked.out
    assert "Refused: 3 of 3 failed attempts from this address" in looked.out
    assert f"ends it: `sekisho unblock address {HERE}`; where many share it `sekisho allow {HERE} " in looked.out
    assert "from its network 203.0.113.0/24: 3 of 50 in an hour" in looked.out
    assert cleared.out.splitlines()[-2:] == ["now: not refused", "every worker follows within a second"]
    assert admitted == 303
    with (tmp_path / "events").open("rb") as file:
        acts = [event for event in replay(file) if event.kind == "commanded"]
    assert [(bool(act.subject.account), bool(act.subject.address)) for act in acts] == [(True, False), (False, True)]


def test_both_are_asked_for(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account and an address as two lines of standard input stay out of the shell's history."""
    serve_with(monkeypatch, store=redis_url, deny="203.0.113.0/24")
    typed(monkeypatch, "hana", HERE)
    (reason,) = reasons("account", "-", "--address", "-")

    assert reason["text"] == "Refused: the address is on the deny list (SEKISHO_DENY)."
    assert reason["ends"] == "take it out of SEKISHO_DENY, and restart the workers"


@pytest.mark.parametrize(
    ("cause", "line", "text"),
    [
        ("deny 203.0.113.7", "account hana --address 203.0.113.7", "Refused: the address is on the deny list"),
        ("deny 203.0.113.0/24", "device 203.0.113.7", "Refused: the address is on the deny list"),
        (
            "posture set attack",
            "account hana",
            ASKED + ": the posture is forced to attack",
        ),
        (
            "posture set elevated",
            "address 203.0.113.7",
            ASKED + ": the posture is forced",
        ),
        ("takeover hana", "account hana", ASKED + " until "),
    ],
)
def test_the_command_that_is_named_ends_it(
    cause: str, line: str, text: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_with(monkeypatch, store=redis_url, step_up="elevated", factors="totp")
    assert run(*cause.split(), "--because", "a drill").code == 0

    (reason,) = reasons(*line.split())
    unblocked = run("unblock", *line.split())
    named = COMMAND.search(reason["ends"])
    assert named is not None
    typed(monkeypatch, "hana")
    ended = run(*named[1].split())

    assert reason["text"].startswith(text)
    assert ": a drill." in reason["text"]
    # An unblocking ends none of these, and says so.
    assert f"now: {reason['text']}" in unblocked.out
    assert f"  ends it: {reason['ends']}" in unblocked.out
    assert ended.code == 0, ended.err
    assert reasons(*line.split()) == []


@pytest.mark.parametrize(
    ("step_up", "forced", "count"),
    [
        ("always", None, 1),
        ("always", "calm", 1),
        ("elevated", "calm", 0),
        ("attack", "elevated", 0),
    ],
)
def test_strangers_are_named_only_where_they_are_asked(
    step_up: str, forced: str | None, count: int, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is no limit of this account, which is said first."""
    serve_with(monkeypatch, store=redis_url, step_up=step_up, factors="totp")
    if forced is not None:
        run("posture", "set", forced)

    assert len(reasons("account", "hana")) == count
    assert run("look", "account", "hana").out.startswith(
        "Not refused: no limit of this account is used up. The address of its owner may be: look at both with --address"
    )
    assert run("look", "account", "hana", "--address", HERE).out.startswith(
        "Not refused: no limit of this account and address is used up.\n"
    )


def test_an_estimated_posture_is_a_reason(
    redis_server: RedisServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_with(monkeypatch, store=redis_url, step_up="elevated", step_up_familiar="attack", factors="totp")
    keep_estimate(redis_server, [n.to_bytes(4, "little") for n in range(80)])

    (reason,) = reasons("account", "hana", "--address", HERE)
    assert reason["text"] == (
        "Strangers are asked for a second proof: the posture of POST /login is attack. Known devices are not."
    )
    assert "`sekisho posture set calm --for 30m`" in reason["ends"]
    assert not reason["refuses"]


def test_the_posture_of_a_network_is_a_reason_there_alone(
    redis_server: RedisServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bot in one network does not raise the posture of the site."""
    serve_with(monkeypatch, store=redis_url, step_up="elevated", factors="totp")
    origin = Addresses(()).origin(HERE, None, b"", False)
    keep_estimate(redis_server, [digests_of(settings()).origin_digests(origin).networks[0][:4]])

    (reason,) = reasons("account", "hana", "--address", HERE)
    assert "the posture of its network at POST /login is attack." in reason["text"]
    assert reasons("account", "hana") == []
    assert reasons("account", "hana", "--address", "198.51.100.1") == []


@pytest.mark.parametrize(("factors", "refused"), [("", True), ("totp", False)])
async def test_a_lock_refuses_strangers_without_a_factor(
    factors: str, refused: bool, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SEKISHO_ACCOUNT_LOCK work does not open an account over its limit."""
    lock = {"account_lock": "on", "limit_account": "2/hour", "challenges": "pow"}
    guard = guarded(Shop(), store=redis_url, workers=1, secret=SECRET, **lock)
    for n in range(2):
        await log_in(guard, "hana", f"guess {n}")
    await stop(guard)
    serve_with(monkeypatch, store=redis_url, **lock, **({"factors": factors} if factors else {}))

    found = json.loads((await command("look", "account", "hana", "--json")).out)
    assert found["refused"] is refused
    assert found["why"][0]["text"].startswith(
        "Strangers are refused" if refused else "Strangers are asked for a second proof"
    )


def test_one_command_that_ends_several_reasons_is_named_once() -> None:
    end = "`sekisho unblock account -`"
    why = [Reason("Refused.", True, end=end), Reason("Asked.", False, end=end), Reason("Under no limit.", False)]
    assert list(lines_of(Standing("account", Mode.ENFORCE, why, []), "now: ")) == [
        "now: Refused.",
        "now: Asked.",
        "  ends it: `sekisho unblock account -`",
        "now: Under no limit.",
    ]


def test_the_end_of_nothing_is_said(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator who mistypes an account must not believe that the asking has ended."""
    serve_with(monkeypatch, store=redis_url, factors="totp")
    run("takeover", "hana")
    said = [run("takeover", account, "--undo").out for account in ("hanna", "hana", "hana")]

    nothing = "the account was not asked for a proof; its counters and waits are cleared"
    assert [line.removesuffix("; every worker follows within a second\n") for line in said] == [
        nothing,
        "undone",
        nothing,
    ]


def test_an_address_belongs_to_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    serve_with(monkeypatch, store="redis://127.0.0.1:1/0")
    assert run("look", "address", HERE, "--address", HERE).code == 2
    said = run("unblock", "account", "hana", "--address", "hunter2")
    assert said.code == 2
    assert said.err == "sekisho unblock: --address is no address such as 203.0.113.7 or 2001:db8::1\n"
