"""An entry of the feed: a network as counted (IPv4 address, IPv6 /64), and until when it is refused.

In the store an entry is a member of a sorted set whose score is the end, in milliseconds of Unix time. The member holds
the network and the hour of the end behind a MAC: write access to the store alone must not have an address blocked.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Final, TypeAlias

from sekisho.crypto.record_mac import RecordMac

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.crypto.signers import Signer

Network: TypeAlias = IPv4Network | IPv6Network

HOUR_MS: Final = 3_600_000
SKEW_S: Final = 300
"""Clocks of workers and fronts may differ by so much; see `store.clock`."""
_HOUR_BYTES: Final = 4
_MEMBER_BYTES_MAX: Final = 128


class FeedMac(RecordMac):
    """See `RecordMac`."""

    def __init__(self, secrets: Sequence[bytes | Signer], namespace: str) -> None:
        super().__init__(secrets, namespace, key_of=b"sekisho.feed", person=b"feed entry")

    def member(self, prefix: bytes, until_ms: int) -> bytes:
        """Return the signed member of the sorted set that stands for a counted prefix (see `Origin.prefixes`).

        `until_ms`: the end of the refusal, Unix time in milliseconds. All ends within one hour have the same member.
        """
        return self.sign((until_ms // HOUR_MS).to_bytes(_HOUR_BYTES) + prefix)

    def opened(self, member: bytes, until_ms: int) -> Network | None:
        """Return the network of a member; None if this service did not sign it, or `until_ms` is in another hour."""
        payload = self.verified(member) if len(member) <= _MEMBER_BYTES_MAX else None
        if payload is None or int.from_bytes(payload[:_HOUR_BYTES]) != until_ms // HOUR_MS:
            return None
        return network_of(payload[_HOUR_BYTES:])


def network_of(prefix: bytes) -> Network | None:
    """A counted prefix as a network; None for the identity of clients without an address."""
    try:
        return ip_network((prefix[:-1], prefix[-1]))
    except ValueError:
        return None


def feed_key(namespace: str) -> bytes:
    """The key of the entries. The other keys of the feed begin with it, so that one node of a Cluster has them all."""
    return f"{namespace}:{{feed}}".encode()


def latest_ms(now_s: float, seconds_max: int) -> int:
    """Return the latest end that an entry may have, in milliseconds of Unix time.

    A later one is from before the clock was set back: by its end, a front would block its address until the clock has
    caught up. `seconds_max`: the longest time for which an address is published.
    """
    return int((now_s + seconds_max + SKEW_S) * 1000)
