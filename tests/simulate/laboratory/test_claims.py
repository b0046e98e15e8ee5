"""The claims beside their figures, from results that were written by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from sekisho.simulate.laboratory import packaged, read_scenario
from sekisho.simulate.laboratory.claims import CLAIMS, attempts_until_alarm, claims_section
from sekisho.simulate.laboratory.policy import policies
from sekisho.simulate.laboratory.report import Played
from sekisho.simulate.laboratory.results import KNOWN, CopyCounts, CopyUse, OwnerCounts, ResetCounts, Results

POLICIES = policies()
TAKEN = "takeovers, of right pairs sent"
BESIDE = "takeovers, of those at the best other limiter"


def played(name: str, policy: str, seed: int = 1, **counts: object) -> Played:
    return Played(read_scenario(name, packaged()[name]), policy, seed, Results(**counts))  # type: ignore[arg-type]


def taking(name: str, policy: str, seed: int = 1, *, right: int, taken: int, of: str = "sent") -> Played:
    return played(name, policy, seed, right=Counter({of: right}), taken={of: set(range(taken))} if taken else {})


def owners(name: str, policy: str, kinds: dict[str, OwnerCounts]) -> Played:
    return played(name, policy, by_kind=kinds)


def cells(*runs: Played) -> dict[str, list[str]]:
    """The cells of the table by claim, without the column of what is wanted."""
    lines = [line.strip("| ").split(" | ") for line in claims_section(runs, POLICIES) for line in line.splitlines()]
    return {name: rest for name, _, *rest in (line for line in lines if len(line) > 2)}


def misses(*runs: Played) -> list[str]:
    return [line.strip() for line in claims_section(runs, POLICIES) if line.startswith("    - ")]


def test_every_claim_has_a_name_of_its_own() -> None:
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)


def test_takeovers_are_told_by_the_class_of_account() -> None:
    """A right pair at an account with a passkey is a claim of its own; a class without one has no line."""
    found = cells(*(taking("7pay", "factors", seed, right=seed, taken=seed - 1, of="phr") for seed in (1, 2)))
    assert found["takeovers of accounts with a passkey (`phr`)"] == ["**1 of 3**"]
    assert "takeovers of accounts with an app (`app`)" not in found


def test_the_relay_phisher_has_lines_of_its_own() -> None:
    """The share of a phisher who passes codes on is stated, and counts in no other line."""
    found = cells(taking("relay-phisher", "factors", right=6, taken=6))
    assert found["relay phisher: takeovers, with mail"] == ["6 of 6"]
    assert TAKEN not in found


def test_a_tenth_is_judged_scenario_by_scenario() -> None:
    """One in twenty over all scenarios is bold where one scenario lost more than a tenth, which is named."""
    runs = [taking("7pay", "posture", right=90, taken=0), taking("one-per-address", "posture", right=10, taken=5)]
    assert cells(*runs)[TAKEN] == ["**5 of 100**"]
    assert misses(runs[0]) == []
    assert "- `posture`: one-per-address 5 of 10" in misses(*runs)


def test_the_best_other_limiter_is_that_of_the_same_seeds() -> None:
    """A limiter that was not played with all of the policy's seeds is left out, and so is one that loses none."""
    runs = [taking("7pay", "default", seed, right=10, taken=1) for seed in (1, 2)]
    peers = [taking("7pay", "keycloak", seed, right=10, taken=9) for seed in (1, 2)]
    assert cells(*runs, *peers, taking("7pay", "auth0", 1, right=10, taken=2))[BESIDE] == ["**2 of 18**"]
    assert BESIDE not in cells(*runs, *(taking("7pay", "slowapi", seed, right=10, taken=0) for seed in (1, 2)))


def test_policies_that_miss_alike_share_a_line_and_many_scenarios_are_counted() -> None:
    names = ("7pay", "one-per-address", "one-per-account", "lock-out", "sales-peak", "six-right-passwords")
    lost = dict(zip(names, (2, 3, 4, 4, 4, 5), strict=True))
    runs = [taking(name, policy, right=10, taken=lost[name]) for policy in ("default", "quiet") for name in names]
    assert "- `default`, `quiet`: in 6 of 6 scenarios, most of all six-right-passwords 5 of 10" in misses(*runs)
    assert any(line.count(" of 10") == 5 for line in misses(*(run for run in runs if run.scenario.name != "7pay")))


def test_owners_behind_shared_addresses_are_told_apart() -> None:
    """Refused is lost without a question that the owner could not answer; known devices have a claim of their own."""
    counts = {
        "carrier NAT": OwnerCounts(log_ins=100, lost=5, unproved=3),
        "at home": OwnerCounts(log_ins=800, asked=8, asked_first=4),
        KNOWN: OwnerCounts(log_ins=100, worked=1),
    }
    found = cells(owners("7pay", "factors", counts))
    assert found["strangers behind NAT and proxy refused"] == ["**2%**"]
    assert found["owners' log-ins refused"] == ["**0.2%**"]
    assert found["log-ins on known devices refused, put to work or told to wait"] == ["**1 of 100**"]
    assert found["owners' log-ins asked in an attack"] == ["0.8%"]
    assert found["of them, asked *elsewhere* in an attack"] == ["0.4%"]
    assert "owners' log-ins asked in calm" not in found


