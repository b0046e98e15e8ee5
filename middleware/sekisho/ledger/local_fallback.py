"""The ledger that always answers: the shared one, and this worker's own while the shared one is lost.

The worker's own counters use a fair share of the limits, so that all workers together keep the bound. Every verdict
from them says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.ledger.redis import IN_FLAGS, unpack_verdict
from sekisho.model import Effect, StoreUnavailable

if TYPE_CHECKING:
    from sekisho.ledger.memory import MemoryLedger
    from sekisho.ledger.redis import RedisLedger
    from sekisho.model import Charge, Verdict

UNCOUNTED = UNHINDERED._replace(charged=0, counters_lost=True)


class FallbackLedger:
    """See `sekisho.model.Ledger`.

    Args:
        shared: asked first.
        own: counts while `shared` does not answer; None to raise `StoreUnavailable` instead, or to let in.
        let_in: whether attempts are let in uncounted while no ledger can count them (`open`).
    """

    def __init__(self, shared: RedisLedger, own: MemoryLedger | None, *, let_in: bool = False) -> None:
        self._shared = shared
        self._own = own
        self._let_in = let_in

    async def charge(self, charge: Charge) -> Verdict:
        try:
            return unpack_verdict(await self._shared.ask(charge))
        except StoreUnavailable:
            if self._own is not None:
                return self._own.charge_now(charge)._replace(counters_lost=True)
            if self._let_in:
                return UNCOUNTED
            raise

    def settle(self, charge: Charge, verdict: Verdict, effects: int = 0) -> None:
        if not verdict.counters_lost:
            self._shared.settle(charge, verdict, effects)
            return
        if self._own is not None:
            self._own.settle(charge, verdict, effects & IN_FLAGS)  # it keeps no history, and no credit
        if effects & Effect.PROVED:
            # A proof also covers failures from before the store was lost. Nothing was charged there, so nothing is
            # refunded.
            self._shared.settle(charge, verdict._replace(charged=0, tagged=0), Effect.PROVED)

    def fail(self, charge: Charge, verdict: Verdict) -> None:
        if not verdict.counters_lost:
            self._shared.fail(charge, verdict)
        elif self._own is not None:
            self._own.fail(charge, verdict)
