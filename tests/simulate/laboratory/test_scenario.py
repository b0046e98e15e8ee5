"""Scenarios: every parameter has a source, and a mistake is named."""

from __future__ import annotations

import pytest

from sekisho.simulate.laboratory import ScenarioError, packaged, read_scenario
from sekisho.simulate.laboratory.policy import policies
from tests.simulate.laboratory.playing import played

SOUND = (
    'title = "t"\nhours = [2, "assumed"]\n[owners]\ncount = [30, "assumed"]\n[[attack]]\nattempts = [5, "assumed"]\n'
)


def test_a_scenario_is_read() -> None:
    """Values reach owners and attacks; a parameter that is left out has its default."""
    found = read_scenario("s", SOUND)

    assert (found.title, found.hours, found.owners.count, found.attacks[0].attempts) == ("t", 2.0, 30, 5)
    assert found.owners.typo_share == 0.14
    assert found.sources["s: owners.count"] == "30; assumed"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (SOUND.replace('[30, "assumed"]', "30"), r"owners\.count: a parameter is"),
        (SOUND.replace('[30, "assumed"]', '[30, ""]'), r"owners\.count: a parameter is"),
        (SOUND.replace("count", "counted"), "unknown: counted"),
        (SOUND.replace('[30, "assumed"]', '["many", "assumed"]'), "not of the type int"),
        (SOUND + 'source = ["moon", "assumed"]\n', "source is one of"),
        (SOUND + "[other]\n", "unknown: other"),
        ("= 3", "no TOML"),
    ],
)
def test_a_mistake_is_named(wrong: str, said: str) -> None:
    """A parameter without a source, an unknown one, and one of another type are refused."""
    with pytest.raises(ScenarioError, match=said):
        read_scenario("s", wrong)


@pytest.mark.parametrize("name", packaged())
def test_a_packaged_scenario_runs(name: str) -> None:
    """Every scenario of the package runs at a small scale, and its owners log in."""
    small = read_scenario(name, packaged()[name]).scaled(0.004)
    results = played(small)

    assert results.attempts == sum(attack.attempts for attack in small.attacks)
    assert results.owners.entered > 0
    assert small.sources
    assert all("; " in source for source in small.sources.values())


def test_scaling_keeps_one_address_for_each_attempt() -> None:
    """Fewer owners, attempts and addresses; 0 addresses, one for each attempt, stays 0."""
    found = read_scenario("7pay", packaged()["7pay"]).scaled(0.1)
    assert (found.owners.count, found.attacks[0].attempts, found.attacks[0].addresses) == (660, 3000, 8)
    assert read_scenario("o", packaged()["one-per-address"]).scaled(0.1).attacks[0].addresses == 0


def test_a_scenario_has_a_scale_of_its_own() -> None:
    """Six right passwords stay six; a scale that is asked for is used instead."""
    six = read_scenario("six", packaged()["six-right-passwords"])
    seven = read_scenario("7pay", packaged()["7pay"])
    assert six.scaled().attacks[0].attempts == 6
    assert (seven.scaled().owners.count, seven.scaled(1).owners.count) == (660, 6600)


def test_policies_are_settings() -> None:
    """The policies of the package, and a mistake in a file of them."""
    assert policies()["factors"].has_factors
    assert not policies()["default"].has_factors
    with pytest.raises(ScenarioError, match="policy p: needs `about`"):
        policies('[p]\nlimit_ip = "1/day"\n')
