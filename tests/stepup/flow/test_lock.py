"""Row 73: an account's lock is no weapon. Known devices are never locked, and a locked stranger passes with a proof."""

from __future__ import annotations

import asyncio
import re
from base64 import b32encode
from typing import TYPE_CHECKING, Any

import pyotp

from sekisho.simulate.virtual_loop import VirtualLoop
from sekisho.testing import FakeClock, guarded
from tests.stepup.flow.driving import Shop, Site, challenge, stop
from tests.stepup.flow.test_relay import SETTINGS, Hana

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sekisho.wiring import LoginGuard
    from tests.asgi.driving import Answer
    from tests.stepup.flow.driving import Client

LOGIN = "POST /login form:username,password success=cookie:session"
HOME, AWAY = "198.51.100.77", "203.0.113.5"


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(work())


def simple(clock: FakeClock) -> tuple[Site, LoginGuard]:
    """A site without factors, where work can be asked for."""
    site = Site()
    site.guard = guarded(site.shop, clock=clock, login=LOGIN, preset="pci")
    return site, site.guard


def seen(found: Answer) -> tuple[object, ...]:
    """What a client sees; waits have a random part."""
    return found.status, sorted(name for name, _ in found.headers), re.sub(rb"[0-9]+", b"#", found.body)


async def lock(site: Site, account: str, day: int = 0) -> list[Answer]:
    """Six guesses, each from its own network."""
    return [await site.client(f"100.{day}.{number}.1").log_in(account, f"guess{number}") for number in range(6)]


async def again(client: Client, account: str) -> Answer:
    client.jar.pop("session", None)
    return await client.log_in(account)


def test_the_sixth_attempt_waits_thirty_minutes_and_work_does_not_help() -> None:
    async def story() -> None:
        clock = FakeClock()
        site, guard = simple(clock)
        answers = await lock(site, "hana")
        assert [each.status for each in answers] == [401] * 5 + [429]
        wait_s = int(answers[5].header(b"retry-after") or b"0")
        assert 1_800 <= wait_s <= 1_800 * 1.5
        clock.advance(minutes=29, seconds=59)
        assert (await site.client(HOME).log_in("hana", "right")).status == 429
        clock.advance(seconds=1)
        assert (await site.client(HOME).log_in("hana", "right")).status == 303
        await stop(guard)

    run(story)


def test_unknown_names_lock_alike() -> None:
    async def story() -> None:
        clock = FakeClock()
        site, guard = simple(clock)
        known, unknown = await lock(site, "hana"), await lock(site, "nobody")
        assert [seen(each) for each in known] == [seen(each) for each in unknown]
        await stop(guard)

    run(story)


def test_thirty_days_of_lock_out_keep_no_known_device_out() -> None:
    """Without factors: a device that is merely seen is no stranger. Strangers stay out, also with the password."""

    async def story() -> None:
        clock = FakeClock()
        site, guard = simple(clock)
        home = site.client(HOME)
        assert (await home.log_in("hana")).status == 303
        for day in range(30):
            clock.advance(days=1)
            await lock(site, "hana", day)
            assert (await again(home, "hana")).status == 303
            assert (await site.client(AWAY).log_in("hana")).status == 429
        await stop(guard)

    run(story)


class Town(Site):
    """`hana` has an app, and has proved herself on a device at home. Others have nothing."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        super().__init__(Shop(), settings={"login": LOGIN, "preset": "pci", "step_up": "attack", "clock": clock})

    def now(self) -> str:
        return pyotp.TOTP(b32encode(self.secret).decode()).at(int(self.clock.now_s))

    async def prove(self, client: Client) -> Answer:
        return await client.show(challenge(await client.log_in("hana")), self.now())


def test_thirty_days_of_lock_out_keep_no_proved_device_out() -> None:
    """Each day strangers are locked out, the owner's device logs in, and a new device gets in by a proof."""

    async def story() -> None:
        clock = FakeClock()
        town = Town(clock)
        await town.enrol("1")
        home = town.client(HOME)
        assert (await town.prove(home)).status == 303
        for day in range(30):
            clock.advance(days=1)
            await lock(town, "hana", day)
            assert (await again(home, "hana")).status == 303
        assert (await town.prove(town.client(AWAY))).status == 303
        await stop(town.guard)

    run(story)


def test_a_locked_account_asks_for_a_proof_in_calm_alike() -> None:
    """Where strangers are spared in calm, the lock asks them; enrolled, other and unknown accounts answer alike."""

    async def story() -> None:
        town = Town(FakeClock())
        await town.enrol("1")
        answers = [[each.status for each in await lock(town, name)] for name in ("hana", "alice", "nobody")]
        assert [(await lock(town, name, 1))[0].status for name in ("hana", "alice", "nobody")] == [401, 401, 401]
        right = await town.client(AWAY).log_in("alice", "hatter")
        assert answers[0] == answers[1] == answers[2]
        assert (right.status, right.device) == (401, "")
        assert challenge(right)
        await stop(town.guard)

    run(story)


async def test_a_locked_owner_passes_with_a_passkey() -> None:
    """And with nothing else: codes that were sent or shown by an app are below the preset's floor."""
    hana = Hana()
    await hana.enrol()
    given: dict[str, Any] = {**SETTINGS, "login": LOGIN, "preset": "jsda", "step_up": "attack", "challenges": "none"}
    del given["limit_account"]
    hana.site.guard = guarded(hana.site.shop, owners=hana.site.people, on_code=hana.hook, **given)
    assert (await hana.site.client(HOME).log_in("alice", "hatter")).status == 303
    for account in ("alice", "hana"):
        await lock(hana.site, account)
    assert (await hana.site.client(AWAY).log_in("alice", "hatter")).status == 401

    stranger = hana.site.client(AWAY)
    by_code = await stranger.show(challenge(await stranger.log_in("hana")), hana.site.code())
    assert by_code.status == 401
    assert (await hana.log_in(stranger)).status == 303
    assert await stranger.who() == "hana"
    await stop(hana.site.guard)
