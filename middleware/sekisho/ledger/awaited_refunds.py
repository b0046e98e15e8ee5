"""Refusals that a refund may lift: which they are, and how many attempts wait for one.

Attempts wait for the account's counter and the address's: ten log-ins at once fit a person or a house, never a network.
See `sekisho.ledger.in_flight` for why they wait at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.ledger.in_flight import MOMENT_US, PAUSES_S, REQUESTS_PAUSES_S

if TYPE_CHECKING:
    from sekisho.ledger.in_flight import InFlight
    from sekisho.model import Charge, Limits, LimitSet, Verdict

REQUESTS_WAITING_MAX: Final = 32
"""Requests that wait for one counter where each is a log-in: a client of an API opens ten connections and more.

An eighth of a worker's places, so that no account fills them.
"""


@final
class AwaitedRefunds:
    """The charges of one event loop's log-ins that are under way, and the refused attempts that wait for their end.

    Args:
        in_flight: where they wait.
        limits: the ledger's own limits: at most as many attempts wait for a counter as it admits at once, or 32 at
            doors that open by HTTP Basic alone.
    """

    def __init__(self, in_flight: InFlight, limits: LimitSet) -> None:
        self._in_flight = in_flight
        self._limits = limits

    def begin(self, charge: Charge) -> None:
        """Note that a charged log-in is passed to the application. Call `end` exactly once for it."""
        self._in_flight.begin(charge.account)
        self._in_flight.begin(charge.ip)

    def refunded(self, charge: Charge) -> None:
        """Wake one waiting attempt at each counter of a refunded charge: it has room now."""
        self._in_flight.settled(charge.account)
        self._in_flight.settled(charge.ip)

    def end(self, charge: Charge) -> None:
        """Note that a log-in has ended, with or without success."""
        self._in_flight.end(charge.account)
        self._in_flight.end(charge.ip)

    def may_lift(self, charge: Charge, verdict: Verdict) -> bool:
        """Whether a refund may soon lift this refusal: log-ins that are under way caused it, or it ends in a moment."""
        if not verdict.young:
            return False
        wait_us, key, _ = self._longest_wait(charge, verdict)
        return wait_us <= MOMENT_US or key in (charge.account, charge.ip)

    async def wait(self, charge: Charge, verdict: Verdict, waited: int, *, is_each_request: bool = False) -> bool:
        """Wait at the counter of `charge` that refuses longest, until woken or for a pause, two seconds in all.

        If that counter has room in a moment, wait for that moment instead. Returns False at once if too many wait, or
        after the last pause.

        Args:
            charge: of the attempt, which was refused.
            verdict: on it.
            waited: how often this attempt has waited.
            is_each_request: whether a client logs in with each request, so that more of them wait for one counter.
        """
        pauses_s = REQUESTS_PAUSES_S if is_each_request else PAUSES_S
        if waited >= len(pauses_s):
            return False
        wait_us, key, waiters_max = self._longest_wait(charge, verdict)
        if is_each_request:
            waiters_max = max(waiters_max, REQUESTS_WAITING_MAX)
        seconds_max = wait_us / 1e6 if wait_us <= MOMENT_US else pauses_s[waited]
        return await self._in_flight.wait(key, waiters_max=waiters_max, seconds_max=seconds_max)

    def _longest_wait(self, charge: Charge, verdict: Verdict) -> tuple[int, bytes, int]:
        limits = self._limits
        return max(
            (verdict.account_wait_us, charge.account, _burst(limits.account)),
            (verdict.ip_wait_us, charge.ip, _burst(limits.ip)),
            (verdict.device_wait_us, charge.device, _burst(limits.device)),
            (verdict.network_wait_us, charge.networks[0], _burst(limits.networks[0])),
        )


def _burst(limits: Limits) -> int:
    return min(limit.burst for limit in limits)
