"""Factors that owners make, replace and remove; and what nobody else makes of what is under way."""

from __future__ import annotations

import asyncio

import pytest

from sekisho.challenge.factors import Person
from sekisho.challenge.proof import ProofFailed
from sekisho.owners import EnrolmentsFull
from tests.challenge.factors.site import Site


async def test_the_step_shown_at_enrolling_is_spent() -> None:
    """Whoever looked over the owner's shoulder cannot log in with it."""
    site = Site()
    person = await site.person()
    offer = await site.enrolling.begin_totp(person)
    code = site.code_of(offer)
    made = await site.enrolling.confirm_totp(person, offer.state, code, "Phone")
    assert made is not None
    assert (made.id, made.kind, made.label) == (offer.id, "totp", "Phone")
    assert await site.shown("totp", code) is None
    assert site.sender.changes == [("totp", "added")]


async def test_an_offer_is_taken_once() -> None:
    """Also with another step's code, and with another spelling of the same state."""
    site = Site()
    person = await site.person()
    offer = await site.enrolling.begin_totp(person)
    assert await site.enrolling.confirm_totp(person, offer.state, site.code_of(offer), "")
    site.clock.now_s += 30
    assert await site.enrolling.confirm_totp(person, offer.state + "\n", site.code_of(offer), "") is None


async def test_an_offer_is_for_one_account_and_ten_minutes() -> None:
    """Another account cannot take it, nor the same one later."""
    site = Site()
    person, bob = await site.person(), await site.person("bob")
    offer = await site.enrolling.begin_totp(person)
    assert await site.enrolling.confirm_totp(bob, offer.state, site.code_of(offer), "") is None
    site.clock.now_s += 600
    assert await site.enrolling.confirm_totp(person, offer.state, site.code_of(offer), "") is None


@pytest.mark.parametrize("state", ["", "x", "=" * 9, "\ud800", "é", "A" * 100_000])
async def test_what_was_not_begun_is_not_confirmed(state: str) -> None:
    """Whatever stands in its place."""
    site = Site()
    person = await site.person()
    assert await site.enrolling.confirm_totp(person, state, "123456", "") is None
    with pytest.raises(ProofFailed):
        await site.enrolling.confirm_passkey(person, state, b"{}", "")


async def test_labels_are_bounded() -> None:
    """Cut where they are long, left out where they could not stand in a line."""
    site = Site()
    labels = []
    for label in ("x" * 1_000, "two\nlines"):
        person = await site.person()
        offer = await site.enrolling.begin_totp(person)
        made = await site.enrolling.confirm_totp(person, offer.state, site.code_of(offer), label)
        assert made is not None
        labels.append(made.label)
    assert labels == ["x" * 64, ""]


async def test_a_fourth_app_is_refused() -> None:
    """It would never be looked at."""
    site = Site()
    for _ in range(3):
        await site.app()
    with pytest.raises(EnrolmentsFull):
        await site.app()


async def test_a_passkeys_state_is_taken_once() -> None:
    """And belongs to its account."""
    site = Site()
    key = await site.passkey()
    key.credential_id = b"j" * 32
    person, bob = await site.person(), await site.person("bob")
    options, state = await site.enrolling.passkey_options(person)
    made = key.create(options)
    with pytest.raises(ProofFailed):
        await site.enrolling.confirm_passkey(bob, state, made, "")
    await site.enrolling.confirm_passkey(person, state, made, "")
    key.credential_id = b"k" * 32
    with pytest.raises(ProofFailed):
        await site.enrolling.confirm_passkey(person, state, key.create(options), "")


async def test_a_new_sheet_ends_the_old_one() -> None:
    """Of several asked for at once, one set remains."""
    site = Site()
    person = await site.person()
    old = await site.enrolling.recovery(person)
    sheets = await asyncio.gather(*(site.enrolling.recovery(person) for _ in range(3)))
    assert len((await site.person()).of_kind("recovery")) == 1
    assert await site.shown("recovery", old.codes[0]) is None
    shown = [await site.shown("recovery", sheet.codes[0], challenge=bytes([n] * 16)) for n, sheet in enumerate(sheets)]
    assert len([proof for proof in shown if proof]) == 1


async def test_an_owner_removes_his_own_alone() -> None:
    """And is told."""
    site = Site()
    await site.app()
    person, bob = await site.person(), await site.person("bob")
    [enrolment] = person.enrolments
    assert not await site.enrolling.remove(bob, enrolment.id)
    assert await site.enrolling.remove(person, enrolment.id)
    assert not await site.enrolling.remove(person, enrolment.id)
    assert site.sender.changes == [("totp", "added"), ("totp", "removed")]


async def test_nobody_enrols_under_a_name_that_nobody_has() -> None:
    """The next one who is given it would meet the factor."""
    site = Site()
    with pytest.raises(ProofFailed):
        await site.enrolling.begin_totp(Person("nobody", None, ()))
