"""Limits: the number of attempts that one identity has per period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple


class Limit(NamedTuple):
    """At most `burst` attempts at once and `burst + ⌊t/T⌋` in any span `t`, where `T = period_us // burst` (GCRA)."""

    burst: int
    period_us: int

    @property
    def interval_us(self) -> int:
        """The time in microseconds in which room for one more attempt comes back: `T` in the formula of the class."""
        return self.period_us // self.burst


Limits = tuple[Limit, ...]

SITE_NETWORKS: Final = 2
"""Networks around an address that belong to one house or site: IPv4 /24; IPv6 /56 and /48. The next is a provider's."""


@dataclass(frozen=True, slots=True)
class LimitSet:
    """All limits in force. Every tuple is sorted by period, shortest first.

    Attributes:
        ip: per client address; IPv6 as /64.
        networks: one tuple per prefix above the address, narrowest first: IPv4 uses the first (/24);
            IPv6 all of them (/56, /48; and /32 where providers are limited).
        device: per fingerprint within its network.
        account: strangers at one account, over all doors. Advisory: it never prevents a client's other charges.
        known_device: one known device at one account.
        account_failures_max: failures since the last completed factor, after which the password alone no longer
            suffices (NIST SP 800-63B allows 100).
    """

    ip: Limits
    networks: tuple[Limits, ...]
    device: Limits
    account: Limits
    known_device: Limits
    account_failures_max: int = 100

    def shared_between(self, workers: int) -> LimitSet:
        """Return one worker's share of these limits: each number of attempts divided by `workers`, and 1 at least.

        While the store is unavailable, all workers together keep the limits so.
        """

        def share(limits: Limits) -> Limits:
            return tuple(Limit(max(1, limit.burst // workers), limit.period_us) for limit in limits)

        return LimitSet(
            ip=share(self.ip),
            networks=tuple(share(limits) for limits in self.networks),
            device=share(self.device),
            account=share(self.account),
            known_device=share(self.known_device),
            account_failures_max=max(1, self.account_failures_max // workers),
        )


class DayLimits(NamedTuple):
    """How much one source may do in a day (UTC) at doors that open accounts or link them.

    Attributes:
        signup_network, signup_device: sign-ups from one network (IPv4 /24, IPv6 /56), and with one fingerprint there.
        link_account, link_device, link_network: distinct accounts that one account, device or network tries to link.
    """

    signup_network: int
    signup_device: int
    link_account: int
    link_device: int
    link_network: int
