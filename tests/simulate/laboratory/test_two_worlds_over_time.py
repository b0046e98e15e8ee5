"""A sealed, unproved guess changes nothing that is remembered: spread, posture, campaigns, credit, history, age.

In one of two worlds the guess is right. The attacker sends the same requests to both, has a code sent and guesses it,
solves all work, and owns an account whose log-ins show the guard's memory. The answers are the same in both.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest

from sekisho.control import ControlMac, ControlRecord
from sekisho.control.asked import AskedGroup, account_name
from sekisho.record import Subjects
from sekisho.simulate.laboratory import EPOCH_S
from sekisho.simulate.laboratory.browser import ASKED, Browser
from sekisho.simulate.laboratory.run import SECRET, _running
from tests.simulate.laboratory.worlds import (
    DAY_S,
    GUESS,
    HOME,
    HOUR_S,
    MINUTE_S,
    OWN,
    TARGET,
    World,
    account,
    played,
    settings_of,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

ELSEWHERE, SHARED, HERS = "240.200.0.1", "198.51.100.77", "198.51.100.40"
MAILS = {
    "aged_device_days": "14", "smtp": "smtp://127.0.0.1:1", "mail_from": "no-reply@shop.test",
    "account_page": "shop.test/account", "service_name": "Shop",
}  # fmt: skip


def both(
    play: Callable[[World], Awaitable[None]], policy: str, *, rest_s: float = MINUTE_S, **settings: str
) -> tuple[World, World]:
    found = settings_of(policy, **settings)
    return played(found, play, right=True, rest_s=rest_s), played(found, play, right=False, rest_s=rest_s)


async def at_home(world: World, owner: int = OWN, address: str = HOME) -> None:
    """The owner's network becomes familiar."""
    answer = await world.owner_in(owner, address)
    assert answer is not None
    assert answer.entered


def spread(before: int) -> Callable[[World], Awaitable[None]]:
    """One password at many accounts: at so many before the guess, and at the own account behind it."""

    async def play(world: World) -> None:
        await at_home(world)
        await asyncio.sleep(DAY_S)
        for number in range(before):
            await world.tried(f"240.{number}.0.1", account(20 + number), GUESS)
            await asyncio.sleep(20)
        await world.guess(ELSEWHERE)
        for number in range(4):
            await asyncio.sleep(20)
            await world.sense()
            await world.tried(f"240.{number}.7.1", account(120 + number), GUESS)
            await world.tried(f"240.{number}.8.1", account(TARGET), f"wrong {number}")

    return play


@pytest.mark.parametrize(("before", "sensed"), [(11, ["", "", "", ASKED]), (13, ["", ASKED, ASKED, ASKED])])
def test_a_secret_has_the_same_spread(before: int, sensed: list[str]) -> None:
    """The 16th account of one password is asked, and the right guess is one of them: its tag is not taken out."""
    right, wrong = both(spread(before), "familiar")
    assert right.seen == wrong.seen
    assert right.sensed == sensed


def alarm(guesses: Iterable[int], attempts: int) -> Callable[[World], Awaitable[None]]:
    """Wrong passwords, one a minute, up to an alarm; at these places the guess instead."""

    async def play(world: World) -> None:
        await at_home(world)
        await asyncio.sleep(DAY_S)
        for number in range(attempts):
            if number in guesses:
                await world.guess(f"240.200.{number}.1")
            else:
                await world.tried(f"240.{number}.{number}.1", account(20 + number), f"wrong {number}")
            await asyncio.sleep(61)
            if number > 30:
                await world.sense()

    return play


@pytest.mark.parametrize("guesses", [range(10, 11), range(35, 38)])
def test_an_alarm_comes_with_the_same_attempt(guesses: range) -> None:
    """The posture counts a sealed guess as a failure, also the one that raises it."""
    right, wrong = both(alarm(guesses, 50), "familiar", step_up_familiar="elevated")
    assert right.seen == wrong.seen
    assert set(right.sensed) == {"", ASKED}


def test_an_owner_at_home_does_not_sense_an_attack_from_elsewhere() -> None:
    """With the preset, in a network where nothing fails."""
    right, wrong = both(alarm(range(10, 11), 50), "familiar")
    assert right.seen == wrong.seen
    assert set(right.sensed) == {""}


def shared(fill: int, guess_at: str, *, known: bool) -> Callable[[World], Awaitable[None]]:
    """An address with credit is filled, and the guess comes; `known`: its owner has succeeded there before."""

    async def play(world: World) -> None:
        for _ in range(4):
            for owner in range(20, 32):
                await at_home(world, owner, SHARED)
                await asyncio.sleep(HOUR_S / 2)
            if known:
                await at_home(world, TARGET, SHARED)
            await asyncio.sleep(DAY_S - 6 * HOUR_S)
        for number in range(fill):
            await world.tried(SHARED, account(60 + number), f"wrong {number}")
            await asyncio.sleep(1)
        await world.guess(guess_at)
        for number in range(10):
            for owner in (100 + number, TARGET, 25):
                await world.tried(SHARED, account(owner), f"wrong {number}")
            await world.tried(f"240.7.{number}.1", account(TARGET), f"more {number}")
            await asyncio.sleep(7)

    return play