def test_resets_of_owners_have_claims() -> None:
    """Those that the guard refused, of all that owners began; and the questions after them."""
    resets = {
        "forgotten": ResetCounts(begun=20, refused=1, done=19, asked=4),
        "set by a bot": ResetCounts(begun=5, done=5),
    }
    runs = [played("7pay-reset", policy, resets=resets) for policy in ("default", "factors")]
    found = cells(*runs)
    assert found["owners' resets refused, beside bots that ask for some"] == ["**1 of 25**", "**1 of 25**"]
    assert found["log-ins after a reset asked for a proof"] == ["–", "4 of 24"]


def test_copied_tokens_have_claims_of_their_own() -> None:
    """By kind and phase; their takeovers count in no other line. Without factors nothing is claimed of them."""
    copies = {
        CopyUse("proved", "calm", "elsewhere", "copy alone"): CopyCounts(used=4, entered=3),
        CopyUse("aged", "attack", "elsewhere", "copy alone"): CopyCounts(used=5),
        CopyUse("seen", "attack", "elsewhere", "copy first"): CopyCounts(used=5, entered=1),
    }
    runs = [
        taking("copied-tokens", policy, right=6, taken=6)._replace(
            results=Results(copies=copies, right=Counter(sent=6))
        )
        for policy in ("default", "posture")
    ]
    found = cells(*runs)
    assert found["copied tokens of proved devices: log-ins that open, in calm"] == ["–", "3 of 4"]
    assert found["copied tokens of aged and seen devices: log-ins that open, in an attack"] == ["–", "**1 of 10**"]
    assert TAKEN not in found
    assert "takeovers of accounts with mail (`sent`)" not in found


def test_only_where_addresses_repeat_few_attempts_reach_the_check() -> None:
    """With an address for each attempt none repeats; bots behind a NAT have one."""
    name = "bots' attempts that reach the password check, where addresses repeat"
    assert name not in cells(played("one-per-address", "default", attempts=100, reached=100))
    assert cells(played("nat-with-bot", "default", attempts=100, reached=2))[name] == ["**2%**"]
    assert name not in cells(played("quiet-month", "default"))


def test_attempts_at_a_weak_service_and_requests_for_a_reset_are_claims_of_their_own() -> None:
    """Neither raises or lowers the share of the guarded service's password checks."""
    sent, reached = Counter({"0": 50, "0 weak": 50}), Counter({"0": 1, "0 weak": 40})
    runs = [
        played("weak-apart", "default", attempts=100, reached=41, attempts_of=sent, reached_of=reached),
        played("7pay-reset", "default", attempts=10, reached=6),
    ]
    found = cells(*runs)
    assert found["bots' attempts that reach the password check, where addresses repeat"] == ["**2%**"]
    assert found["the same at a weak service beside the guarded one, which asks for no work"] == ["**80%**"]
    assert found["bots' requests for a reset that pass, where addresses repeat"] == ["**60%**"]


def test_of_two_attacks_the_one_whose_addresses_repeat_is_told() -> None:
    sent, reached = Counter({"0": 2_000, "1": 500}), Counter({"0": 2_000, "1": 5})
    run = played("nat-in-an-attack", "default", attempts=2_500, reached=2_005, attempts_of=sent, reached_of=reached)
    assert cells(run)["bots' attempts that reach the password check, where addresses repeat"] == ["1%"]


def test_work_is_told_where_no_address_repeats() -> None:
    """Iterations of all seeds, for each attempt of bots that the application checked."""
    name = "work for each that does, where no address repeats"
    runs = [played("one-per-address-solved", "default", seed, reached=10, hashes=seed * 1_000) for seed in (1, 2)]
    assert cells(*runs)[name] == ["150 iterations"]
    assert name not in cells(played("7pay", "default", reached=10, hashes=1_000))


@pytest.mark.parametrize(("alarms", "attempts"), [([3600.0], 30.0), ([], 120.0), ([60.0, 5400.0], 60.0)])
def test_attempts_until_the_alarm_are_those_since_the_attack_began(alarms: list[float], attempts: float) -> None:
    """Its own and the owners' at their pace; an alarm before it is none, and without one all of them count."""
    run = played("one-per-address", "posture", alarms=alarms, by_kind={"at home": OwnerCounts(log_ins=60)})
    attack = replace(run.scenario.attacks[0], from_h=0.5, hours=2, attempts=60)
    scenario = replace(run.scenario, hours=2, attacks=(attack,))
    assert attempts_until_alarm(run._replace(scenario=scenario)) == pytest.approx(attempts)


def test_an_alarm_is_awaited_only_where_a_posture_is_estimated() -> None:
    runs = [played("quiet-month", policy, alarms=[5.0]) for policy in ("factors", "posture", "familiar", "quiet")]
    assert cells(*runs)["false alarms in calm"] == ["–", *["**1 in 30 days**"] * 3]


def test_a_blind_posture_shows() -> None:
    """Without an alarm all attempts count: 30,000 of bots, and those of owners."""
    run = played("one-per-address", "posture")
    assert cells(run)["strangers' attempts until the alarm, one for each address"] == ["**30,000**"]


def test_questions_on_known_devices_are_stated() -> None:
    """A device that was seen and never proved may be asked: no miss, but told, where the policy asks at all."""
    kinds = {KNOWN: OwnerCounts(log_ins=40, entered=40, asked=2), "at home": OwnerCounts(log_ins=10, asked=10)}
    name = "log-ins on known devices asked for a proof"

    assert cells(owners("quiet-month", "familiar", kinds))[name] == ["5%"]
    assert name not in cells(owners("quiet-month", "default", kinds))
    assert not any("known" in line for line in misses(owners("quiet-month", "familiar", kinds)))
