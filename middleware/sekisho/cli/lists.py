"""Shared by `sekisho deny` and `sekisho allow`: both lists of the control record."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho.cli.operator import add_because, by_as_json, desk, moment, reason, said_by, seconds
from sekisho.cli.usage import Misused
from sekisho.control import Act, ListEntry
from sekisho.control.acts import newest
from sekisho.control.record import ENTRIES_MAX
from sekisho.model import SekishoError, SettingsError
from sekisho.read import Addresses
from sekisho.record import Subjects
from sekisho.settings.networks import covers_half, networks

if TYPE_CHECKING:
    import argparse

    from sekisho.cli.operator import Desk
    from sekisho.control import ControlRecord
    from sekisho.settings.networks import Network

__all__ = ["List", "NotListed", "arguments", "as_json", "interrupted", "run"]


class NotListed(SekishoError):  # noqa: N818 - an answer, not a mistake of the program
    """The network is not on the list, or the list is full."""


class List(NamedTuple):
    """One of the two lists.

    Attributes:
        name: `deny` or `allow`: the record's field, and the word of the act.
        default: how long an entry stands unless `--for` says otherwise.
        days_max: the longest.
        does: what it does to a network.
    """

    name: str
    default: str
    days_max: int
    does: str

    def entries(self, record: ControlRecord) -> tuple[ListEntry, ...]:
        found: tuple[ListEntry, ...] = getattr(record, self.name)
        return found

    def act(self, record: ControlRecord, entry: ListEntry) -> Act | None:
        """The act that put the entry there; None if it is no longer in the record."""
        return newest(record.acts, of=entry.network, words=frozenset({self.name}))


def arguments(parser: argparse.ArgumentParser, listed: List) -> None:
    parser.add_argument("network", nargs="?", metavar="NETWORK", help="an address or a network such as 203.0.113.0/24")
    parser.add_argument(
        "--for",
        dest="span",
        metavar="SPAN",
        help=f"how long: 90s, 10m, 1h, 7d; {listed.days_max} days at most (default: {listed.default})",
    )
    parser.add_argument("--remove", action="store_true", help="take the network off the list")
    add_because(parser)


def run(args: argparse.Namespace, listed: List) -> int:
    if args.network is None and (args.remove or args.span or args.because):
        raise Misused("this needs a NETWORK")
    if args.remove and args.span:
        raise Misused("--remove and --for contradict each other")
    print(asyncio.run(_run(args, listed)))
    return 0


def interrupted(args: argparse.Namespace, listed: List) -> str:
    return f"the list may or may not be changed; `sekisho {listed.name}` shows it" if args.network else ""


async def _run(args: argparse.Namespace, listed: List) -> str:
    network = _network(args.network) if args.network is not None else None
    span_s = seconds(args.span or listed.default, "--for", listed.days_max * 86_400)
    why = reason(args.because)
    async with desk() as service:
        await service.warn(changes=network is not None)
        if network is None:
            record = await service.record()
        elif args.remove:
            record = await _remove(service, listed, network, why)
        else:
            record = await _add(service, listed, ListEntry(str(network), int(time.time()) + span_s), why)
        if args.json:
            return json.dumps(as_json(service, listed, record))
        if network is not None:
            note = "" if args.remove else _on_proxies(service, network)
            return "\n".join(filter(None, (_done(network, listed, record), note)))
        return "\n".join(_as_text(service, listed, record))


async def _add(service: Desk, listed: List, entry: ListEntry, why: str) -> ControlRecord:
    def changed(record: ControlRecord) -> ControlRecord:
        others = _without(listed.entries(record), entry.network)
        if len(others) >= ENTRIES_MAX:
            raise NotListed(f"the list is full: {ENTRIES_MAX} entries")
        return _with(record, listed, (*others, entry))

    return await service.do(_act(service, listed.name, entry.network, why), changed)


async def _remove(service: Desk, listed: List, network: Network, why: str) -> ControlRecord:
    def changed(record: ControlRecord) -> ControlRecord:
        entries = listed.entries(record)
        if not any(entry.network == str(network) for entry in entries):
            raise NotListed("the network is not on the list as it is written here")
        return _with(record, listed, _without(entries, str(network)))

    return await service.do(_act(service, f"remove_{listed.name}", str(network), why), changed)


def _act(service: Desk, word: str, network: str, why: str) -> Act:
    """The act; for a single address with its digest, as events name it."""
    (one,) = networks(network, "NETWORK")
    origin = Addresses(()).origin(str(one.network_address), None, b"", False)
    subject = Subjects(service.settings.secrets, str).of_address(origin.prefixes)
    return Act(0, 0, word, of=network, why=why, address=subject.address if one.num_addresses == 1 else "")


def _without(entries: tuple[ListEntry, ...], network: str) -> tuple[ListEntry, ...]:
    """All others whose time has not ended."""
    now_s = time.time()
    return tuple(entry for entry in entries if entry.network != network and entry.until_s > now_s)


def _with(record: ControlRecord, listed: List, entries: tuple[ListEntry, ...]) -> ControlRecord:
    return replace(record, deny=entries) if listed.name == "deny" else replace(record, allow=entries)


def _on_proxies(service: Desk, network: Network) -> str:
    """What to know of a network with a trusted proxy in it; empty for every other."""
    trusted = service.settings.trusted_proxies
    if not any(each.version == network.version and each.overlaps(network) for each in trusted):
        return ""
    return (
        "A trusted proxy (SEKISHO_TRUSTED_PROXIES) is in it: clients behind a proxy are judged by the addresses that "
        f"it writes into {service.settings.client_ip_header}, and not by its own."
    )


def _network(text: str) -> Network:
    try:
        found = networks(text, "NETWORK")
    except SettingsError as error:
        raise Misused(f"NETWORK {error.problem}. Without NETWORK the list is shown") from None
    if len(found) != 1:
        raise Misused("NETWORK is a list; give one network")
    if covers_half(found):
        raise Misused("NETWORK is half of the internet or more; `sekisho mode` switches the guard")
    return found[0]


def _done(network: Network, listed: List, record: ControlRecord) -> str:
    entry = next((entry for entry in listed.entries(record) if entry.network == str(network)), None)
    if entry is None:
        return f"{network} is no longer on the list; every worker follows within a second"
    return f"{network} {listed.does} until {moment(entry.until_s)}; every worker follows within a second"


def _as_text(service: Desk, listed: List, record: ControlRecord) -> list[str]:
    variable = f"SEKISHO_{listed.name.upper()}"
    lines = [f"{network}  always, by {variable}" for network in getattr(service.settings, listed.name)]
    lines += [
        f"{entry.network}  until {moment(entry.until_s)}{said_by(listed.act(record, entry))}"
        for entry in _without(listed.entries(record), "")
    ]
    return lines or ["the list is empty"]


def as_json(service: Desk, listed: List, record: ControlRecord) -> dict[str, Any]:
    """A list as `sekisho deny --json` or `sekisho allow --json` prints it; times are Unix seconds."""
    return {
        "settings": [str(network) for network in getattr(service.settings, listed.name)],
        "listed": [
            {"network": entry.network, "until": entry.until_s, **by_as_json(listed.act(record, entry))}
            for entry in _without(listed.entries(record), "")
        ],
    }
