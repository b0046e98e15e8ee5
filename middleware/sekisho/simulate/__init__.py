"""Simulated traffic: the log-ins of account owners and attackers, to measure a guard with.

`generator` produces the attempts; `engine` sends them over HTTP; `tally` counts the answers; `bound` computes how much
the limits can admit. Demo, replay and laboratory use the same generator.
"""

from __future__ import annotations

from sekisho.simulate.generator import (
    SCENARIOS,
    Attack,
    Campaign,
    Combo,
    Honest,
    Logins,
    Rota,
    Scenario,
    Try,
    habits,
    traffic,
)
from sekisho.simulate.population import Population

__all__ = [
    "SCENARIOS",
    "Attack",
    "Campaign",
    "Combo",
    "Honest",
    "Logins",
    "Population",
    "Rota",
    "Scenario",
    "Try",
    "habits",
    "traffic",
]
