"""A wrong password costs the same for every account, counted in argon2's parameters and not in time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.passwords import STORED_COSTLIEST, Passwords, Profile
from sekisho.passwords.profile import rest as rest_of
from tests.passwords.watching import Argon2, Asked

PASSWORD = "an old pond, a frog"
TODAY = Profile(3, 128, 1)


async def asked_for(argon2: Argon2, passwords: Passwords, stored: str | None, password: str) -> list[Asked]:
    argon2.forget()
    await passwords.verify(stored, password)
    return list(argon2.asked)


def work_kib(asked: list[Asked]) -> int:
    return sum(each.work_kib for each in asked)


async def test_an_unknown_account_costs_what_a_known_one_does(argon2: Argon2) -> None:
    """An unknown account costs the same single call with the same parameters as a known one."""
    passwords = Passwords(TODAY)
    stored = await passwords.hash(PASSWORD)

    known = await asked_for(argon2, passwords, stored, "guess")
    unknown = await asked_for(argon2, passwords, None, "guess")

    assert known == unknown == [Asked("verify", 3, 128, 1)]


async def test_a_right_password_costs_one_hash(argon2: Argon2) -> None:
    """A right password costs one hash."""
    passwords = Passwords(TODAY)
    stored = await passwords.hash(PASSWORD)
    assert await asked_for(argon2, passwords, stored, PASSWORD) == [Asked("verify", 3, 128, 1)]


async def test_a_right_password_on_an_old_hash_costs_the_new_one_as_well(argon2: Argon2) -> None:
    """A right password on an old hash costs the new hash too, which its owner alone can observe."""
    stored = await Passwords(Profile(1, 64, 1)).hash(PASSWORD)
    asked = await asked_for(argon2, Passwords(TODAY), stored, PASSWORD)
    assert asked == [Asked("verify", 1, 64, 1), Asked("hash", 3, 128, 1)]


@pytest.mark.parametrize(
    ("old", "rest"),
    [
        (Profile(1, 128, 1), Asked("hash", 2, 128, 1)),
        (Profile(2, 128, 1), Asked("hash", 1, 128, 1)),
        (Profile(3, 64, 1), Asked("hash", 2, 96, 1)),
        (Profile(1, 64, 2), Asked("hash", 3, 106, 1)),
    ],
    ids=["fewer passes", "one pass less", "less memory", "other lanes"],
)
async def test_a_wrong_password_on_an_old_cheap_hash_costs_what_a_new_one_does(
    argon2: Argon2, old: Profile, rest: Asked
) -> None:
    """A wrong password on an old cheap hash costs as much as on a new one: the hash and the missing work."""
    stored = await Passwords(old).hash(PASSWORD)
    passwords = Passwords(TODAY)

    asked = await asked_for(argon2, passwords, stored, "guess")

    assert asked == [Asked("verify", old.passes, old.memory_kib, old.lanes), rest]
    nobodys = work_kib(await asked_for(argon2, passwords, None, "guess"))
    assert nobodys - 3 < work_kib(asked) <= nobodys


async def test_after_the_profile_was_lowered_the_decoy_costs_what_the_old_hashes_do(argon2: Argon2) -> None:
    """After the profile was lowered, wrong passwords cost the old hashes' work for old, new and unknown accounts."""
    before, now = Profile(4, 128, 1), Profile(1, 128, 1)
    passwords = Passwords(now, decoy=before)
    old, new = await Passwords(before).hash(PASSWORD), await passwords.hash(PASSWORD)

    works = {work_kib(await asked_for(argon2, passwords, stored, "guess")) for stored in (old, new, None)}

    assert works == {4 * 128}
    assert await asked_for(argon2, passwords, old, PASSWORD) == [Asked("verify", 4, 128, 1), Asked("hash", 1, 128, 1)]


def test_a_decoy_cheaper_than_the_profile_is_a_mistake() -> None:
    """A decoy cheaper than the profile is an error: quick refusals would reveal unknown accounts."""
    with pytest.raises(ValueError, match="would tell which accounts exist"):
        Passwords(TODAY, decoy=Profile(1, 128, 1))


async def test_nobodys_password_is_never_right() -> None:
    """An unknown account's password is never right, whichever result the decoy gives."""
    assert not await Passwords(TODAY).verify(None, PASSWORD)


async def test_every_check_is_counted_once(argon2: Argon2) -> None:
    """Every check counts once: known or not, right or wrong, renewed or made up for."""
    passwords = Passwords(TODAY)
    stored, old = await passwords.hash(PASSWORD), await Passwords(Profile(1, 64, 1)).hash(PASSWORD)
    for known, password in ((stored, PASSWORD), (stored, "guess"), (old, PASSWORD), (old, "guess"), (None, "guess")):
        await passwords.verify(known, password)
    assert passwords.checks == sum(asked.call == "verify" for asked in argon2.asked) == 5


PROFILES = st.builds(
    lambda passes, kib_a_lane, lanes: Profile(passes, kib_a_lane * lanes, lanes),
    st.integers(1, 10),
    st.integers(8, 100_000),
    st.integers(1, 8),
)


@given(whole=PROFILES, part=PROFILES)
def test_what_is_made_up_for_is_what_is_missing(whole: Profile, part: Profile) -> None:
    """The made-up work is the missing work, within argon2's granularity, in no more memory than the whole takes."""
    rest = rest_of(whole, part)
    missing_kib = whole.work_kib - part.work_kib
    grain_kib = 8 * whole.lanes
    if rest is None:
        assert missing_kib < grain_kib
    else:
        assert abs(missing_kib - rest.work_kib) < grain_kib * rest.passes
        assert (rest.memory_kib <= whole.memory_kib, rest.lanes) == (True, whole.lanes)


def test_the_memory_of_all_hashes_at_once_is_known_beforehand() -> None:
    """The memory of all parallel hashes is known: threads times the largest of profile, decoy and declared hashes."""
    assert Passwords(threads=3).memory_kib_max == 3 * STORED_COSTLIEST.memory_kib
    large = Profile(1, 200_000, 1)
    assert Passwords(large, threads=2).memory_kib_max == 2 * 200_000
    assert Passwords(decoy=large, threads=2).memory_kib_max == 2 * 200_000
