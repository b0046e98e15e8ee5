"""Scenarios of a few owners, small enough for tests."""

from __future__ import annotations

from typing import Any

from sekisho.cli.guards import build_of
from sekisho.simulate.laboratory import Build, Results, Scenario, simulate
from sekisho.simulate.laboratory.policy import policies
from sekisho.simulate.laboratory.scenario import Attack, OwnerHabits

FEW = OwnerHabits(count=40, logins_per_day=1.0, history_days=3, reusing_share=0.5, typo_share=0.2)
SHIFTS = Attack(attempts=1500, hours=12, right=10, source="datacentre", addresses=4, crew=2)
FRESH = Attack(attempts=60, hours=12, right=10, known_share=1.0)


def scenario(*attacks: Attack, owners: OwnerHabits = FEW, hours: float = 12) -> Scenario:
    return Scenario(
        name="few", title="a few owners", hours=hours, scale=1.0, owners=owners, attacks=attacks, sources={}
    )


def played(of: Scenario, policy: str = "default", *, seed: int = 1, build: Build | None = None) -> Results:
    made, has_factors = build_of(policy, policies())
    return simulate(of, build or made, seed=seed, has_factors=has_factors)


def table(results: Results) -> dict[str, Any]:
    return results.as_json()
