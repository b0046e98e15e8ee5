"""Networks in settings: trusted proxies, the allow list, the deny list.

They prevent a common mistake: trusting *every* peer to name the client. Then each attacker chooses the address that is
counted, and evades every limit per address (CVE-2026-111934 and similar).
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import TYPE_CHECKING

from sekisho.model import SettingsError
from sekisho.settings.parse import items

if TYPE_CHECKING:
    from collections.abc import Iterable

Network = IPv4Network | IPv6Network

NETWORKS_MAX = 4096

# All possible client addresses: all of IPv4; of IPv6 the eighth that is allocated (RFC 4291 section 2.4).
_EVERYBODY = (IPv4Network("0.0.0.0/0"), IPv6Network("2000::/3"))
_MAPPED = IPv6Network("::ffff:0:0/96")


def networks(text: str, setting: str) -> tuple[Network, ...]:
    """Read comma-separated CIDRs. IPv4 inside IPv6 (`::ffff:10.0.0.0/104`) becomes IPv4, as addresses do.

    Raises `SettingsError`.
    """
    found = items(text, setting, most=NETWORKS_MAX)
    return tuple(_network(item, position, setting) for position, item in enumerate(found, 1))


def allowed(text: str, setting: str) -> tuple[Network, ...]:
    """Read networks as `networks` does, for the allow list.

    Raises `SettingsError`, also for half of the internet or more, which would switch the limits off.
    """
    found = networks(text, setting)
    if covers_half(found):
        raise SettingsError(setting, "lets half of the internet or more through: SEKISHO_MODE=monitor does that openly")
    return found


def proxies(text: str, setting: str) -> tuple[tuple[Network, ...], bool]:
    """Read the networks of trusted proxies, and whether `unix` is listed: then the peer on a unix socket is trusted.

    Raises `SettingsError`, also for half of the internet or more.
    """
    found = items(text, setting, most=NETWORKS_MAX)
    trusted = tuple(_network(item, n, setting) for n, item in enumerate(found, 1) if item.lower() != "unix")
    if covers_half(trusted):
        problem = "trusts half of the internet or more to name the client's address; list only your own proxies"
        raise SettingsError(setting, problem)
    return trusted, len(trusted) < len(found)


def _network(item: str, position: int, setting: str) -> Network:
    network = _read(item)
    if network is None:
        if len(item.split()) > 1:
            raise SettingsError(setting, f"item {position} has a blank inside; write commas between networks")
        problem = f"item {position} is no network such as 10.0.0.0/8 or fd00::/8, or has bits set beyond its prefix"
        raise SettingsError(setting, problem)
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


def _read(item: str) -> Network | None:
    try:
        return ip_network(item)
    except ValueError:  # its text repeats the item, so it must not propagate
        return None


def covers_half(found: Iterable[Network]) -> bool:
    """Whether all networks together cover half of IPv4 or of IPv6: many small ones count like one large one."""
    return any(2 * _held(found, everybody) >= everybody.num_addresses for everybody in _EVERYBODY)


def _held(found: Iterable[Network], everybody: Network) -> int:
    if isinstance(everybody, IPv4Network):
        return sum(n.num_addresses for n in collapse_addresses(n for n in found if isinstance(n, IPv4Network)))
    six = [n for n in found if isinstance(n, IPv6Network) and n.overlaps(everybody)]
    return sum(min(n.num_addresses, everybody.num_addresses) for n in collapse_addresses(six))
