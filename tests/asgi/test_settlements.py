"""How the end of one attempt affects others: their password tags, and where failures are counted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from sekisho.model import Limit
from tests.asgi.driving import FORM, OPEN, Clock, Shop, address, ask, form, guarded, http, known_device, log_in
from tests.breach.making import corpus_file, digest
from tests.ledger.charges import HOUR
from tests.stepup.flow.driving import Client, Site, challenge

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.wiring import LoginGuard
    from tests.asgi.driving import Answer

CHANGE = "POST /password form:username,password,new"
FIVE: dict[str, Any] = {**OPEN, "limit_account": "5/hour"}


async def guess(client: Client, clock: Clock, password: str) -> str:
    """The answer to a stranger's guess three seconds later."""
    clock.advance(3)
    answered = await client.log_in("hana", password)
    await settled()
    return answered.code


async def settled() -> None:
    """Wait until background runs have ended."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("owners_address", ["198.51.100.77", "203.0.113.5"], ids=["same address", "another"])
async def test_a_guess_is_told_the_same_before_and_after_its_owners_log_in(clock: Clock, owners_address: str) -> None:
    """Row 3.4: a guess before and after its owner's log-in is a repeat, with the same room after it, right or wrong."""
    told = []
    for guessed in ("right", "wrong"):
        # Without a history no address is failing: that would ask for work before the account's limit does.
        site = Site(settings={**FIVE, "challenges": "pow", "protect": None, "history": "off"})
        await site.enrol()
        attacker, owner = site.client(), site.client(owners_address)
        codes = [await guess(attacker, clock, guessed)]
        clock.advance(3)
        asked = await owner.log_in()
        await settled()
        assert (await owner.show(challenge(asked), site.code())).status == 303
        codes += [await guess(attacker, clock, f"other {n}") for n in range(3)]
        codes += [await guess(attacker, clock, guessed) for _ in range(2)]
        codes += [await guess(attacker, clock, f"more {n}") for n in range(2)]
        told.append(codes)

    assert told[0] == told[1]
    assert told[0] == ["step_up_required"] * 7 + ["challenge_required"]


async def test_a_guess_under_way_beside_its_owners_log_in_tells_nothing(clock: Clock) -> None:
    """While the owner's step-up is open, the same guess from elsewhere is charged as usual."""
    told = []
    for guessed in ("right", "wrong"):
        # Without a history no address is failing: that would ask for work before the account's limit does.
        site = Site(settings={**FIVE, "challenges": "pow", "protect": None, "history": "off"})
        await site.enrol()
        attacker, owner = site.client(), site.client("203.0.113.5")
        asked = await owner.log_in()
        await settled()
        codes = [await guess(attacker, clock, guessed)]
        assert (await owner.show(challenge(asked), site.code())).status == 303
        codes += [await guess(attacker, clock, f"other {n}") for n in range(3)]
        codes += [await guess(attacker, clock, guessed)]
        codes += [await guess(attacker, clock, f"more {n}") for n in range(2)]
        told.append(codes)

    assert told[0] == told[1]
    assert told[0] == ["step_up_required"] * 6 + ["challenge_required"]


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    corpus_file(tmp_path / "passwords", {digest("123456"): 10**6})
    return str(tmp_path / "passwords")


async def post(app: LoginGuard, path: str, client: str, **fields: str) -> Answer:
    return await ask(app, http(path, client=client), urlencode(fields).encode())


async def test_a_refused_choice_of_a_password_erases_no_guess(clock: Clock, corpus: str) -> None:
    """Row 3.5: one password at sixty accounts shows in the tag sets, although each guess is followed by a 422."""
    owners = {f"account{n}": "x" for n in range(60)}
    app = guarded(Shop(owners), corpus=corpus, change=CHANGE, **{**FIVE, "no_factor": "refuse"})
    statuses = []
    for n in range(60):
        clock.advance(3)
        statuses.append((await log_in(app, f"account{n}", "spray", client=address(n))).status)
        clock.advance(3)
        chosen = {"username": f"account{n}", "password": "spray", "new": "123456"}
        refused = await post(app, "/password", address(n), **chosen)
        assert refused.status == (422 if statuses[-1] == 401 else 403)

    # Sixteen accounts within the hour, and the password alone is no longer enough for any of them.
    assert statuses == [401] * 15 + [403] * 45


