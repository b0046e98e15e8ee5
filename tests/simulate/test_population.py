"""Owners are distinct and repeatable, with passwords as people choose them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.simulate.population import Population
from sekisho.simulate.words import leaked_passwords

LEAKED = frozenset(leaked_passwords())


@given(seed=st.integers(), owners=st.integers(1, 50_000_000), index=st.integers(0, 99_999_999))
def test_an_owner_is_the_same_in_every_population_of_that_seed(seed: int, owners: int, index: int) -> None:
    """An owner is the same in every population of a seed, as each worker builds its own."""
    seed %= 2**64
    one, other = Population(owners, seed), Population(owners, seed)
    owner = index % owners
    assert one.account(index) == other.account(index)
    assert one.password(owner) == other.password(owner)
    assert one.home(owner) == other.home(owner)


def test_no_two_accounts_share_a_name_nor_two_owners_an_address() -> None:
    """A doubled name would put two people's attempts on one counter."""
    population = Population(20_000, seed=3)
    assert len({population.account(index) for index in range(40_000)}) == 40_000
    assert len({population.home(owner) for owner in range(20_000)}) == 20_000


def test_the_reusing_owners_and_no_others_have_a_leaked_password() -> None:
    """Of the stated share of owners four in five have a leaked password; all others have none."""
    population = Population(2_000, seed=3, reusing_share=0.25)
    exposed = [population.password(owner) in LEAKED for owner in range(2_000)]
    assert exposed == [owner < 500 and owner % 5 != 0 for owner in range(2_000)]
    assert exposed == [population.is_listed(owner) for owner in range(2_000)]
    unlisted = [owner for owner in range(2_000) if not exposed[owner]]
    assert len({population.password(owner) for owner in unlisted}) == len(unlisted) == 1_600


def test_leaked_passwords_follow_zipf() -> None:
    """The hundred most frequent of 30,000 are chosen by about log 100 / log 30,000 = 45% of owners who reuse one."""
    population = Population(5_000, seed=3, reusing_share=1)
    top = frozenset(leaked_passwords()[:100])
    listed = [owner for owner in range(5_000) if population.is_listed(owner)]
    assert 0.40 < sum(population.password(owner) in top for owner in listed) / len(listed) < 0.50


@given(seed=st.integers(0, 2**64), owner=st.integers(0, 999))
def test_a_typo_is_never_right(seed: int, owner: int) -> None:
    """A typing error is never the password."""
    population = Population(1_000, seed, reusing_share=0.5)
    assert population.mistyped(owner) != population.password(owner)


@given(seed=st.integers(0, 2**64), owner=st.integers(0, 16_500_000))
def test_homes_are_addresses_that_nobody_has(seed: int, owner: int) -> None:
    """Owners' addresses are in 240.0.0.0/4, which is routed nowhere, so logs accuse no real network."""
    assert IPv4Address(Population(16_500_001, seed).home(owner)) in IPv4Network("240.0.0.0/5")


@pytest.mark.parametrize("owners", [0, 50_000_001])
def test_a_population_that_would_repeat_names_is_refused(owners: int) -> None:
    """A population beyond 100 million, which would repeat names, is refused."""
    with pytest.raises(ValueError, match="owners must be between 1 and 50 million"):
        Population(owners)
