"""Owners enrol, replace and remove factors; other accounts gain nothing from an enrolment under way."""

from __future__ import annotations

import asyncio

import pytest

from sekisho.owners import EnrolmentsFull
from sekisho.stepup.factors import AccountOwner
from sekisho.stepup.proof import ProofFailed
from tests.stepup.factors.site import Site


async def test_the_step_shown_at_enrolling_is_spent() -> None:
    """The code that enrolled an app is spent: a person who saw it cannot log in with it."""
    site = Site()
    owner = await site.owner()
    offer = await site.enrolling.begin_totp(owner)
    code = site.code_of(offer)
    made = await site.enrolling.confirm_totp(owner, offer.state, code, "Phone")
    assert made is not None
    assert (made.id, made.kind, made.label) == (offer.id, "totp", "Phone")
    assert await site.shown("totp", code) is None
    assert site.senders.changes == [("totp", "added")]


async def test_an_offer_is_taken_once() -> None:
    """An offer is taken once, also with another step's code or another encoding of the same state."""
    site = Site()
    owner = await site.owner()
    offer = await site.enrolling.begin_totp(owner)
    assert await site.enrolling.confirm_totp(owner, offer.state, site.code_of(offer), "")
    site.clock.now_s += 30
    assert await site.enrolling.confirm_totp(owner, offer.state + "\n", site.code_of(offer), "") is None


async def test_an_offer_is_for_one_account_and_ten_minutes() -> None:
    """An offer is valid for one account and ten minutes."""
    site = Site()
    owner, bob = await site.owner(), await site.owner("bob")
    offer = await site.enrolling.begin_totp(owner)
    assert await site.enrolling.confirm_totp(bob, offer.state, site.code_of(offer), "") is None
    site.clock.now_s += 600
    assert await site.enrolling.confirm_totp(owner, offer.state, site.code_of(offer), "") is None


@pytest.mark.parametrize("state", ["", "x", "=" * 9, "\ud800", "é", "A" * 100_000])
async def test_what_was_not_begun_is_not_confirmed(state: str) -> None:
    """An enrolment that was not begun cannot be confirmed, with any state."""
    site = Site()
    owner = await site.owner()
    assert await site.enrolling.confirm_totp(owner, state, "123456", "") is None
    with pytest.raises(ProofFailed):
        await site.enrolling.confirm_passkey(owner, state, b"{}", "")


async def test_labels_are_bounded() -> None:
    """Labels are cut if too long, and dropped if they would break a line."""
    site = Site()
    labels = []
    for label in ("x" * 1_000, "two\nlines"):
        owner = await site.owner()
        offer = await site.enrolling.begin_totp(owner)
        made = await site.enrolling.confirm_totp(owner, offer.state, site.code_of(offer), label)
        assert made is not None
        labels.append(made.label)
    assert labels == ["x" * 64, ""]


async def test_a_fourth_app_is_refused() -> None:
    """A fourth app is refused, as it would never be checked."""
    site = Site()
    for _ in range(3):
        await site.app()
    with pytest.raises(EnrolmentsFull):
        await site.app()


async def test_a_passkeys_state_is_taken_once() -> None:
    """A passkey's state is taken once, by its own account."""
    site = Site()
    key = await site.passkey()
    key.credential_id = b"j" * 32
    owner, bob = await site.owner(), await site.owner("bob")
    options, state = await site.enrolling.passkey_options(owner)
    made = key.create(options)
    with pytest.raises(ProofFailed):
        await site.enrolling.confirm_passkey(bob, state, made, "")
    await site.enrolling.confirm_passkey(owner, state, made, "")
    key.credential_id = b"k" * 32
    with pytest.raises(ProofFailed):
        await site.enrolling.confirm_passkey(owner, state, key.create(options), "")


async def test_a_new_sheet_ends_the_old_one() -> None:
    """A new sheet voids the old one; of several requested at once one set remains."""
    site = Site()
    owner = await site.owner()
    old = await site.enrolling.recovery(owner)
    sheets = await asyncio.gather(*(site.enrolling.recovery(owner) for _ in range(3)))
    assert len((await site.owner()).of_kind("recovery")) == 1
    assert await site.shown("recovery", old.codes[0]) is None
    shown = [await site.shown("recovery", sheet.codes[0], challenge=bytes([n] * 16)) for n, sheet in enumerate(sheets)]
    assert len([proof for proof in shown if proof]) == 1


async def test_an_owner_removes_his_own_alone() -> None:
    """An owner removes the own factors alone, and is told."""
    site = Site()
    await site.app()
    owner, bob = await site.owner(), await site.owner("bob")
    [enrolment] = owner.enrolments
    assert not await site.enrolling.remove(bob, enrolment.id)
    assert await site.enrolling.remove(owner, enrolment.id)
    assert not await site.enrolling.remove(owner, enrolment.id)
    assert site.senders.changes == [("totp", "added"), ("totp", "removed")]


async def test_no_factor_is_enrolled_for_a_missing_account() -> None:
    """No factor is enrolled for an account that does not exist, or the name's next owner would meet it."""
    site = Site()
    with pytest.raises(ProofFailed):
        await site.enrolling.begin_totp(AccountOwner("nobody", None, ()))
