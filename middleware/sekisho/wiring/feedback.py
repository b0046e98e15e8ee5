"""What a service or an operator knows better than the guard: takeovers, and false alarms."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.control import Act, change
from sekisho.control.acts import TEXT_BYTES_MAX
from sekisho.control.asked import AskedGroup, account_name, with_group, without_account
from sekisho.ledger.counters import charge_at, counters_of
from sekisho.model import Unreadable
from sekisho.read import Addresses, Digests
from sekisho.read.address import packed_address
from sekisho.record import Subjects
from sekisho.store import refusals_told
from sekisho.wiring.digests import digests_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.control import ControlMac, ControlPlace, ControlRecord
    from sekisho.feed import FeedReader
    from sekisho.ledger.counters import CounterPlace, NamedCounter
    from sekisho.read import Accounts
    from sekisho.record import Subject
    from sekisho.settings import Settings

SERVICE: Final = "the service"
REPORTED: Final = "reported-"
"""How the groups of reported accounts begin, in the control record."""


class NamedAccount(NamedTuple):
    """Attributes:
    names: the counted names: that of strangers' attempts, and the canonical name if that is another.
    subject: as events name the account.
    """

    names: tuple[str, ...]
    subject: Subject

    def __repr__(self) -> str:
        # Error reporters print values: accounts must not appear there.
        return "NamedAccount(...)"


def named_account(account: str, accounts: Accounts, subjects: Subjects) -> NamedAccount:
    """Return the counted names of an account and its name in events. `account`: as its owner types it.

    Raises `ValueError`, which does not repeat the name, if no account can have it.
    """
    try:
        canonical = accounts.canonical(account)
        strangers = accounts.limit_key(canonical) or canonical
    except Unreadable:
        raise ValueError("no account can have this name") from None
    return NamedAccount(tuple(dict.fromkeys((strangers, canonical))), subjects.of_account(account))


class Feedback:
    """Changes the control record, which tells all workers, and the counters. All methods raise `ControlError` and
    `StoreUnavailable`.

    Args:
        place: keeps the record.
        mac: signs it.
        counters: those of the store; None where the process that hears the record keeps them.
        feed: of refused addresses; None where there is none.
        settings: the service's.
        clock_s: Unix time.
    """

    def __init__(
        self,
        place: ControlPlace,
        mac: ControlMac,
        counters: CounterPlace | None,
        feed: FeedReader | None,
        settings: Settings,
        clock_s: Callable[[], float],
    ) -> None:
        self._place = place
        self._mac = mac
        self._counters = counters
        self._feed = feed
        self._settings = settings
        self._clock_s = clock_s

    async def takeover(self, named: NamedAccount, *, by: str, why: str, keep_devices: bool = False) -> None:
        """Record that an account is asked for a proof from now on, forget its counters and history, end its devices.

        The record is written first: if the store fails in between, the account is asked all the same.

        Args:
            named: the account.
            by: the operator or service that reports, for the event.
            why: a reason, for the event.
            keep_devices: whether devices that have shown a proof stay known.

        Raises:
            ValueError: the reason is too long, or has control characters.
            ControlError: the new record is refused, or others change the record all the time.
            StoreUnavailable: it may or may not be done.
        """
        counted = self._counted(named.names)
        # Devices count at the canonical name. Strangers' attempts may count at a limit key, which may be the canonical
        # name of another account: nobody has reported its devices.
        ended = () if keep_devices else tuple(counter.digest for counter in self._counted(named.names[-1:]))
        act = self._act("takeover", counted, named, by, why)._replace(ended=ended)
        name = account_name(named.subject.account)
        with refusals_told():
            await self._do(act, lambda record: self._with(name, record))
            if self._counters is not None:
                for counter in counted:
                    await self._counters.forget_account(counter.charge, ends_devices=counter.digest in ended)

    async def false_alarm(self, named: NamedAccount, address: str, *, by: str, why: str) -> None:
        """Clear the counters of an account, and of an address unless it is empty; ask the account for no more proofs.

        The counters are cleared first: a worker that forgets a refusal earlier would hear of it again.

        Args:
            named: the account.
            address: the address from which its owner was refused; empty for none.
            by: the operator or service that reports, for the event.
            why: a reason, for the event.

        Raises:
            ValueError: the address is none, or the reason is too long or has control characters.
            ControlError: the new record is refused, or others change the record all the time.
            StoreUnavailable: it may or may not be done.
        """
        if address and packed_address(address) is None:
            raise ValueError("this is no address")
        counted = self._counted(named.names)
        act = self._act("false_alarm", counted, named, by, why)
        with refusals_told():
            await self._clear_account(act, counted, named)
            if address:
                await self._clear_address(address, by, why)

    async def _clear_account(self, act: Act, counted: list[NamedCounter], named: NamedAccount) -> None:
        if self._counters is not None:
            for counter in counted:
                await self._counters.clear_account(counter.charge)
        name = account_name(named.subject.account)
        await self._do(act, lambda record: replace(record, asked=without_account(name, record.asked)))

    async def _clear_address(self, address: str, by: str, why: str) -> None:
        settings = self._settings
        origin = Addresses(()).origin(address, None, b"", False)
        charge = charge_at(digests_of(settings).origin_digests(origin))
        if self._counters is not None:
            await self._counters.clear_network(charge, [len(charge.networks)])
        subject = Subjects(settings.secrets, str).of_address(origin.prefixes)
        act = Act(0, 0, "false_alarm", "address", by, why, (charge.ip,), address=subject.address)
        await self._do(act, lambda record: record)
        if self._feed is not None:
            await self._feed.release(origin.prefixes[0])

    def _counted(self, names: tuple[str, ...]) -> list[NamedCounter]:
        settings = self._settings
        return counters_of(names, {door.kind for door in settings.doors}, Digests(settings.secrets))

    def _act(self, word: str, counted: list[NamedCounter], named: NamedAccount, by: str, why: str) -> Act:
        if not why.isprintable() or len(json.dumps(why)) - 2 > TEXT_BYTES_MAX:
            raise ValueError(f"the reason has control characters, or is longer than {TEXT_BYTES_MAX} bytes")
        digests = tuple(counter.digest for counter in counted)
        return Act(0, 0, word, "account", by, why, digests, account=named.subject.account)

    def _with(self, name: bytes, record: ControlRecord) -> ControlRecord:
        now_s = self._clock_s()
        # A group for each month, so that a report does not keep those of years ago.
        group = f"{REPORTED}{datetime.fromtimestamp(now_s, UTC):%Y-%m}"
        asked = AskedGroup(group, int(now_s) + self._settings.device_days * 86_400, (name,))
        return replace(record, asked=with_group(asked, record.asked, now_s))

    async def _do(self, act: Act, changed: Callable[[ControlRecord], ControlRecord]) -> None:
        await change(self._place, self._mac, changed, self._clock_s, act)
