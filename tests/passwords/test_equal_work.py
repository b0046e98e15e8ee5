"""A wrong password costs the same whoever it is tried on: counted in what argon2 is asked for, not in time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.passwords import STORED_COSTLIEST, Passwords, Profile, _rest
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
    """The same call with the same parameters, once."""
    passwords = Passwords(TODAY)
    stored = await passwords.hash(PASSWORD)

    known = await asked_for(argon2, passwords, stored, "guess")
    unknown = await asked_for(argon2, passwords, None, "guess")

    assert known == unknown == [Asked("verify", 3, 128, 1)]


async def test_a_right_password_costs_one_hash(argon2: Argon2) -> None:
    """Nothing more is computed than the answer needs."""
    passwords = Passwords(TODAY)
    stored = await passwords.hash(PASSWORD)
    assert await asked_for(argon2, passwords, stored, PASSWORD) == [Asked("verify", 3, 128, 1)]


async def test_a_right_password_on_an_old_hash_costs_the_new_one_as_well(argon2: Argon2) -> None:
    """Told to nobody but to whoever gave the right password."""
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
    """The hash itself and the rest of the work: an account that nobody used for years says no as slowly as any."""
    stored = await Passwords(old).hash(PASSWORD)
    passwords = Passwords(TODAY)

    asked = await asked_for(argon2, passwords, stored, "guess")

    assert asked == [Asked("verify", old.passes, old.memory_kib, old.lanes), rest]
    nobodys = work_kib(await asked_for(argon2, passwords, None, "guess"))
    assert nobodys - 3 < work_kib(asked) <= nobodys


async def test_after_the_profile_was_lowered_the_decoy_costs_what_the_old_hashes_do(argon2: Argon2) -> None:
    """Old ones, new ones and nobody's: the same work for a wrong password; new hashes are of the new profile."""
    before, now = Profile(4, 128, 1), Profile(1, 128, 1)
    passwords = Passwords(now, decoy=before)
    old, new = await Passwords(before).hash(PASSWORD), await passwords.hash(PASSWORD)

    works = {work_kib(await asked_for(argon2, passwords, stored, "guess")) for stored in (old, new, None)}

    assert works == {4 * 128}
    assert await asked_for(argon2, passwords, old, PASSWORD) == [Asked("verify", 4, 128, 1), Asked("hash", 1, 128, 1)]


def test_a_decoy_cheaper_than_the_profile_is_a_mistake() -> None:
    """It would tell who has an account, quickly."""
    with pytest.raises(ValueError, match="would tell which accounts exist"):
        Passwords(TODAY, decoy=Profile(1, 128, 1))


async def test_nobodys_password_is_never_right() -> None:
    """Whatever argon2 said of the decoy."""
    assert not await Passwords(TODAY).verify(None, PASSWORD)


async def test_every_check_is_counted_once(argon2: Argon2) -> None:
    """Known or not, right or wrong, renewed or made up for."""
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
    """To within argon2's own grain, and never in more memory than the whole takes."""
    rest = _rest(whole, part)
    missing_kib = whole.work_kib - part.work_kib
    grain_kib = 8 * whole.lanes
    if rest is None:
        assert missing_kib < grain_kib
    else:
        assert abs(missing_kib - rest.work_kib) < grain_kib * rest.passes
        assert (rest.memory_kib <= whole.memory_kib, rest.lanes) == (True, whole.lanes)


def test_the_memory_of_all_hashes_at_once_is_known_beforehand() -> None:
    """Threads times the largest that is believed, of the profile, the decoy and what may be stored."""
    assert Passwords(threads=3).memory_kib_max == 3 * STORED_COSTLIEST.memory_kib
    large = Profile(1, 200_000, 1)
    assert Passwords(large, threads=2).memory_kib_max == 2 * 200_000
    assert Passwords(decoy=large, threads=2).memory_kib_max == 2 * 200_000
