"""Commands of two operators in the same seconds: each change is made once, and none is lost."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import pytest

from sekisho.cli.blast_radius import BlastRadius, ask_at
from sekisho.cli.operator import desk
from sekisho.control.claim import Claim, ClaimMac, ClaimTaken, Holder
from sekisho.control.earlier import EarlierWorkers
from sekisho.record import Subjects, replay
from sekisho.record.campaigns import campaigns_in
from sekisho.record.lines import encode
from sekisho.testing import SECRET
from tests.asgi.driving import OPEN, Shop, guarded, log_in
from tests.cli.operating import command, ended, serve_with, started, stop
from tests.owners.worlds import QUERY, in_sqlite
from tests.record.test_campaigns import T0, a_list, settled
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sekisho.model import Mode
    from sekisho.wiring import LoginGuard
    from sekisho.wiring.loops import EventLoops
    from tests.owners.worlds import SqlWorld
    from tests.servers import RedisServer

OWNERS = 12
KEY = "sekisho:{control}claimreport"
KILLED = """
import os
from sekisho.outbox import NoticeOutbox
add_once, calls = NoticeOutbox.add_once, []
def fifth(*arguments):
    calls.append(1)
    return add_once(*arguments) if len(calls) < 6 else os.kill(os.getpid(), 9)
NoticeOutbox.add_once = fifth
"""


@pytest.fixture
async def attacked(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqlWorld]:
    """A site whose events have a list that entered 12 accounts an hour ago."""
    async with in_sqlite(tmp_path / "owners.db") as world:
        serve_with(
            monkeypatch, store=redis_url, owners=world.url, owners_query=QUERY,
            notices_webhook="https://shop.example/hook", notices_webhook_secret="whsec_" + "a2tr" * 10,
        )  # fmt: skip
        names = [f"owner{number}" for number in range(OWNERS)]
        await world.execute(*(f"insert into users values ('{name}', '{name}@mail.example', 'en')" for name in names))
        (tmp_path / "names").write_text("\n".join(names))
        later_us = int(time.time() * 1e6) - 3_600_000_000 - T0
        tries = [*a_list(250), *(settled(name, "succeeded", 5) for name in names)]
        text = "\n".join(encode(each._replace(at_us=each.at_us + later_us)) for each in tries)
        for name in names:
            made, own = settled(name, "succeeded").subject.account, Subjects((SECRET,), str).of_account(name).account
            text = text.replace(f'"account":"{made}"', f'"account":"{own}"')
        (tmp_path / "events").write_text(f"{text}\n")
        yield world


def act(folder: Path) -> tuple[str, ...]:
    files = ("--file", str(folder / "events"), "--accounts", str(folder / "names"))
    return ("report", "--blast-radius", *files, "--act", "--yes", "--json")


async def told(world: SqlWorld) -> int:
    """How many events the notices of the outbox stand for."""
    return sum(int(str(row[0])) for row in await world.execute("select times from sekisho_outbox"))


async def test_two_who_act_on_a_campaign_tell_each_owner_once(attacked: SqlWorld, tmp_path: Path) -> None:
    """The second is told who is at it, or finds it done; a third run finds everything done."""
    both = [started(*act(tmp_path)) for _ in range(2)]
    said = [await asyncio.to_thread(ended, one) for one in both]
    third = await command(*act(tmp_path))

    done = [json.loads(one.out)["done"] for one in said if one.code == 0]
    busy = [one.err for one in said if one.code == 1]
    assert sum(one["told"] for one in done) == OWNERS
    assert len(done) + len(busy) == 2
    assert all("nothing was done: " in err and "(uid " in err for err in busy)
    assert await told(attacked) == OWNERS
    after = json.loads(third.out)["done"]
    assert (third.code, after["told"], after["told_before"], after["asked_before"]) == (0, 0, OWNERS, OWNERS)


async def test_another_takes_over_from_one_that_was_killed(
    attacked: SqlWorld, redis_server: RedisServer, tmp_path: Path
) -> None:
    """Killed between two notices: no record says who was told. No owner is told twice, nothing undone meanwhile."""
    killed = await asyncio.to_thread(ended, started(*act(tmp_path), first=KILLED))
    left_s = redis_server.cli("PTTL", KEY) / 1000
    undone = await command("report", "--blast-radius", "--undo")
    redis_server.cli("DEL", KEY)
    second = await command(*act(tmp_path))

    assert (killed.code, killed.out) == (-9, "")
    assert 0 < left_s <= 30
    assert (undone.code, "nothing was done: " in undone.err) == (1, True)
    done = json.loads(second.out)["done"]
    assert (second.code, done["told"], done["told_before"]) == (0, OWNERS - 5, 5)
    assert await told(attacked) == OWNERS


async def test_every_worker_hears_of_forty_campaigns(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record has room for 16 acts: workers read those before beside it, however fast the command is."""
    serve_with(monkeypatch, store=redis_url)
    files = [tmp_path / "first", tmp_path / "second"]
    guards = [guarded(Shop(), store=redis_url, workers=2, events_file=str(file), **OPEN) for file in files]
    for guard in guards:
        await log_in(guard)
    names = [f"c-{number:06}" for number in range(40)]
    (campaign,) = campaigns_in(lambda: [*a_list(250), settled("hana", "succeeded", 5)]).campaigns
    radius = BlastRadius(tuple(campaign._replace(name=name) for name in names), {})
    async with desk() as service:
        done = await ask_at(service, radius, None, "")
    await until(
        lambda: all([act.of for act in loops(guard).control.record.acts][-1:] == names[-1:] for guard in guards)
    )
    await stop(*guards)

    assert done.asked == 1
    for file in files:
        with file.open("rb") as written:
            assert [event.text for event in replay(written) if event.kind == "commanded"] == names


