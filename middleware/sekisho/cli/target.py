"""Shared by `sekisho look` and `sekisho unblock`: which account, address or device an operator means."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sekisho.cli import asking
from sekisho.cli.usage import Misused
from sekisho.ledger.counters import charge_at, counters_of
from sekisho.model import Unreadable
from sekisho.read import Accounts, Addresses, Digests
from sekisho.read.account import id_name
from sekisho.read.address import fingerprint, packed_address
from sekisho.read.digest import AUTONOMOUS_SYSTEM
from sekisho.record import Subjects
from sekisho.record.subjects import network_text
from sekisho.wiring.digests import digests_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from sekisho.ledger.counters import NamedCounter
    from sekisho.model import Charge, Origin
    from sekisho.record import Subject
    from sekisho.settings import Settings

_NOWHERE = Addresses(()).origin(None, None, b"", False)
KINDS = ("account", "address", "device")


class Target(NamedTuple):
    """What an operator means.

    Attributes:
        kind: one of `KINDS`.
        names: an account's counted names: that of strangers' attempts, and its canonical name if that is another.
        origin: of an address or a device; of an account it says nothing.
        subject: as events name it.
    """

    kind: str
    names: tuple[str, ...]
    origin: Origin
    subject: Subject

    def __repr__(self) -> str:
        # Error reporters print values: accounts and addresses must not appear there.
        return f"Target(kind={self.kind!r})"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=KINDS, help="what VALUE is")
    parser.add_argument(
        "value",
        metavar="VALUE",
        help="an account as its owner types it, or an address (also for a device); - reads it from standard input, so "
        "that it is not in the shell's history",
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="NAME:VALUE",
        help="a header of the device, of those in SEKISHO_DEVICE_HEADERS; may be repeated",
    )
    parser.add_argument(
        "--id", action="store_true", help="VALUE is the id that the service's resolver gives the account"
    )
    parser.add_argument(
        "--address",
        metavar="ADDRESS",
        help="of an account: also the address from which its owner logs in; - reads it from standard input",
    )


def targets(args: argparse.Namespace, settings: Settings) -> list[Target]:
    """What the command line names: one target, or an account and the address of its owner.

    Raises `Misused`, and repeats nothing of the command line.
    """
    if args.address and args.kind != "account":
        raise Misused("--address belongs to an account")
    found = [_target(args, settings)]
    if args.address:
        address = asking.line("address") if args.address == "-" else args.address
        found.append(_at_address("address", address, settings, (), "--address"))
    return found


def _target(args: argparse.Namespace, settings: Settings) -> Target:
    if args.header and args.kind != "device":
        raise Misused("--header belongs to a device")
    if args.id and args.kind != "account":
        raise Misused("--id belongs to an account")
    value = asking.line(args.kind) if args.value == "-" else args.value
    return named(args.kind, value, settings, args.header, is_id=args.id)


def named(kind: str, value: str, settings: Settings, headers: Sequence[str] = (), *, is_id: bool = False) -> Target:
    """The target of one of `KINDS` that has this name. `headers`: of a device. Raises `Misused`."""
    if kind == "account":
        return _account(value, settings, is_id=is_id)
    return _at_address(kind, value, settings, headers)


def name_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that name one account."""
    parser.add_argument(
        "account",
        metavar="ACCOUNT",
        help="as its owner types it; - reads it from standard input, so that it is not in the shell's history",
    )
    parser.add_argument(
        "--id", action="store_true", help="ACCOUNT is the id that the service's resolver gives the account"
    )


def account_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of a command on one account and its owner."""
    name_arguments(parser)
    parser.add_argument(
        "--owner-id",
        metavar="ID",
        default="",
        help="its `account_id` in the database of owners, where SEKISHO_OWNERS_QUERY does not find it any more",
    )


def account(args: argparse.Namespace, settings: Settings) -> tuple[Target, str]:
    """The account that the command line names, and the text that was typed. Raises `Misused`."""
    typed = asking.line("account") if args.account == "-" else args.account
    return _account(typed, settings, is_id=args.id), typed


def account_subject(value: str, settings: Settings) -> Subject:
    """The subject by which events name an account. Raises `Misused`."""
    return _account(value, settings, is_id=False).subject


def address_subject(value: str, settings: Settings) -> Subject:
    """The subject by which events name an address. Raises `Misused`."""
    return Subjects(settings.secrets, str).of_address(_origin(value, b"", "--address").prefixes)


def _origin(value: str, device: bytes, what: str = "VALUE") -> Origin:
    if packed_address(value) is None:
        raise Misused(f"{what} is no address such as 203.0.113.7 or 2001:db8::1")
    return Addresses(()).origin(value, None, device, False)


def _account(value: str, settings: Settings, *, is_id: bool) -> Target:
    try:
        canonical = id_name(value) if is_id else Accounts(parts=settings.account_parts).canonical(value)
        strangers = Accounts.limit_key(canonical) or canonical
    except Unreadable:
        raise Misused("VALUE is refused as an account name at every door") from None
    subject = Subjects(settings.secrets, lambda _: canonical).of_account(value)
    return Target("account", tuple(dict.fromkeys((strangers, canonical))), _NOWHERE, subject)


def _at_address(kind: str, value: str, settings: Settings, headers: Sequence[str], what: str = "VALUE") -> Target:
    read = dict(map(_header, headers))
    if not read.keys() <= set(settings.device_headers):
        raise Misused("--header names a header that is not in SEKISHO_DEVICE_HEADERS")
    device = fingerprint(read, settings.device_headers)
    origin = _origin(value, device, what)
    subjects = Subjects(settings.secrets, str)
    subject = subjects.of_address(origin.prefixes, device if kind == "device" else None)
    return Target(kind, (), origin, subject)


def _header(text: str) -> tuple[bytes, bytes]:
    name, colon, value = text.partition(":")
    if not colon:
        raise Misused("--header is not written NAME:VALUE")
    return name.strip().lower().encode("utf-8", "replace"), value.strip().encode("utf-8", "replace")


def account_counters(found: Target, settings: Settings) -> list[NamedCounter]:
    """All counters of an account, by doors that count apart and spellings of its name."""
    return counters_of(found.names, {door.kind for door in settings.doors}, Digests(settings.secrets))


def network_names(found: Target, settings: Settings) -> list[str]:
    """The names of the networks around an address, narrowest first; empty for a network that is counted twice."""
    return [_network_name(name) for name in digests_of(settings).network_names(found.origin)]


def _network_name(name: bytes) -> str:
    if name.startswith(AUTONOMOUS_SYSTEM) and len(name) == len(AUTONOMOUS_SYSTEM) + 4:
        return f"AS{int.from_bytes(name[-4:], 'big')}"
    return network_text(name) if name else ""


def network_charge(found: Target, settings: Settings) -> Charge:
    """What to ask the ledger for, to read the counters of an address or a device, and of the networks around it."""
    return charge_at(digests_of(settings).origin_digests(found.origin))
