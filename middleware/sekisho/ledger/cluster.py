"""The ledger on a Redis Cluster: each family of records is asked at its own node, and judged here while that is gone.

One round trip for a stranger, whose families are asked side by side, and one for a device in its lane, whose account is
asked alone. Who is not let into the lane is a stranger after all, which takes a second one within the same deadline.

A node that is gone costs its own families and no others: those are judged by this worker's own counters, a fair share
of the limits, while the rest of the attempt is counted where everybody counts. The verdict says so.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sekisho.ledger.key_groups import Families, GroupAnswer, unpack_answer
from sekisho.ledger.local_fallback import UNCOUNTED
from sekisho.ledger.redis import ACCOUNT, NETWORK, SECRET, ClusterKeys
from sekisho.model import Charged, StoreUnavailable

if TYPE_CHECKING:
    from sekisho.ledger.key_groups import Part
    from sekisho.ledger.memory import MemoryLedger
    from sekisho.model import Charge, Verdict
    from sekisho.store import AnyStoreConnection


class ClusterLedger:
    """See `sekisho.model.Ledger`.

    Args:
        line: to the Cluster, with the script that answers for parts of a charge.
        namespace: of the keys.
        deadline_us: for one attempt, however often it asks.
        own: counts for families whose node is gone; None to raise `StoreUnavailable` instead, or to let in.
        let_in: whether attempts that cannot be counted in full are let in (`open`).
    """

    def __init__(
        self,
        line: AnyStoreConnection,
        namespace: str,
        *,
        deadline_us: int,
        own: MemoryLedger | None = None,
        let_in: bool = False,
    ) -> None:
        self._line = line
        self._families = Families(namespace, ClusterKeys)
        self._deadline = deadline_us / 1e6
        self._own = own
        self._let_in = let_in

    async def charge(self, charge: Charge) -> Verdict:
        families, answers = self._families, dict[int, GroupAnswer]()
        if charge.lane:
            lost = await self._ask_in_turn(charge, answers)
        else:
            lost = await self._ask(charge, families.first(charge), answers)
        verdict, compensations = families.combine(charge, answers)
        for part in compensations:
            self._line.tell(part.keys, part.operation)
        return verdict if not lost else self._judged(charge, verdict, answers, lost)

    def settle(
        self, charge: Charge, verdict: Verdict, *, renewed: bool = False, proved: bool = False, right: bool = False
    ) -> None:
        own = verdict.own_families
        for part in self._families.settlements(charge, verdict, renewed=renewed, proved=proved, right=right):
            if not part.family & own:
                self._line.tell(part.keys, part.operation)
            elif self._own is not None and part.family != SECRET:
                one, its = _alone(charge, verdict, part.family)
                self._own.settle(one, its, renewed=renewed, proved=proved, right=right)
        if proved and own & ACCOUNT:
            # Failures from before its node went are past too. Nothing was charged there: none goes back.
            uncharged = self._families.settlements(charge, verdict._replace(charged=0, tagged=0), proved=True)
            for part in uncharged:
                if part.family == ACCOUNT:
                    self._line.tell(part.keys, part.operation)

    def fail(self, charge: Charge, verdict: Verdict) -> None:
        for part in self._families.failures(charge, verdict):
            if not part.family & verdict.own_families:
                self._line.tell(part.keys, part.operation)
            elif self._own is not None:
                self._own.fail(*_alone(charge, verdict, part.family))

    async def _ask_in_turn(self, charge: Charge, answers: dict[int, GroupAnswer]) -> int:
        """As `_ask`, a device's account first, and the others where it was not let into its lane."""
        clock = asyncio.get_running_loop()
        start = clock.time()
        lost = await self._ask(charge, self._families.first(charge), answers)
        if rest := self._families.rest(charge, answers):
            left = self._deadline - (clock.time() - start)
            lost |= await self._ask(charge, rest, answers, seconds_max=left)
        return lost

    async def _ask(
        self, charge: Charge, parts: list[Part], answers: dict[int, GroupAnswer], *, seconds_max: float | None = None
    ) -> int:
        """Put the families' answers into `answers`. Returns those families that this worker has answered for."""
        asked = [self._line.ask(part.keys, part.operation) for part in parts]
        if seconds_max is not None:
            await asyncio.wait(asked, timeout=max(0, seconds_max))
            for one in asked:
                one.cancel()  # of what has been answered nothing is taken away
        lost = 0
        try:
            # All are under way, and `gather` would cost as much as all the rest here. The last first: who is cancelled
            # before anything is written takes only that along, and nobody spends an account's guesses without own ones.
            for part, asking in zip(reversed(parts), reversed(asked), strict=True):
                answer = None if asking.cancelled() else await _heard(asking)
                if answer is None:
                    lost |= part.family
                    answer = GroupAnswer(self._own_verdict(charge, part.family))
                answers[part.family] = answer
        except BaseException:
            _give_up(asked)
            raise
        return lost

    def _own_verdict(self, charge: Charge, family: int) -> Verdict:
        # A secret is only observed, and whoever is judged without its set is asked for more for that alone.
        if self._own is None or family == SECRET:
            return UNCOUNTED
        one, _ = _alone(charge, UNCOUNTED, family)
        return self._own.charge_now(one)._replace(counters_lost=True)

    def _judged(self, charge: Charge, verdict: Verdict, answers: dict[int, GroupAnswer], lost: int) -> Verdict:
        """The verdict, with what this worker has answered for in it. Raises `StoreUnavailable` where it may not."""
        verdict = verdict._replace(own_families=lost)
        if self._own is None and not self._let_in:
            self.settle(charge, verdict)  # it is tried by nobody
            raise StoreUnavailable
        if self._own is not None and lost & ACCOUNT and verdict.throttle_wait_us:
            # The network refuses it, so the account is not charged for it, here no more than anywhere.
            one, its = _alone(charge, answers[ACCOUNT].verdict, ACCOUNT)
            self._own.settle(one, its)
        return verdict


async def _heard(asking: asyncio.Future[bytes]) -> GroupAnswer | None:
    try:
        return unpack_answer(await asking)
    except StoreUnavailable:
        return None


def _give_up(asked: list[asyncio.Future[bytes]]) -> None:
    """Whoever asked is gone: what was not written yet never will be, and no answer is reported as unheard."""
    for asking in asked:
        if not asking.cancel() and not asking.cancelled():
            asking.exception()


def _alone(charge: Charge, verdict: Verdict, family: int) -> tuple[Charge, Verdict]:
    """One family's share of an attempt, for the worker's own ledger, which knows only whole ones."""
    if family == NETWORK:
        return (
            charge._replace(account=b"", secret=b"", lane=b""),
            verdict._replace(charged=verdict.charged & Charged.NETWORK),
        )
    return (
        charge._replace(exempt=True),
        verdict._replace(charged=verdict.charged & ~Charged.NETWORK, at_us=verdict.account_at_us or verdict.at_us),
    )