async def test_a_refused_choice_gives_the_charge_back(clock: Clock, corpus: str) -> None:
    """A refused choice guesses nothing: its charge is refunded, and the pair is a repeat from then on."""
    app = guarded(Shop(), corpus=corpus, change=CHANGE, **FIVE)
    for _ in range(9):
        clock.advance(3)
        assert (await post(app, "/password", "203.0.113.9", username="hana", password="x", new="123456")).status == 422
    clock.advance(3)
    statuses = [(await log_in(app, "hana", f"guess {n}")).status for n in range(6)]

    assert statuses == [401] * 5 + [429]


async def test_a_network_that_is_refused_leaves_nothing_behind(clock: Clock) -> None:
    """Row 5.2: of a /48 over its limit the second refused attempt is unread, though each comes from its own /56."""
    app = guarded(Shop(), **OPEN)
    assert app._loops is not None
    limits = app._loops.process.own.limits
    app._loops.process.own.limits = replace(limits, networks=(limits.networks[0], (Limit(9, HOUR),)))
    statuses, sizes = [], []
    for n in range(200):
        clock.advance(0.1)
        client = f"2001:db8:0:{n << 8:x}::1"
        statuses.append((await log_in(app, f"account{n}", f"guess{n}", client=client)).status)
        sizes.append(len(app._loops.process.own.book))

    assert statuses == [401] * 9 + [429] * 191
    assert set(sizes[9:]) == {sizes[8]}
    assert app._loops.process.shed.take_refused() == 190


# Failures, each in its own bucket.

KEPT_OUT: dict[str, Any] = {**OPEN, "no_factor": "refuse"}


async def test_a_hundred_guesses_of_strangers_ask_nothing_of_a_known_device(clock: Clock) -> None:
    """Row 4.16, invariant 6: a hundred strangers' failures lock out strangers (`NO_FACTOR=refuse`) and no known
    device.
    """
    app = guarded(Shop(), limit_account="9999/hour", **KEPT_OUT)
    token = await known_device(app)
    for n in range(100):
        clock.advance(3)
        assert (await log_in(app, password=f"guess {n}", client=address(n % 6))).status == 401

    assert (await log_in(app, password="right", client=address(8))).status == 403
    assert (await log_in(app, token=token)).status == 303


async def test_two_years_of_typing_errors_shut_nobody_out_of_his_device(clock: Clock) -> None:
    """Row 4.16: a typing error every other day, each followed by the right password, never locks the device out."""
    app = guarded(Shop(), **KEPT_OUT)
    token = await known_device(app)
    statuses = set()
    for day in range(700):
        clock.advance(86_400)
        if day % 2:
            assert (await log_in(app, password=f"typo {day}", token=token)).status == 401
        answered = await log_in(app, token=token)
        statuses.add(answered.status)
        token = answered.device

    assert statuses == {303}


async def test_a_stolen_device_has_a_hundred_guesses_and_no_more(clock: Clock) -> None:
    """NIST SP 800-63B-4, 3.2.2: slow guesses in a stolen device's bucket end at a hundred; the owner's other device is
    unaffected.
    """
    app = guarded(Shop(), **KEPT_OUT)
    stolen, other = await known_device(app), await known_device(app)
    statuses = []
    for n in range(103):
        clock.advance(3_600)
        statuses.append((await log_in(app, password=f"guess {n}", token=stolen)).status)

    assert statuses == [401] * 100 + [403] * 3
    assert (await log_in(app, token=other)).status == 303
    assert (await log_in(app, token=stolen)).status == 403


async def test_a_success_at_another_door_clears_no_failures(clock: Clock) -> None:
    """A stolen device that asks for a reset is answered with success, which clears no failures."""
    doors = {"reset": "POST /reset form:username success=200"}
    app = guarded(Shop(), **doors, **KEPT_OUT)
    token = await known_device(app)
    statuses = []
    for n in range(101):
        clock.advance(3_600)
        cookie = (b"cookie", f"__Host-sekisho={token}".encode())
        answered = await ask(app, http("/reset", headers=[FORM, cookie]), form("hana", ""))
        statuses += [answered.status, (await log_in(app, password=f"guess {n}", token=token)).status]

    assert statuses == [200, 401] * 100 + [200, 403]