@pytest.mark.parametrize(
    ("policy", "fill", "guess_at", "known"),
    [("familiar", 19, SHARED, False), ("familiar", 19, ELSEWHERE, True), ("factors", 19, SHARED, True)],
)
def test_a_shared_address_has_the_same_credit_and_knows_the_same_accounts(
    policy: str, fill: int, guess_at: str, known: bool
) -> None:
    """Neither credit nor an account's own place behind the address comes from a guess; crowded, all are asked alike."""
    right, wrong = both(shared(fill, guess_at, known=known), policy, history="on")
    assert right.seen == wrong.seen
    assert len({each.code for each in right.seen}) >= 3


def put_under_proof(world: World, owners: list[int]) -> None:
    """What `sekisho report --blast-radius --act` leaves in the control record."""
    assert world.guard._loops is not None
    subjects, control = Subjects((SECRET,), str), world.guard._loops.control
    names = tuple(account_name(subjects.of_account(account(owner)).account) for owner in owners)
    until_s = int(EPOCH_S + asyncio.get_running_loop().time() + 30 * DAY_S)
    record = ControlRecord(control.record.number + 1, asked=(AskedGroup("c-1", until_s, names),))
    assert control.hear(ControlMac([SECRET], "sekisho").sign(record.encode()))


async def acted(world: World, *, guesses: bool) -> None:
    """A campaign is recognised, and an operator closes the accounts whose passwords it knows."""
    await at_home(world)
    await at_home(world, TARGET)
    await asyncio.sleep(DAY_S)
    for number in range(20):
        await world.tried(f"240.1.{number % 3}.1", account(20 + number), f"wrong {number}")
        await asyncio.sleep(30)
    if guesses:
        await world.guess("240.1.0.7")
    await asyncio.sleep(61)
    put_under_proof(world, [TARGET, 30] if world.right else [30])
    for number in range(8):
        for address in (HOME, f"240.3.{number}.1"):
            for name in (account(TARGET), account(90 + number), f"nobody {number}"):
                await world.tried(address, name, f"wrong {number}")
        if guesses:
            await world.guess(f"240.4.{number}.1")
        await world.sense()
        await asyncio.sleep(5 * MINUTE_S)


@pytest.mark.parametrize(("policy", "guesses"), [("familiar", True), ("strict", True), ("posture", False)])
def test_an_account_whose_password_a_campaign_knows_looks_like_any_other(policy: str, guesses: bool) -> None:
    """Under proof because of the guess or not: from its owner's network and from elsewhere. Where strangers are spared
    in calm, a right guess opens a session, and is not sent.
    """
    right, wrong = both(partial(acted, guesses=guesses), policy, campaigns="on", history="on")
    assert right.seen == wrong.seen


def remembered(days: int) -> Callable[[World], Awaitable[None]]:
    """The guess comes so many days after the owner's log-in. In the end the owner comes home, and the attacker too."""

    async def play(world: World) -> None:
        await at_home(world, TARGET, HERS)
        await asyncio.sleep(days * DAY_S)
        await world.guess(ELSEWHERE)
        for address in (HERS, ELSEWHERE, HOME):
            await world.tried(address, account(TARGET), "wrong")
        await asyncio.sleep(DAY_S)
        await world.guess(ELSEWHERE)
        answer = await Browser(world.guard, "owner").log_in(HERS, account(TARGET), world.passwords[account(TARGET)])
        world.sensed.append(answer.code)

    return play


@pytest.mark.parametrize(("days", "sensed"), [(58, [""]), (59, [ASKED])])
def test_a_network_is_forgotten_on_the_same_day(days: int, sensed: list[str]) -> None:
    """A guess neither makes its network familiar nor keeps the owner's: it is forgotten after 60 days."""
    right, wrong = both(remembered(days), "familiar", rest_s=DAY_S)
    assert right.seen == wrong.seen
    assert right.sensed == wrong.sensed == sensed


async def aged(world: World) -> None:
    """Two devices were seen for weeks before there were factors: the owner's, and one of the attacker's own account."""
    monitoring = world.built({"challenges": "none", "aged_device_days": "14"})
    own, hers = Browser(monitoring, "own"), Browser(monitoring, "owner")
    async with _running(monitoring):
        for _ in range(5):
            assert (await own.log_in(HOME, account(OWN), GUESS)).entered
            assert (await hers.log_in(HERS, account(TARGET), world.passwords[account(TARGET)])).entered
            await asyncio.sleep(4 * DAY_S)
    own._app = hers._app = world.guard
    for number in range(60):
        if number in {10, 38, 39}:
            await world.guess(f"240.200.{number}.1")
        else:
            await world.tried(f"240.{number}.{number}.1", account(20 + number), f"wrong {number}")
        await asyncio.sleep(HOUR_S / 6)
        if number > 30 or number % 6 == 0:
            await world.sense(own)
    answer = await hers.log_in(HERS, account(TARGET), world.passwords[account(TARGET)])
    world.sensed.append(answer.code)


def test_an_aged_device_is_spared_for_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the alarm, which comes with the same attempt. The owner's own device is treated alike as well."""

    async def taken(*_: object, **__: object) -> bool:
        return True

    monkeypatch.setattr("sekisho.stepup.factors.senders.Senders.delivered", taken)  # no mail server is reached
    right, wrong = both(aged, "familiar", rest_s=HOUR_S / 6, **MAILS)
    assert right.seen == wrong.seen
    assert right.sensed == wrong.sensed
    assert set(right.sensed) == {"", ASKED}


def test_the_comparison_sees_a_guess_that_is_not_sealed() -> None:
    """Where strangers are spared in calm, the right guess opens a session, and its tag is taken out: worlds differ."""
    right, wrong = both(spread(11), "quiet")
    assert right.seen != wrong.seen
    assert right.sensed != wrong.sensed