def loops(guard: LoginGuard) -> EventLoops:
    assert guard._loops is not None
    return guard._loops


async def test_a_claim_is_renewed_shown_and_given_back(
    redis_server: RedisServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second process learns who holds it; one with another secret does not; a claim that was lost is not removed."""
    serve_with(monkeypatch, store=redis_url)
    key, mine, slept, naps = "shop:{control}claimx", Holder("hana (uid 7)", 5, "1"), list[float](), asyncio.Semaphore(0)

    async def nap(seconds: float) -> None:
        slept.append(seconds)
        await naps.acquire()

    async with desk() as service:
        assert service.line is not None
        macs = [ClaimMac([secret], "shop") for secret in (SECRET, b"o" * 40)]
        claim = Claim(service.line, "shop", "x", macs[0], nap)
        async with claim.held(mine):
            redis_server.cli("PEXPIRE", key, 9_000)
            naps.release()
            await until(lambda: redis_server.cli("PTTL", key) > 9_000)
            seen = [await refused(Claim(service.line, "shop", "x", mac)) for mac in macs]
        free = redis_server.cli("EXISTS", key)
        async with claim.held(mine):
            redis_server.cli("SET", key, "another's")
        kept = redis_server.cli("GET", key)

    assert (seen, slept[0]) == ([mine, None], 10)
    assert (free, kept) == (0, "another's")


async def refused(claim: Claim) -> Holder | None:
    with pytest.raises(ClaimTaken) as caught:
        async with claim.held(Holder("ken", 6, "2")):
            pass
    return caught.value.holder


async def test_earlier_workers_hear_the_later_of_two_switches(
    redis_server: RedisServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another operator switches after the record was read, and before earlier workers are told."""
    serve_with(monkeypatch, store=redis_url)
    told_mode, others = EarlierWorkers.set_mode, ["off"]

    async def slow(earlier: EarlierWorkers, mode: Mode | None) -> None:
        if others:
            await command("mode", others.pop())
        await told_mode(earlier, mode)

    monkeypatch.setattr(EarlierWorkers, "set_mode", slow)
    said = json.loads((await command("mode", "monitor", "--json")).out)

    assert (said["earlier_workers"], redis_server.cli("GET", "sekisho:{exchange}mode")) == ("off", "off")
    assert json.loads((await command("mode", "--json")).out)["mode"] == "off"
