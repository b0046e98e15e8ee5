"""The named profiles equal their sources, and hashes use them."""

from __future__ import annotations

import argon2
import pytest
from argon2 import profiles

from sekisho import passwords
from sekisho.passwords import Passwords, Profile

# RFC 9106 section 4, and the OWASP Password Storage Cheat Sheet under "Argon2id": passes, KiB, lanes.
FIGURES = {
    "RFC9106_HIGH_MEMORY": (1, 2 * 1024 * 1024, 4),
    "RFC9106_LOW_MEMORY": (3, 64 * 1024, 4),
    "OWASP_46MIB": (1, 46 * 1024, 1),
    "OWASP_19MIB": (2, 19 * 1024, 1),
    "OWASP_12MIB": (3, 12 * 1024, 1),
    "OWASP_9MIB": (4, 9 * 1024, 1),
    "OWASP_7MIB": (5, 7 * 1024, 1),
}
LIGHT = [name for name in FIGURES if name != "RFC9106_HIGH_MEMORY"]


@pytest.mark.parametrize("name", FIGURES)
def test_a_named_profile_is_that_of_its_source(name: str) -> None:
    """A named profile equals its source to the kibibyte and names it; salts have 128 bits and tags 256."""
    profile: Profile = getattr(passwords, name)
    assert FIGURES[name] == (profile.passes, profile.memory_kib, profile.lanes)
    assert (profile.salt_bytes, profile.tag_bytes) == (16, 32)
    assert profile.source.startswith(name.partition("_")[0].replace("RFC", "RFC "))


@pytest.mark.parametrize("name", ["RFC_9106_HIGH_MEMORY", "RFC_9106_LOW_MEMORY"])
def test_the_rfcs_profiles_are_those_of_argon2_cffi(name: str) -> None:
    """The RFC's profiles equal those of argon2-cffi."""
    theirs: argon2.Parameters = getattr(profiles, name)
    ours: Profile = getattr(passwords, name.replace("RFC_", "RFC"))
    figures = (theirs.time_cost, theirs.memory_cost, theirs.parallelism, theirs.salt_len, theirs.hash_len)
    assert Profile(*figures) == ours


@pytest.mark.parametrize("name", LIGHT)
async def test_hashes_are_made_by_the_profile(name: str) -> None:
    """A new hash has the profile's parameters, as argon2-cffi reads and verifies it."""
    profile: Profile = getattr(passwords, name)
    made = await Passwords(profile).hash("an old pond")
    found = argon2.extract_parameters(made)
    assert (found.type, found.version) == (argon2.Type.ID, 19)
    assert (found.time_cost, found.memory_cost, found.parallelism) == FIGURES[name]
    assert argon2.PasswordHasher().verify(made, "an old pond")


def test_the_default_is_owasps_minimum() -> None:
    """The default is OWASP's minimum, a fifth of argon2-cffi's: under attack the service pays for every guess."""
    assert Passwords().profile == passwords.OWASP_19MIB
    assert passwords.RFC9106_LOW_MEMORY.work_kib > 5 * passwords.OWASP.work_kib


@pytest.mark.parametrize(("passes", "memory_kib", "lanes"), [(0, 8, 1), (1, 7, 1), (1, 8, 0), (1, 31, 4)])
def test_what_argon2_cannot_do_is_no_profile(passes: int, memory_kib: int, lanes: int) -> None:
    """Parameters outside RFC 9106 section 3.1 are refused at the start, not at the first log-in."""
    with pytest.raises(ValueError, match="8 KiB a lane"):
        Profile(passes, memory_kib, lanes)
