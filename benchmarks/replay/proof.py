"""Whether anything was lost: the scenario, the workers and Redis, held against each other.

Every claim is a sum that two parties have made independently. An attempt that got lost between two of them makes one
unequal: sent and not judged, asked and not answered, answered and not counted by the script, counted and not kept.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.replay.plan import WINDOW_US, Share
from benchmarks.replay.site import COUNTED, NAMESPACE, PATIENT_US, Clock, PacedScript, settings
from benchmarks.replay.tally import SHED, Tally
from benchmarks.replay.worker import BARRIER, NOTE
from sekisho.ledger.redis import RedisLedger, ledger_script
from sekisho.model import Charged
from sekisho.store import StoreConnection
from sekisho.store.options import LineOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from benchmarks.replay.plan import Plan
    from benchmarks.replay.store import KeptRedis
    from benchmarks.replay.worker import Folder
    from sekisho.model import LimitSet

KINDS = ("charges", "settlements")
PROVER = 1_000_000  # counts as a worker of its own
AT_ONCE = 1_024


class Claim(NamedTuple):
    """Two counts of one thing, by different parties. `apart`: by how much they may differ, and why is in the text."""

    text: str
    here: int
    there: int
    apart: int = 0

    @property
    def kept(self) -> bool:
        return 0 <= self.there - self.here <= self.apart


class Followed(NamedTuple):
    """What the ledger keeps of the failures of the accounts that were followed, and what it should keep.

    Attributes:
        accounts: how many were followed whose failures nothing has cleared.
        should, kept: their failures, all together.
        astray: accounts of these with another number of failures than they should have.
        cleared: accounts that were followed besides, whose failures a second proof has cleared at some time; what they
            keep is at most what was charged since.
        cleared_astray: of these, those that keep more than was ever charged.
    """

    accounts: int = 0
    should: int = 0
    kept: int = 0
    astray: int = 0
    cleared: int = 0
    cleared_astray: int = 0


class ByRedis(NamedTuple):
    """Redis's side.

    Attributes:
        charges, settlements: that the script has counted.
        failed_calls: of the script, by Redis's own statistics.
        first_calls: of processes, each of which may find that Redis does not know its script yet: then nothing ran.
    """

    charges: int
    settlements: int
    failed_calls: int
    first_calls: int


class Proof(NamedTuple):
    """See `claims` and `Followed`; `repeated` charges and settlements."""

    claims: list[Claim]
    followed: Followed
    repeated: dict[str, int]

    @property
    def kept(self) -> bool:
        return all(claim.kept for claim in self.claims)

    def as_json(self) -> dict[str, Any]:
        return {
            "claims": [claim._asdict() | {"kept": claim.kept} for claim in self.claims],
            "followed": self.followed._asdict(),
            "repeated": self.repeated,
        }


def prove(plan: Plan, folder: Folder, store: KeptRedis, *, runs: int) -> Proof:
    """Hold all that was written down in `folder`, in so many runs, against what Redis says."""
    numbers = range(plan.workers)
    states = [json.loads(folder.state(number).read_text()) for number in numbers]
    tally = Tally.sum(Tally.of_json(state["tally"]) for state in states)
    repeated = {kind: sum(state["repeated"][kind] for state in states) for kind in KINDS}
    failed = int(store.sample()["failed_calls"])
    redis = ByRedis(**counted_by_redis(store, plan.workers), failed_calls=failed, first_calls=plan.workers * runs)
    now_us = plan.start_us + Share(plan).windows * WINDOW_US
    accounts = noted(folder.notes(number) for number in numbers)
    followed = asyncio.run(follow(settings(store.url, None).limits, store.url, accounts, now_us))
    return Proof(claims(plan, tally, repeated, redis, followed), followed, repeated)


def claims(plan: Plan, tally: Tally, repeated: Mapping[str, int], redis: ByRedis, followed: Followed) -> list[Claim]:
    """All that must be equal.

    Args:
        plan: of the replay.
        tally: of all workers.
        repeated: charges and settlements that a killed worker had made and not written down; they were made again.
        redis: what Redis says.
        followed: see there.
    """
    counts, scenario = tally.counts, plan.scenario()
    judged = counts[SHED] + counts["shed_owners"] + counts["shed_late"] + counts["assessed"]
    asked = counts["assessed"] + counts["barriers"] + counts["waited"]
    sent = counts["sent_attacks"] + counts["sent_logins"] + counts["owners_worked"]
    # An attempt that was sent twice was charged twice: at most so many failures too many.
    again = repeated["charges"]
    return [
        Claim("attacks of the scenario = attacks sent", scenario.campaign.attempts, counts["sent_attacks"]),
        Claim("log-ins of the scenario = right log-ins sent", scenario.honest.logins, counts["right_logins"]),
        Claim("attempts sent (owners' repetitions after work included) = shed + judged with the ledger", sent, judged),
        Claim("charges for judging, waiting and ending a stretch = charges that the ledger was asked for", asked,
              counts["asked"]),
        Claim("charges that were judged without an answer = none", 0, counts["lost"]),
        Claim(
            "charges asked for, repetitions included = charges that Redis made",
            counts["asked"] + again,
            redis.charges,
        ),
        Claim(
            "settlements sent, repetitions included = settlements that Redis received",
            counts["told"] + repeated["settlements"],
            redis.settlements,
        ),
        Claim("failed calls of the script = none, except a process's first, which finds no script", 0,
              redis.failed_calls, redis.first_calls),
        Claim("failures charged and not refunded = failures kept, for the accounts followed", followed.should,
              followed.kept, again),
        Claim("accounts followed with a different number of failures = none, or one for each repeated charge", 0,
              followed.astray, again),
        Claim("accounts cleared by a proof that have more failures than were charged = none", 0,
              followed.cleared_astray, again),
    ]  # fmt: skip


def counted_by_redis(store: KeptRedis, workers: int) -> dict[str, int]:
    """What the script has counted for these workers."""
    with store.client() as client:
        return {
            kind: sum(int(client.hget(COUNTED.decode(), f"{worker} {kind}") or 0) for worker in range(workers))
            for kind in KINDS
        }


class _Account(NamedTuple):
    charged: int = 0
    given_back: int = 0
    cleared: int = 0


def noted(files: Iterable[Path]) -> dict[bytes, _Account]:
    """What workers have noted of the accounts that are followed, by digest."""
    found: defaultdict[bytes, list[int]] = defaultdict(lambda: [0, 0, 0])
    for file in files:
        for account, change in NOTE.iter_unpack(file.read_bytes()):
            found[account][{1: 0, -1: 1, 0: 2}[change]] += 1
    return {account: _Account(*its) for account, its in found.items()}


async def follow(limits: LimitSet, url: str, accounts: Mapping[bytes, _Account], now_us: int) -> Followed:
    """Ask the ledger itself what it keeps of each account: one attempt more, from where nobody has been."""
    script = PacedScript(ledger_script(limits), Clock(now_us, 1.0), worker=PROVER)
    line = StoreConnection(url, LineOptions(script, PATIENT_US))
    ledger = RedisLedger(line, NAMESPACE)
    try:
        kept: dict[bytes, int] = {}
        names = list(accounts)
        for at in range(0, len(names), AT_ONCE):
            some = names[at : at + AT_ONCE]
            kept |= dict(zip(some, await asyncio.gather(*(_failures(ledger, one) for one in some)), strict=True))
    finally:
        await line.aclose()
    return _held_against(accounts, kept)


async def _failures(ledger: RedisLedger, account: bytes) -> int:
    verdict = await ledger.charge(BARRIER._replace(account=account))
    return verdict.failures - bool(verdict.charged & Charged.FAILURES)


def _held_against(accounts: Mapping[bytes, _Account], kept: Mapping[bytes, int]) -> Followed:
    should = {account: its.charged - its.given_back for account, its in accounts.items()}
    plain = [account for account, its in accounts.items() if not its.cleared]
    cleared = [account for account, its in accounts.items() if its.cleared]
    return Followed(
        accounts=len(plain),
        should=sum(should[account] for account in plain),
        kept=sum(kept[account] for account in plain),
        astray=sum(kept[account] != should[account] for account in plain),
        cleared=len(cleared),
        cleared_astray=sum(kept[account] > accounts[account].charged for account in cleared),
    )
