"""How a request arrived: the peer, the forwarding headers, and what is believed of them. Names no address."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sekisho.read.address import is_rewritten, packed_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.read.address import Addresses

FORGED: Final = "192.0.2.1"
"""An address of documentation (RFC 5737): no client has it, so a request that seems to come from it was forged."""
_PRIVATE: Final = tuple(
    ip_network(text)
    for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7")
)


class Arrival(NamedTuple):
    """Attributes:
    trusted: the peer is a trusted proxy.
    forwarded: a forwarding header came.
    named: the configured forwarding header came.
    rewritten: the header lists the peer's own address, as after a server has put one from the header in its place.
    forged_peer: the peer has the address `FORGED`.
    forged_client: the client's address, as it is counted, is `FORGED`.
    network: the private network of the peer, such as `10.0.0.0/8`; empty for other peers.
    outermost: no session middleware ran before.
    client_is_proxy: the header names the client, and names it by the address of a trusted proxy.
    """

    trusted: bool
    forwarded: bool
    named: bool
    rewritten: bool
    forged_peer: bool
    forged_client: bool
    network: str
    outermost: bool
    client_is_proxy: bool = False


def arrival_of(scope: Mapping[str, Any], addresses: Addresses) -> Arrival:
    """Describe by which peer and with which forwarding headers a request arrived; `scope` is its ASGI scope."""
    headers = dict(scope["headers"])
    peer, hops, device, forwarded = addresses.facts(scope, headers)
    origin = addresses.origin(peer, hops, device, forwarded)
    return Arrival(
        trusted=origin.vouched,
        forwarded=forwarded,
        named=hops is not None,
        rewritten=is_rewritten(scope, headers),
        forged_peer=peer == FORGED,
        forged_client=origin.address == FORGED,
        network=_network_of(peer),
        outermost="session" not in scope,
        client_is_proxy=origin.vouched and hops is not None and addresses.is_trusted(origin.address),
    )


def _network_of(peer: str | None) -> str:
    # Of the peer's address only its private network is told, which millions of machines share.
    if peer is None or packed_address(peer) is None:
        return ""
    address = ip_address(peer.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return next((str(each) for each in _PRIVATE if (mapped or address) in each), "")
