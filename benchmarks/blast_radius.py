"""Which taken accounts a blast radius names: `python -m benchmarks.blast_radius [--quick]`.

Scenarios of the laboratory are played with an audit (`SEKISHO_AUDIT_ADDRESS=prefix`). Then the campaigns are found in
it, as `sekisho report --blast-radius` finds them, and their accounts are held against those that bots have entered.
"""

from __future__ import annotations

import tempfile
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.progress import track

from benchmarks import arguments, measure
from benchmarks.result import write_result
from benchmarks.tables import screen_table, wide_console
from sekisho.cli.blast_radius import asked_of
from sekisho.cli.guards import guard
from sekisho.cli.simulate import settings_hidden
from sekisho.record import Subjects
from sekisho.record.campaigns import campaigns_in
from sekisho.record.lines import decode
from sekisho.simulate.laboratory import EPOCH_S, packaged, read_scenario, simulate
from sekisho.simulate.laboratory.bots import RESET, AttackTries
from sekisho.simulate.laboratory.places import DAY_S, OwnerPlaces
from sekisho.simulate.laboratory.policy import policies
from sekisho.simulate.laboratory.run import SECRET
from sekisho.simulate.population import Population

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from sekisho.record import Event
    from sekisho.simulate.laboratory import Scenario

SCENARIOS: Final = (
    "7pay", "7pay-reset", "nat-with-solving-bot", "one-an-hour", "one-per-address", "hundred-passwords",
    "six-right-passwords", "relay-phisher",
)  # fmt: skip
POLICIES: Final = ("default", "posture")
SEEDS: Final = range(1, 6)


class Named(NamedTuple):
    """Attributes:
    entered: accounts that bots entered.
    named: of them, those that the blast radius names.
    known: other accounts whose right password bots had, named for that.
    others: accounts that it names, and whose password no bot had.
    """

    entered: int
    named: int
    known: int
    others: int

    def added(self, other: Named) -> Named:
        return Named(*(one + two for one, two in zip(self, other, strict=True)))


def named(scenario: Scenario, policy: str, seed: int) -> Named:
    """Play one run, and find its campaigns once it is over."""
    played = policies()[policy]
    with tempfile.TemporaryDirectory() as place, settings_hidden():
        path = Path(place) / "audit.jsonl"
        audit = {"audit": f"file:{path}", "audit_address": "prefix"}
        build = partial(guard, played._replace(settings={**played.settings, **audit}))
        results = simulate(scenario, build, seed=seed, has_factors=played.has_factors)
        campaigns = campaigns_in(partial(_events, path, scenario)).campaigns
    population = Population(scenario.owners.count, seed, reusing_share=scenario.owners.reusing_share)
    subjects = Subjects((SECRET,), str)
    owners = {subjects.of_account(population.account(owner)).account: owner for owner in range(population.owners)}
    entered = {owner for kind, taken in results.taken.items() if kind != RESET for owner in taken}
    had = entered | _with_right_pairs(scenario, population, seed)
    found = {owners.get(account, -1) for campaign in campaigns for account in asked_of(campaign)}
    found |= {owners.get(entry.account, -1) for campaign in campaigns for entry in campaign.proved}
    return Named(len(entered), len(found & entered), len(found & had - entered), len(found - had))


def _with_right_pairs(scenario: Scenario, population: Population, seed: int) -> set[int]:
    places, found = OwnerPlaces(scenario.owners, seed), set[int]()
    for campaign, attack in enumerate(scenario.attacks):
        tries = AttackTries(attack, population, places, seed, campaign=campaign, from_s=0.0)
        found |= {each.owner for each in tries if each.owner >= 0 and each.password == population.password(each.owner)}
    return found


def _events(path: Path, scenario: Scenario) -> Iterator[Event]:
    """Those of the scenario, without its history."""
    begins_us = (EPOCH_S + scenario.owners.history_days * DAY_S) * 1e6
    with path.open("rb") as lines:
        for line in lines:
            if (event := decode(line)) is not None and event.at_us >= begins_us:
                yield event


def table(found: dict[str, list[int]]) -> Table:
    return screen_table(
        "Accounts, all seeds together",
        ("scenario, policy", "entered", "named", "right password, not entered, named", "others named"),
        [(name, *(f"{number:,}" for number in numbers)) for name, numbers in found.items()],
    )


def main() -> None:
    options = arguments.parser(__doc__, quick="one seed").parse_args()
    seeds = list(SEEDS)[: 1 if options.quick else None]
    found: dict[str, list[int]] = {}
    for name, policy in track(list(product(SCENARIOS, POLICIES)), "Scenarios"):
        scenario = read_scenario(name, packaged()[name]).scaled()
        total = Named(0, 0, 0, 0)
        for seed in seeds:
            total = total.added(named(scenario, policy, seed))
        found[f"{name}, {policy}"] = list(total)
    wide_console().print(table(found))
    write_result("blast_radius", {"machine": measure.machine(), "seeds": seeds, "accounts": found}, quick=options.quick)


if __name__ == "__main__":
    main()
