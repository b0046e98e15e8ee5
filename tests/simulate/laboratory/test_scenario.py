"""Scenarios: every parameter has a source, and a mistake is named."""

from __future__ import annotations

import pytest

from sekisho.cli.guards import build_of
from sekisho.simulate.laboratory import ScenarioError, packaged, read_scenario
from sekisho.simulate.laboratory.policy import policies
from sekisho.simulate.laboratory.scenario import Attack, OwnerHabits
from tests.simulate.laboratory.playing import played

SOUND = (
    'title = "t"\nhours = [2, "assumed"]\n[owners]\ncount = [30, "assumed"]\n[[attack]]\nattempts = [5, "assumed"]\n'
    'hours = [2, "assumed"]\n'
)


def owners_and(text: str, **more: float) -> str:
    """A scenario with more parameters of its owners."""
    return text.replace(
        "[owners]\n", "[owners]\n" + "".join(f'{name} = [{each}, "assumed"]\n' for name, each in more.items())
    )


def test_a_scenario_is_read() -> None:
    """Values reach owners and attacks; a parameter that is left out has its default."""
    found = read_scenario("s", SOUND)

    assert (found.title, found.hours, found.owners.count, found.attacks[0].attempts) == ("t", 2.0, 30, 5)
    assert found.owners.typo_share == 0.14
    assert found.sources["s: owners.count"] == "30; assumed"


def test_frequent_passwords_need_no_owner_whose_password_is_in_lists() -> None:
    """Neither does one PIN at all numbers: `right_share` is about lists."""
    none_listed = owners_and(SOUND.replace("5,", "5_000,"), reusing_share=0)
    for kind in ("passwords = [9", "links = [true"):
        assert read_scenario("s", f'{none_listed}{kind}, "assumed"]\n').attacks[0].attempts == 5_000
    with pytest.raises(ScenarioError, match="more right pairs than owners"):
        read_scenario("s", none_listed)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (SOUND.replace('[30, "assumed"]', "30"), r"owners\.count: a parameter is"),
        (SOUND.replace('[30, "assumed"]', '[30, ""]'), r"owners\.count: a parameter is"),
        (SOUND.replace("count", "counted"), "unknown: counted"),
        (SOUND.replace('[30, "assumed"]', '["many", "assumed"]'), "not of the type int"),
        (SOUND + 'source = ["moon", "assumed"]\n', r"attack 1\.source: is none of datacentre, residential"),
        (SOUND + "[other]\n", "unknown: other"),
        ("= 3", "no TOML"),
        (SOUND.replace('"t"', "3"), "s: title is no text"),
        (SOUND.replace('[2, "assumed"]', '["two", "assumed"]'), "s: hours: is not of the type float"),
        (SOUND.replace('[2, "assumed"]', '[nan, "assumed"]'), "s: hours: is not between 0 and 9,600"),
        ('scale = [inf, "assumed"]\n' + SOUND, r"s: scale: is not between 0\.001 and 1,000"),
        ('hours = [2, "assumed"]\nowners = 3\n', "s: owners: is no table"),
        ('hours = [2, "assumed"]\nattack = 3\n', "s: attack is no list"),
        ('hours = [2, "assumed"]\nattack = [3]\n', "s: attack 1: is no table"),
        (SOUND.replace("[[attack]]", "[attack]"), "s: attack is no list"),
        (SOUND.replace('[30, "assumed"]', '[0, "assumed"]'), r"owners\.count: is not between 1"),
        (SOUND + 'right_share = [-0.1, "assumed"]\n', r"attack 1\.right_share: is not between 0 and 1"),
        (SOUND + 'browsers = [0, "assumed"]\n', r"attack 1\.browsers: is not between 1"),
        (SOUND + 'browsers = [7, "assumed"]\n', "attack 1: browsers: bots imitate 6 at most"),
        (SOUND.replace("5,", "0,"), "attack 1: attempts: none"),
        ("title = 'x'", "^s: hours: is missing$"),
        (SOUND + 'from_h = [1, "assumed"]\n', "attack 1: from_h and hours end after"),
        (SOUND + 'right = [6, "assumed"]\n', "attack 1: right: is more than attempts"),
        (SOUND + 'right = [4, "assumed"]\n', "attack 1: right or right_share: more right pairs"),
        (SOUND + 'crew = [4, "assumed"]\n', "attack 1: crew: is more than addresses"),
        (owners_and(SOUND, nat_share=0.8, proxy_share=0.3), "owners: nat_share and proxy_share are more than 1"),
        (owners_and(SOUND, surge_hours=3), "owners: surge_from_h and surge_hours end after"),
        (owners_and(SOUND, logins_per_day=0), r"owners\.logins_per_day: is not between 0\.001 and 100"),
        (owners_and(SOUND, nat_size=0), r"owners\.nat_size: is not between 1"),
        ('step_s = [1e7, "assumed"]\n' + SOUND, "s: step_s: is not between -864,000"),
        ('step_at_h = [3, "assumed"]\n' + SOUND, "s: step_at_h: is after the scenario"),
        (owners_and(SOUND, resets_per_month=1), "owners: resets_per_month: there is a door for resets only where"),
        (owners_and(SOUND, fault_from_h=2, fault_hours=1), "owners: fault_from_h and fault_hours end after"),
        (owners_and(SOUND, fault_hours=1), "owners: fault_share and fault_hours: neither means anything"),
        (owners_and(SOUND, v6_days=1), r"owners: v6_days: no owner has IPv6 \(v6_share\)"),
        (owners_and(SOUND, v6_pool=40), r"owners: v6_pool: no home gets another /56 \(v6_days\)"),
        (SOUND + 'in_pool = [true, "assumed"]\n', r"attack 1: in_pool: no home gets another /56"),
        (SOUND + 'own_accounts = [2, "assumed"]\n', "attack 1: own_accounts: need addresses"),
        (SOUND + 'own_accounts = [28, "assumed"]\n', "own_accounts and reusing_share are more than all"),
        (owners_and(SOUND, proxy_share=0) + 'behind_proxy = [true, "assumed"]\n', "attack 1: behind_proxy: no owner"),
        (SOUND + 'on_file = [true, "assumed"]\n', "attack 1: on_file: no reset is asked for"),
        (
            SOUND + 'resets = [true, "assumed"]\nsolves = [true, "assumed"]\n',
            "attack 1: resets: with links, passwords, weak_share, relays or solves",
        ),
        (SOUND + 'copies = [true, "assumed"]\n', "attack 1: copies: of no owner's cookies"),
        (SOUND + 'at_owner = [true, "assumed"]\n', "attack 1: at_owner: no cookies are copied"),
        (
            SOUND.replace("5,", "50,") + 'copies = [true, "assumed"]\nright = [31, "assumed"]\n',
            "copies: of more owners",
        ),
        (
            SOUND + 'copies = [true, "assumed"]\nright = [3, "assumed"]\nlinks = [true, "assumed"]\n',
            "attack 1: copies: with links, passwords, weak_share, relays or resets",
        ),
        (
            owners_and(SOUND, nat_share=0) + 'behind_nat = [true, "assumed"]\n',
            "attack 1: behind_nat: no owner is behind",
        ),
    ],
)
def test_a_mistake_is_named(wrong: str, said: str) -> None:
    """A parameter without a source, of another type, out of bounds, or against another one is refused by its name."""
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


