"""Traffic is repeatable, ordered, in the stated shares, and right where it says so."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.simulate.generator import (
    SCENARIOS,
    CampaignTries,
    DemoCampaign,
    DemoScenario,
    Honest,
    Logins,
    Rota,
    Try,
    attack,
    habits,
    logins,
    traffic,
)
from sekisho.simulate.population import Population

ATTACKERS = IPv4Network("248.0.0.0/5")
LIMITED = ATTACKERS.broadcast_address


@st.composite
def scenarios(draw: st.DrawFn) -> DemoScenario:
    """Small scenarios of every shape."""
    known = draw(st.floats(0.01, 1))
    campaign = DemoCampaign(
        attempts=draw(st.integers(0, 400)),
        per_second=draw(st.floats(0.1, 10_000)),
        addresses=draw(st.integers(1, 500)),
        rented_share=draw(st.floats(0, 1)),
        block=draw(st.integers(1, 254)),
        known_share=known,
        right_share=known * draw(st.floats(0, 1)),
        sprayed=draw(st.sampled_from([0, 0, 1, 5])),
        crew=draw(st.sampled_from([0, 0, 1, 7, 100])),
    )
    honest = Honest(
        logins=draw(st.integers(0, 200)),
        per_second=draw(st.floats(0.1, 1_000)),
        typo_share=draw(st.floats(0, 1)),
        known_share=draw(st.floats(0, 1)),
    )
    return DemoScenario(
        title="",
        owners=draw(st.integers(1, 300)),
        campaign=campaign,
        honest=honest,
        reusing_share=draw(st.floats(0, 1)),
        seed=draw(st.integers(0, 2**64)),
    )


@given(scenarios())
def test_the_same_seed_gives_the_same_traffic(scenario: DemoScenario) -> None:
    """The same seed gives the same traffic, for the runs with and without the guard."""
    assert list(scenario.traffic()) == list(scenario.traffic())


@given(scenarios())
def test_another_seed_gives_other_people(scenario: DemoScenario) -> None:
    """Another seed gives other people, not just another order."""
    other = replace(scenario, seed=scenario.seed + 1).population()
    assert scenario.population().account(0) != other.account(0)


@given(scenarios())
def test_traffic_is_in_order_of_time(scenario: DemoScenario) -> None:
    """Traffic is in order of time, so replaying needs no look-ahead."""
    assert all(before.at_us <= after.at_us for before, after in pairwise(scenario.traffic()))


@given(scenarios())
def test_right_is_exactly_what_the_password_says(scenario: DemoScenario) -> None:
    """An attempt counts as right exactly if it has the owner's password."""
    population = scenario.population()
    passwords = {population.account(owner): population.password(owner) for owner in range(scenario.owners)}
    for attempt in scenario.traffic():
        assert attempt.right == (passwords.get(attempt.account) == attempt.password)
        assert (attempt.owner >= 0) == (attempt.account in passwords)


@given(scenarios())
def test_the_attackers_shares_are_as_stated(scenario: DemoScenario) -> None:
    """The attackers' attempts, existing accounts and right pairs match their stated shares within rounding."""
    campaign = scenario.campaign
    tries = list(attack(scenario.population(), campaign, seed=scenario.seed))
    assert len(tries) == campaign.attempts
    assert abs(sum(one.owner >= 0 for one in tries) - campaign.known_share * campaign.attempts) <= 1
    if not campaign.sprayed and scenario.population().reusing:
        assert abs(sum(one.right for one in tries) - campaign.right_share * campaign.attempts) <= 2


@given(seed=st.integers(0, 2**64))
def test_a_list_without_right_pairs_has_none_by_chance(seed: int) -> None:
    """A list without right pairs has none by chance: a right random guess at a leaked password is replaced."""
    campaign = DemoCampaign(attempts=600, per_second=1, addresses=9, known_share=1, right_share=0)
    assert not any(one.right for one in attack(Population(50, seed, reusing_share=1), campaign, seed=seed))


