"""The plan of a replay: its traffic, each worker's share, and the result that the limits alone imply."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho.ledger.tags import GENERATION_US
from sekisho.model import Limit
from sekisho.simulate.bound import Bound
from sekisho.simulate.generator import SCENARIOS, CampaignTries, Rota

if TYPE_CHECKING:
    from sekisho.model import LimitSet, Policy
    from sekisho.simulate.generator import DemoScenario

US = 1_000_000
WINDOW_US = 5 * US  # of scenario time; a worker is never further ahead of another than this and what is under way
TURN = 61  # attempts that a worker takes in a row; prime, so that every address meets every worker
SAMPLE_OF = 16
SAMPLED_WHOLE_MAX = 1_000_000  # up to so many attempts, every account is looked at in the end
NEVER_US = 10**18


@dataclass(frozen=True, slots=True)
class Plan:
    """One replay, stored so that a continued run uses the same plan.

    Attributes:
        scale: of accounts, addresses, attempts and time: rates stay as they are, so a small replay is a piece cut out
            of the large one.
        workers: processes.
        callers: attempts under way at once, a worker.
        start_us: when the scenario begins, in Unix microseconds.
        compiled: whether the workers run the hot path as wheels carry it, or the plain sources.
    """

    scale: float
    workers: int
    callers: int
    start_us: int
    compiled: bool = False

    def scenario(self) -> DemoScenario:
        """The preset `stuffing`, cut to measure."""
        preset = SCENARIOS["stuffing"]
        addresses = max(1, round(preset.campaign.addresses * self.scale))
        return replace(
            preset,
            owners=max(1_000, round(preset.owners * self.scale)),
            campaign=replace(
                preset.campaign,
                attempts=max(1, round(preset.campaign.attempts * self.scale)),
                addresses=addresses,
                crew=min(preset.campaign.crew, addresses),
            ),
            honest=replace(preset.honest, logins=max(1, round(preset.honest.logins * self.scale))),
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Share:
    """The scenario's attempts by windows of its time, and among the workers."""

    def __init__(self, plan: Plan) -> None:
        scenario = plan.scenario()
        self._workers = plan.workers
        self._attacks = scenario.campaign.attempts, scenario.campaign.per_second
        self._logins = scenario.honest.logins, scenario.honest.per_second
        ends = (count / per_second for count, per_second in (self._attacks, self._logins))
        self.windows = math.ceil(max(ends) * US / WINDOW_US)

    @cached_property
    def slot_us(self) -> float:
        """The time that each attack has to itself."""
        return US / self._attacks[1]

    def attacks(self, window: int, worker: int) -> list[int]:
        return self._mine(self._numbers(window, *self._attacks), worker)

    def logins(self, window: int, worker: int) -> list[int]:
        return self._mine(self._numbers(window, *self._logins), worker)

    def _mine(self, numbers: range, worker: int) -> list[int]:
        return [number for number in numbers if number // TURN % self._workers == worker]

    def _numbers(self, window: int, count: int, per_second: float) -> range:
        first, last = (min(count, math.ceil(at * WINDOW_US * per_second / US)) for at in (window, window + 1))
        return range(first, count if window == self.windows - 1 else last)


class Expected(NamedTuple):
    """The result that the limits imply, calculated from the addresses and their numbers of attempts.

    Attributes:
        admitted: attackers' attempts that no limit of address, network or device refuses, at most.
        looked_at: of these, those before which nobody asks for work, at most: the first few accounts of an address and
            of a network. 0 where an address is used for longer than a set of tags lives, and nothing can be said.
    """

    admitted: int
    looked_at: int


def expected(plan: Plan, limits: LimitSet, policy: Policy) -> Expected:
    """By shifts: each has addresses of its own."""
    campaign, seed = plan.scenario().campaign, plan.scenario().seed
    attack, rota = CampaignTries(plan.scenario().population(), campaign, seed=seed), Rota(campaign)
    # As many accounts as may be seen before work is asked for, written as limits that nothing ever pays off.
    unasked = replace(
        limits,
        ip=_once(policy.accounts_per_ip_max),
        networks=(_once(policy.accounts_per_network_max),),
        device=_once(policy.accounts_per_device_max),
    )
    admitted = looked_at = 0
    longest_us = 0
    for shift in range(campaign.shifts):
        bound, numbers, crew = Bound(), rota.attempts(shift), rota.crew(shift)
        span_us = int(len(numbers) * US / campaign.per_second)
        each, more = divmod(len(numbers), len(crew))
        for place, origin in enumerate(crew):
            bound.add_origin(attack.address(origin), attack.user_agent(origin), each + (place < more))
        admitted += bound.wrong_max(limits, span_us)
        looked_at += bound.wrong_max(unasked, span_us)
        longest_us = max(longest_us, span_us)
    return Expected(admitted, looked_at if longest_us <= GENERATION_US else 0)


def _once(accounts: int) -> tuple[Limit, ...]:
    return (Limit(accounts - 1, NEVER_US),)


def sample_of(plan: Plan) -> int:
    """One account in so many is followed through the ledger."""
    return 1 if plan.scenario().campaign.attempts <= SAMPLED_WHOLE_MAX else SAMPLE_OF
