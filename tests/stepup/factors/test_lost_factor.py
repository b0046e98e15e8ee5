"""A lost strong factor is replaced by two ways and a day, and by nothing less."""

from __future__ import annotations

import pytest

from sekisho.stepup.factors import Proof
from tests.stepup.factors.site import Site

DAY = 86_400


async def with_a_passkey() -> tuple[Site, tuple[str, ...]]:
    """Alice has a passkey and a sheet of recovery codes since three days."""
    site = Site()
    await site.passkey()
    sheet = await site.enrolling.recovery(await site.owner())
    site.settle()
    return site, sheet.codes


async def begun(site: Site, code: str, challenge: bytes = b"c" * 16, *, right: bool = True) -> str:
    """The second code; empty if none was sent."""
    before = len(site.senders.recovering)
    trial = await site.trial(challenge=challenge, right=right)
    await site.factors.begin_recovery(trial, await site.owner(), code)
    return site.senders.recovering[-1] if len(site.senders.recovering) > before else ""


async def confirmed(site: Site, code: str, challenge: bytes = b"c" * 16, *, right: bool = True) -> bool:
    trial = await site.trial(challenge=challenge, right=right)
    return await site.factors.confirm_recovery(trial, await site.owner(), code) is not None


async def test_a_recovery_code_and_a_mailed_code_remove_the_factors_a_day_later() -> None:
    """Both codes begin a recovery, of which the owner is told; a day later a mailed code logs in again."""
    site, codes = await with_a_passkey()
    assert await confirmed(site, await begun(site, codes[0]))
    assert site.senders.resets == [int(site.clock()) + DAY]
    assert ("recovery", "used") in site.senders.changes
    site.clock.now_s += DAY - 1
    assert await site.code_sent(challenge=b"d" * 16) == ""
    site.clock.now_s += 1
    code = await site.code_sent(challenge=b"e" * 16)
    assert await site.shown("webhook", code, challenge=b"e" * 16) == Proof("webhook")
    assert ("webauthn", "reset") in site.senders.changes


async def test_the_passkey_cancels_the_recovery() -> None:
    """A log-in by the passkey within the day cancels the recovery: it was not lost, or a thief had begun it."""
    site = Site()
    key = await site.passkey()
    sheet = await site.enrolling.recovery(await site.owner())
    site.settle()
    assert await confirmed(site, await begun(site, sheet.codes[0]))
    shown = await site.assertion(key, challenge=b"d" * 16)
    assert await site.shown("webauthn", credential=shown, challenge=b"d" * 16) == Proof("webauthn")
    site.clock.now_s += 2 * DAY
    assert len((await site.owner()).of_kind("webauthn")) == 1


async def test_either_code_alone_begins_nothing() -> None:
    """A wrong recovery code sends no second code, and no other code stands for the second one."""
    site, codes = await with_a_passkey()
    assert await begun(site, "0000-0000-0000-0000") == ""
    assert not await confirmed(site, "00000000")
    assert not await confirmed(site, codes[0])
    second = await begun(site, codes[1], b"d" * 16)
    assert not await confirmed(site, second, b"e" * 16)
    assert site.senders.resets == []
    assert await confirmed(site, second, b"d" * 16)
    assert not await confirmed(site, second, b"d" * 16)


async def test_the_second_code_is_no_proof() -> None:
    """The code of a recovery logs nobody in, also not the owner who has nothing stronger."""
    site, codes = await with_a_passkey()
    second = await begun(site, codes[0])
    for factor in ("webhook", "email"):
        assert await site.shown(factor, second) is None
    assert site.senders.resets == []


async def test_behind_a_wrong_secret_nothing_is_begun_or_spent() -> None:
    """Behind a wrong password a right recovery code sends nothing and stays good."""
    site, codes = await with_a_passkey()
    assert await begun(site, codes[0], b"d" * 16, right=False) == ""
    assert await begun(site, codes[0], b"e" * 16) != ""


async def test_an_owner_who_accepts_only_strong_ways_asks_the_operator() -> None:
    """With *only strong factors* no code begins a recovery; the operator's reset still works."""
    site, codes = await with_a_passkey()
    await site.enrolling.only_strong(await site.owner(), on=True)
    assert await begun(site, codes[0]) == ""
    await site.owners.ask_reset("1", now_s=int(site.clock()))
    site.clock.now_s += DAY
    assert (await site.owner()).enrolments == ()


async def test_a_new_sheet_begins_no_recovery() -> None:
    """A sheet of less than 72 hours begins no recovery, also where it replaced an old one: it may be a thief's."""
    site, _ = await with_a_passkey()
    sheet = await site.enrolling.recovery(await site.owner())
    assert await begun(site, sheet.codes[0]) == ""
    site.settle()
    assert await begun(site, sheet.codes[0], b"d" * 16) != ""


@pytest.mark.parametrize("right", [True, False])
async def test_the_steps_are_the_same_for_everybody(right: bool) -> None:
    """A wrong recovery code, and a wrong second one, take the same steps with and without a strong factor."""
    site, _ = await with_a_passkey()
    steps = set()
    for account in ("alice", "bob", "nobody"):
        trial = await site.trial(account, account.encode().ljust(15) + bytes([right]), right=right)
        site.vault.steps.clear()
        await site.factors.begin_recovery(trial, await site.owner(account), "0000-0000-0000-0000")
        await site.factors.confirm_recovery(trial, await site.owner(account), "00000000")
        steps.add(tuple(site.vault.steps))
    assert len(steps) == 1