def test_a_parameter_that_is_added_later_moves_no_draw() -> None:
    """Draws and names of kept runs are made of the text of a scenario: it has later parameters where they are used."""
    assert repr(Attack()).endswith("weak_share=0.0, together=False)")
    assert repr(OwnerHabits()).endswith("surge=1)")
    assert repr(OwnerHabits(resets_per_month=0.5)).endswith("surge=1, resets_per_month=0.5)")
    assert repr(Attack(nats=3)).endswith("together=False, nats=3)")
    assert "step_s" not in repr(read_scenario("s", SOUND))


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
    with pytest.raises(ScenarioError, match="policy p: is no table with `about`"):
        policies('[p]\nlimit_ip = "1/day"\n')
    with pytest.raises(ScenarioError, match="policy p: limit_ip: is no text"):
        policies('[p]\nabout = "a"\nlimit_ip = 3\n')


def test_no_more_owners_than_there_are_names_for() -> None:
    """A scale that asks for more is refused before anything is played."""
    seven = read_scenario("7pay", packaged()["7pay"])
    with pytest.raises(ScenarioError, match=r"7pay: owners\.count: more than 50,000,000 at the scale 10000"):
        seven.scaled(10_000)


@pytest.mark.parametrize("setting", ["store", "audit", "code_webhook", "login", "secret"])
def test_a_policy_reaches_nothing_outside(setting: str) -> None:
    """A file that was written for a replay may name the service's store: no invented log-in is counted there."""
    with pytest.raises(ScenarioError, match=f"policy p: {setting}: is not taken here"):
        build_of("p", policies(f'[p]\nabout = "a"\n{setting} = "redis://redis.internal"\n'))
