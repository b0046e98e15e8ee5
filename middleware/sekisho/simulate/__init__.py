"""Traffic that never was: owners, attackers and their log-ins, to put before a guard and count what happens.

`generator` says who tries what and when; `engine` sends it over HTTP; `tally` counts what came back; `bound` says
how much the limits could have let through. Demo, replay and laboratory all read the same generator.
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
