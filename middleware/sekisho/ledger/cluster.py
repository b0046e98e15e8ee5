"""The ledger on a Redis Cluster: each family of records is asked at its own node; this worker judges for a lost node.

A stranger takes one round trip, since its families are asked at the same time. A device in its own bucket takes one for
its account alone. A device that is not admitted to its bucket is treated as a stranger, which takes a second round trip
within the same deadline.

A lost node costs its own families and no others. This worker's own counters judge those families, with a fair share of
the limits; the rest of the attempt is counted in the Cluster. The verdict names the families that this worker judged.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sekisho.ledger.key_groups import Families, GroupAnswer, unpack_answer
from sekisho.ledger.local_fallback import UNCOUNTED
from sekisho.ledger.redis import ACCOUNT, IN_FLAGS, NETWORK, SECRET, ClusterKeys
from sekisho.model import Charged, Effect, StoreUnavailable
from sekisho.store.batch import packed_keys

if TYPE_CHECKING:
    from sekisho.ledger.key_groups import Part
    from sekisho.ledger.memory import MemoryLedger
    from sekisho.model import Charge, Verdict
    from sekisho.store import AnyStoreConnection


class ClusterLedger:
    """See `sekisho.model.Ledger`.

    Args:
        line: the store connection to the Cluster, with the script that answers for parts of a charge.
        namespace: prefix of the keys.
        deadline_us: limit for one attempt, over both round trips, in microseconds.
        own: counts for families whose node is lost; None to raise `StoreUnavailable` instead, or to let in.
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
        if charge.known_device:
            lost = await self._ask_in_turn(charge, answers)
        else:
            lost = await self._ask(charge, families.first(charge), answers)
        verdict, compensations = families.combine(charge, answers)
        for part in compensations:
            self._line.tell(packed_keys(part.keys), part.operation)
        return verdict if not lost else self._judged(charge, verdict, answers, lost)

    def settle(self, charge: Charge, verdict: Verdict, effects: int = 0) -> None:
        own = verdict.own_families
        for part in self._families.settlements(charge, verdict, effects):
            if not part.family & own:
                self._line.tell(packed_keys(part.keys), part.operation)
            elif self._own is not None and part.family != SECRET:
                one, its = _alone(charge, verdict, part.family)
                self._own.settle(one, its, effects & IN_FLAGS)  # it keeps no history, and no credit
        if effects & Effect.PROVED and own & ACCOUNT:
            # A proof also covers failures from before the node was lost. Nothing was charged there, so nothing is
            # refunded.
            uncharged = self._families.settlements(charge, verdict._replace(charged=0, tagged=0), Effect.PROVED)
            for part in uncharged:
                if part.family == ACCOUNT:
                    self._line.tell(packed_keys(part.keys), part.operation)

    def fail(self, charge: Charge, verdict: Verdict) -> None:
        for part in self._families.failures(charge, verdict):
            if not part.family & verdict.own_families:
                self._line.tell(packed_keys(part.keys), part.operation)
            elif self._own is not None:
                self._own.fail(*_alone(charge, verdict, part.family))

    async def _ask_in_turn(self, charge: Charge, answers: dict[int, GroupAnswer]) -> int:
        """As `_ask`: a device's account first, and the rest only if the device bucket did not admit it."""
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
        """Put the families' answers into `answers`. Returns the families that this worker judged itself."""
        asked = [self._line.ask(packed_keys(part.keys), part.operation) for part in parts]
        if seconds_max is not None:
            await asyncio.wait(asked, timeout=max(0, seconds_max))
            for one in asked:
                one.cancel()  # does not affect answers that have arrived
        lost = 0
        try:
            # All requests are in flight; `gather` would cost as much as the rest of this method. The last is awaited
            # first: a client that disconnects before anything is written then cancels only that one, so nobody can use
            # up the account's guesses without being charged at the network.
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
        # A secret is only observed. Without its set an attempt gets a challenge for that reason alone.
        if self._own is None or family == SECRET:
            return UNCOUNTED
        one, _ = _alone(charge, UNCOUNTED, family)
        return self._own.charge_now(one)._replace(counters_lost=True)

    def _judged(self, charge: Charge, verdict: Verdict, answers: dict[int, GroupAnswer], lost: int) -> Verdict:
        """Add the families that this worker judged to the verdict. Raises `StoreUnavailable` if it must not judge."""
        verdict = verdict._replace(own_families=lost)
        if self._own is None and not self._let_in:
            self.settle(charge, verdict)  # refunded: the attempt will not be tried
            raise StoreUnavailable
        if self._own is not None and lost & ACCOUNT and verdict.throttle_wait_us:
            # The network refuses the attempt, so the account is not charged, as everywhere else.
            one, its = _alone(charge, answers[ACCOUNT].verdict, ACCOUNT)
            self._own.settle(one, its)
        return verdict


async def _heard(asking: asyncio.Future[bytes]) -> GroupAnswer | None:
    try:
        return unpack_answer(await asking)
    except StoreUnavailable:
        return None


def _give_up(asked: list[asyncio.Future[bytes]]) -> None:
    """The caller is gone. Unwritten operations are dropped, and no answer is reported as an unretrieved exception."""
    for asking in asked:
        if not asking.cancel() and not asking.cancelled():
            asking.exception()


def _alone(charge: Charge, verdict: Verdict, family: int) -> tuple[Charge, Verdict]:
    """Return one family's part of an attempt, for the worker's own ledger, which handles only whole attempts."""
    if family == NETWORK:
        return (
            charge._replace(account=b"", secret=b"", known_device=b"", place=b""),
            verdict._replace(charged=verdict.charged & Charged.NETWORK),
        )
    return (
        charge._replace(exempt=True),
        verdict._replace(charged=verdict.charged & ~Charged.NETWORK, at_us=verdict.account_at_us or verdict.at_us),
    )
