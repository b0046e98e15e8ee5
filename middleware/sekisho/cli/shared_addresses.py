"""Addresses that many owners share, and that the limits of addresses refuse: what `sekisho report` says of them."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho.cli import written
from sekisho.cli.output import many
from sekisho.cli.target import address_subject
from sekisho.read.address import contains
from sekisho.record.shared_addresses import HOUR_US

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Network, IPv6Network

    from sekisho.record.shared_addresses import FoundShared, SharedAddress
    from sekisho.settings import Settings


class NamedAddress(NamedTuple):
    """Attributes:
    found: what the events say of it.
    text: the IPv4 address or the IPv6 /64; empty where the events do not tell its network.
    is_allowed: whether SEKISHO_ALLOW has it.
    """

    found: SharedAddress
    text: str
    is_allowed: bool

    def __repr__(self) -> str:
        # Error reporters print values: addresses must not appear there.
        return "NamedAddress(...)"


def named(found: FoundShared, settings: Settings) -> list[NamedAddress]:
    """Find the address behind each digest. It is one of the 256 in its network, and the secret tells which."""
    every = []
    for each in found.addresses:
        text = _text(each, settings)
        allowed = bool(text) and contains(settings.allow, text.partition("/")[0])
        every.append(NamedAddress(each, text, allowed))
    return every


def _text(each: SharedAddress, settings: Settings) -> str:
    if not each.network:
        return ""
    texts = map(str, _addresses(ip_network(each.network)))
    matching = (text for text in texts if address_subject(text.partition("/")[0], settings).address == each.address)
    return next(matching, "")


def _addresses(network: IPv4Network | IPv6Network) -> Iterator[object]:
    """Every address that events tell apart: an IPv4 address, or an IPv6 /64."""
    return iter(network) if network.version == 4 else network.subnets(new_prefix=64)


def as_text(found: FoundShared, every: list[NamedAddress], settings: Settings) -> list[str]:
    """The report, as lines."""
    lines = [line for each in every for line in _lines(each, settings)]
    lines = lines or ["no shared address where owners were refused"]
    lines.append(f"each address with more than {many(found.error, 'log-in')} was looked at")
    if found.summed:
        refusals = many(found.summed, "refusal is", "refusals are")
        lines.append(f"{refusals} in sums that name no address")
    return lines


def _lines(named: NamedAddress, settings: Settings) -> list[str]:
    found = named.found
    worst = max(found.hours, key=lambda hour: (hour.owners, hour.unread))
    reasons = ", ".join(f"{reason} ({times:,})" for reason, times in found.reasons)
    would = " (in the mode monitor: they got in)" if found.watched == found.refusals else ""
    times, hours = many(found.refusals, "time"), many(len(found.hours), "hour")
    at = written.span_text(worst.at_us, worst.at_us + HOUR_US)
    lines = [
        f"{named.text or found.address}  {found.network or written.NOT_WRITTEN}",
        f"  owners refused: {found.refused:,} of {found.owners:,}, {times}{would}: {reasons}",
        f"  the worst of {hours}: {at}, {many(worst.owners, 'owner')}",
        f"  other accounts that were tried from it: {found.others:,}",
    ]
    if found.unread:
        lines.append(f"  refused before they were read: {many(found.unread, 'attempt')}, nobody knows whose")
    return [*lines, *(f"  {line}" for line in _advice(named, settings)), ""]


def _advice(named: NamedAddress, settings: Settings) -> list[str]:
    if named.is_allowed:
        return ["SEKISHO_ALLOW has it"]
    if named.found.has_attacker:
        return [
            "most accounts that are tried from it are none of its owners': `sekisho allow` would let guesses through"
        ]
    if not named.text:
        return ["`sekisho tail --address ADDRESS` shows whether an address is this one"]
    allow = ",".join([*map(str, settings.allow), named.text])
    return [f"for a time: sekisho allow {named.text} --for 2h", f"for good:   SEKISHO_ALLOW={allow}"]


def as_json(found: FoundShared, every: list[NamedAddress]) -> dict[str, Any]:
    """The report, for JSON; times are Unix seconds."""
    return {
        "addresses": [
            {
                "address": each.text,
                "digest": each.found.address,
                "network": each.found.network,
                "owners": each.found.owners,
                "refused": each.found.refused,
                "refusals": each.found.refusals,
                "in_monitor": each.found.watched,
                "unread": each.found.unread,
                "reasons": dict(each.found.reasons),
                "hours": [
                    {"at": hour.at_us // 1_000_000, "owners": hour.owners, "unread": hour.unread}
                    for hour in each.found.hours
                ],
                "others": each.found.others,
                "allowed": each.is_allowed,
                "has_attacker": each.found.has_attacker,
            }
            for each in every
        ],
        "error": found.error,
        "summed": found.summed,
    }
