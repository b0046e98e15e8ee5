"""The laboratory: owners and attackers before the whole guard, in one process, on a clock that does not wait.

`scenario` reads what happens (`parameters`: each value within bounds), `owners` and `bots` make it happen through
`browser`, `site` is the application that they log in to, `run` puts these together, `results` counts what came of it,
`peers` are other limiters in the guard's place. `kept` keeps results; `report`, `curve`, `picture` and `document` show
them.
Owners and bots see answers and nothing else: neither reads the guard's state.
"""

from __future__ import annotations

from sekisho.simulate.laboratory.parameters import ScenarioError
from sekisho.simulate.laboratory.results import Results
from sekisho.simulate.laboratory.run import EPOCH_S, Build, BuiltGuard, NotStarted, Ports, simulate
from sekisho.simulate.laboratory.scenario import Scenario, packaged, read_scenario

__all__ = [
    "EPOCH_S",
    "Build",
    "BuiltGuard",
    "NotStarted",
    "Ports",
    "Results",
    "Scenario",
    "ScenarioError",
    "packaged",
    "read_scenario",
    "simulate",
]
