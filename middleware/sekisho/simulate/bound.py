"""The upper bound of wrong guesses that the limits admit, computed from the attempts and not from the answers.

Each run is checked against this bound. A GCRA limit admits `burst + ⌊t/T⌋` in a time t. An address cannot use more than
it tried; a device and a network not more than the attempts in them.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sekisho.model import Limits, LimitSet
    from sekisho.simulate.generator import Try


def admitted_max(limits: Limits, span_us: int) -> int:
    """Return how many attempts of one identity its limits, one at least, admit within any `span_us`."""
    return min(limit.burst + span_us // limit.interval_us for limit in limits)


class Bound:
    """Collect the origins of attempts; then compute the maximum of admitted wrong guesses.

    Right guesses are not included: a proven success is refunded. IPv4 only.
    """

    def __init__(self) -> None:
        self._tried: Counter[tuple[int, str, str]] = Counter()

    def add(self, attempt: Try) -> None:
        self.add_origin(attempt.address, attempt.user_agent, 1)

    def add_origin(self, address: str, user_agent: str, tries: int) -> None:
        """Add tries from one address."""
        network = int(IPv4Network((address, 24), strict=False).network_address)
        self._tried[network, address, user_agent] += tries

    def wrong_max(self, limits: LimitSet, span_us: int) -> int:
        """Return how many of the tries the limits of networks, devices and addresses admit within any `span_us`.

        An account over its limit does not count: with factors it refuses no stranger, who may be its owner.
        """
        addresses: Counter[tuple[int, str]] = Counter()
        devices: Counter[tuple[int, str]] = Counter()
        for (network, address, device), tried in self._tried.items():
            addresses[network, address] += tried
            devices[network, device] += tried
        ips = _sums(addresses, limits.ip, span_us)
        browsers = _sums(devices, limits.device, span_us)
        networks = {network: min(ips[network], browsers[network]) for network in ips}
        return sum(min(tried, admitted_max(limits.networks[0], span_us)) for tried in networks.values())


def _sums(tried: Counter[tuple[int, str]], limits: Limits, span_us: int) -> Counter[int]:
    """For every network, the sum of its addresses' (or devices') admitted tries."""
    sums: Counter[int] = Counter()
    for (network, _), attempts in tried.items():
        sums[network] += min(attempts, admitted_max(limits, span_us))
    return sums
