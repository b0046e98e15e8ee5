"""The gate refuses before the body is read, by the deny list and by the refusals that this worker remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from sekisho.judge.policy import DENIED, throttled
from sekisho.read import contains, denies

if TYPE_CHECKING:
    from sekisho.feed import RefusalNotes
    from sekisho.known_devices import KnownDevices
    from sekisho.ledger.shed import Shed
    from sekisho.model import Charge, Decision, Origin, Verdict
    from sekisho.read import Networks, OriginDigests


@final
class Gate:
    """Belongs to one event loop. No network is listed before `set_lists`.

    Args:
        devices: know genuine tokens.
        shed: this worker's memory of refusals.
        feed: notes refused addresses for what stands in front; None where nothing does.
    """

    def __init__(self, devices: KnownDevices, shed: Shed, feed: RefusalNotes | None = None) -> None:
        self._devices = devices
        self._shed = shed
        self._feed = feed
        self._allow: Networks | None = None
        self._deny: Networks | None = None

    def set_lists(self, allow: Networks | None, deny: Networks | None) -> None:
        """Replace the lists of networks. `allow`: exempt from the limits; `deny`: refused. None: the list is empty."""
        self._allow = allow
        self._deny = deny

    @property
    def has_denied(self) -> bool:
        """Whether any network is refused."""
        return self._deny is not None

    def is_denied(self, origin: Origin) -> bool:
        """Whether the client's network is refused."""
        return self._deny is not None and denies(self._deny, origin.address)

    def is_exempt(self, origin: Origin) -> bool:
        """Whether the limits of the client's address, device and networks are lifted."""
        # An allowed load balancer that forwards for all clients would lift the limits of all clients.
        return self._allow is not None and not origin.forwarded_by_stranger and contains(self._allow, origin.address)

    def refusal(
        self, origin: Origin, digests: OriginDigests, *, token: str = "", skips_shed: bool = False
    ) -> Decision | None:
        """A refusal that does not depend on the attempt itself; None where the attempt must be assessed.

        `skips_shed`: only the deny list refuses. A genuine device token also skips the shed, because its bucket may
        still have budget; any other token would make the worker read a refused caller's body for nothing.
        """
        if self._deny is not None and denies(self._deny, origin.address):
            return DENIED
        # The shed may hold a network because of a neighbour's attempts. An exempt address is not under that limit.
        if skips_shed or self.is_exempt(origin) or not (wait_us := self.shed_us(digests)):
            return None
        if self._devices.has_genuine_token(token):
            return None
        return throttled("shed", wait_us)

    def shed_us(self, digests: OriginDigests) -> int:
        """How long this worker's shed refuses the client, in microseconds; 0 if it does not."""
        # Where nothing is shed, as nearly always, the origin's identities are not even listed.
        return self._shed.wait_us(digests.ids) if self._shed.holds_any else 0

    def spare(self, charge: Charge) -> None:
        """Keep the address of a charge out of the shed: known accounts are let in from there, over its limits."""
        self._shed.spare(charge.ip)

    def remember(self, origin: Origin, charge: Charge, verdict: Verdict) -> None:
        """Refuse the like of a refused attempt from memory, and have what stands in front do so."""
        self._shed.remember(charge, verdict)
        if self._feed is not None:
            self._feed.refused(origin, charge, verdict)