@given(scenarios())
def test_stuffing_tries_every_owner_about_as_often(scenario: DemoScenario) -> None:
    """Stuffing tries every owner about as often, as a combo list holds a name once or twice."""
    tries = attack(scenario.population(), replace(scenario.campaign, right_share=0), seed=scenario.seed)
    per_owner = Counter(one.owner for one in tries if one.owner >= 0)
    turns = round(scenario.campaign.known_share * scenario.campaign.attempts)
    assert max(per_owner.values(), default=0) <= -(-turns // scenario.owners) + 1


@given(scenarios())
def test_attackers_use_all_their_addresses_and_none_of_an_owners(scenario: DemoScenario) -> None:
    """Attackers use all stated addresses, as many per /24 as stated, and no owner's."""
    campaign = scenario.campaign
    addresses = {IPv4Address(one.address) for one in attack(scenario.population(), campaign, seed=scenario.seed)}
    # In crews with fewer attempts than members some members make none.
    used_max = min(campaign.addresses, campaign.attempts)
    assert len(addresses) <= used_max if campaign.crew else len(addresses) == used_max
    assert all(address in ATTACKERS and address != LIMITED for address in addresses)
    networks = Counter(IPv4Network((address, 24), strict=False) for address in addresses)
    assert max(networks.values(), default=0) <= campaign.block


@given(scenarios())
def test_traffic_by_number_is_the_traffic(scenario: DemoScenario) -> None:
    """Several processes that share the numbers send together what one would."""
    population, campaign, honest, seed = scenario.population(), scenario.campaign, scenario.honest, scenario.seed
    by_number, log_in = CampaignTries(population, campaign, seed=seed), Logins(population, honest, seed=seed)
    backwards = [by_number(number) for number in reversed(range(campaign.attempts))]
    visits = [attempt for number in range(honest.logins) for attempt in log_in(number)]

    assert backwards[::-1] == list(attack(population, campaign, seed=seed))
    assert sorted(visits) == sorted(logins(population, honest, seed=seed))
    for number, one in enumerate(backwards[::-1]):
        origin, combo = by_number.origin(number), by_number.combo(number)
        assert (by_number.address(origin), by_number.user_agent(origin)) == (one.address, one.user_agent)
        assert combo == (one.owner, one.account, one.password, one.right, one.listed)


@given(scenarios())
def test_crews_take_turns(scenario: DemoScenario) -> None:
    """Every address belongs to one crew, works in its shift alone, and has as many attempts as others."""
    campaign = scenario.campaign
    rota = Rota(campaign)
    crews = [rota.crew(shift) for shift in range(campaign.shifts)]
    assert sorted(address for crew in crews for address in crew) == list(range(campaign.addresses))
    assert max(map(len, crews)) <= (campaign.crew or campaign.addresses)
    for shift, crew in enumerate(crews):
        worked = Counter(map(rota.address, rota.attempts(shift)))
        assert set(worked) <= set(crew)
        each = [worked[address] for address in crew]
        assert max(each) - min(each) <= 1


def test_a_crew_is_mixed_as_all_are_and_its_members_come_far_from_their_neighbours() -> None:
    """Of 2,000 at work 1,600 are rented, in whole blocks; no block has two of any ten attempts in a row."""
    campaign = SCENARIOS["stuffing"].campaign
    rota = Rota(campaign)
    rented = [address for address in rota.crew(7) if address < campaign.rented]
    assert len(rented) == 1_600
    assert set(Counter(address // campaign.block for address in rented).values()) == {campaign.block}
    in_a_row = [rota.address(number) for number in rota.attempts(7)[:2_000]]
    blocks = [address // campaign.block if address < campaign.rented else -address for address in in_a_row]
    assert all(len(set(blocks[at : at + 10])) == 10 for at in range(len(blocks) - 10))


def test_right_passwords_come_from_everywhere() -> None:
    """200 right pairs from 300 addresses: no address has more than chance gives, or limits would look weaker."""
    demo = SCENARIOS["demo"]
    addresses = Counter(one.address for one in attack(demo.population(), demo.campaign, seed=demo.seed) if one.right)
    assert len(addresses) > 140
    assert max(addresses.values()) < 10


@given(scenarios())
def test_owners_log_in_from_home_and_in_the_end_get_it_right(scenario: DemoScenario) -> None:
    """Every owner's log-in ends with the right password, from the owner's address and browser."""
    population = scenario.population()
    tries = list(logins(population, scenario.honest, seed=scenario.seed))
    assert sum(one.right for one in tries) == scenario.honest.logins
    assert all((one.address, one.user_agent) == _home(population, one) for one in tries)


def _home(population: Population, attempt: Try) -> tuple[str, str]:
    return population.home(attempt.owner), population.browser(attempt.owner)


def test_one_log_in_in_seven_begins_with_a_typo() -> None:
    """Of 7,000 log-ins about 1,000 take a second attempt, two seconds after the first."""
    tries = list(logins(Population(7_000), Honest(logins=7_000, per_second=1)))
    typos = {one.owner: one.at_us for one in tries if not one.right}
    mended = {one.owner: one.at_us for one in tries if one.right}
    assert 900 < len(typos) < 1_100
    assert all(mended[owner] - at_us == 2_000_000 for owner, at_us in typos.items())


@given(scenarios())
def test_each_owner_of_a_known_device_has_logged_in_before(scenario: DemoScenario) -> None:
    """`habits` has one right log-in, by the same browser, of each owner with a known device."""
    population = scenario.population()
    before = list(habits(population, scenario.honest, seed=scenario.seed))
    later = list(logins(population, scenario.honest, seed=scenario.seed))
    assert {one.owner for one in before} == {one.owner for one in later if one.known_device}
    assert all(one.right and one.user_agent == population.browser(one.owner) for one in before)
    assert len({one.owner for one in before}) == len(before)


def test_spraying_tries_one_password_at_every_account_before_the_next() -> None:
    """Spraying tries one password at every account, most frequent first; owners of that password count as right."""
    population = Population(1_000, reusing_share=1)
    campaign = DemoCampaign(attempts=2_000, per_second=10, addresses=50, known_share=1, right_share=0, sprayed=2)
    tries = list(attack(population, campaign))
    by_password = Counter(one.password for one in tries)
    assert by_password == {"123456": 1_000, "password": 1_000}
    assert sum(one.right for one in tries) == sum(
        population.password(owner) in {"123456", "password"} for owner in range(1_000)
    )


def test_attempts_are_spread_over_the_stated_time() -> None:
    """4,000 attempts at 2,000 a second take two seconds, half of them in the first."""
    campaign = replace(SCENARIOS["demo"].campaign, attempts=4_000, per_second=2_000)
    moments = [one.at_us for one in attack(Population(100), campaign)]
    assert moments[-1] < 2_000_000
    assert abs(sum(moment < 1_000_000 for moment in moments) - 2_000) <= 1


def test_fifty_million_attempts_are_a_stream() -> None:
    """The largest scenario streams: first attempts at once, and no more memory after a thousand than after ten."""
    stream = SCENARIOS["stuffing"].traffic()
    list(islice(stream, 1_000))
    tracemalloc.start()
    try:
        for _ in islice(stream, 5_000):
            pass
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 100_000


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_mixes_attackers_and_owners(name: str) -> None:
    """Within the first 10,000 tries there are both."""
    assert {one.honest for one in islice(SCENARIOS[name].traffic(), 10_000)} == {True, False}


def test_a_try_does_not_show_what_was_typed() -> None:
    """A try's `repr` shows no account, password or address: tracebacks print it."""
    attempt = next(traffic(Population(10), SCENARIOS["demo"].campaign, SCENARIOS["demo"].honest))
    combo = CampaignTries(Population(10), SCENARIOS["demo"].campaign).combo(0)
    shown = f"{attempt} {attempt!r} {combo!r}"
    assert attempt.account not in shown
    assert attempt.password not in shown
    assert attempt.address not in shown
    assert combo.account not in shown


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"right_share": 0.5, "known_share": 0.4}, "right_share may not exceed known_share"),
        ({"addresses": 0}, "addresses must be between 1 and 262,144"),
        ({"addresses": 262_145}, "addresses must be between 1 and 262,144"),
        ({"block": 255}, "in blocks of 1 to 254"),
        ({"per_second": 0}, "per_second must be positive"),
        ({"crew": -1}, "a crew may not be negative"),
    ],
)
def test_a_campaign_that_makes_no_sense_is_refused(wrong: dict[str, float], message: str) -> None:
    """A campaign with a wrong share is an error."""
    with pytest.raises(ValueError, match=message):
        replace(SCENARIOS["demo"].campaign, **wrong)  # type: ignore[arg-type]  # floats and integers
