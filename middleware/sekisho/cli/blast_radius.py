"""The accounts that campaigns have entered, and what an operator does about them."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sekisho.control import Act
from sekisho.control.asked import AskedGroup, account_name
from sekisho.read import Accounts
from sekisho.read.names import ACCOUNT_CHARS_MAX
from sekisho.record import Subjects
from sekisho.settings import SettingsErrors
from sekisho.settings.extras import missing_extras

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from sekisho.cli.operator import Desk
    from sekisho.control import ControlRecord
    from sekisho.record.campaigns import Campaign, Entry
    from sekisho.settings import Settings


class BlastRadius(NamedTuple):
    """Attributes:
    campaigns: with the accounts that they entered.
    names: of accounts by their digests, as far as they are known.
    """

    campaigns: tuple[Campaign, ...]
    names: Mapping[str, str]

    @property
    def accounts(self) -> frozenset[str]:
        """All accounts that are listed."""
        proved = {entry.account for campaign in self.campaigns for entry in campaign.proved}
        return self.asked | proved

    @property
    def asked(self) -> frozenset[str]:
        """Accounts that were entered, or whose password is known."""
        return frozenset(account for campaign in self.campaigns for account in asked_of(campaign))

    @property
    def told(self) -> tuple[Entry, ...]:
        """Entered accounts whose names are known; owners with a known password were told when it was used."""
        entries = {entry.account: entry for campaign in self.campaigns for entry in campaign.entered}
        return tuple(entry for account, entry in entries.items() if account in self.names)

    def name(self, account: str) -> str:
        return self.names.get(account, account)

    def __repr__(self) -> str:
        return "BlastRadius(...)"


class Done(NamedTuple):
    """Attributes:
    asked: accounts that are asked for a proof from now on.
    told, untold: notices that are in the outbox, and accounts without one.
    """

    asked: int
    told: int
    untold: int


def asked_of(campaign: Campaign) -> list[str]:
    """Accounts that a campaign entered, or whose password it has."""
    return sorted({*(entry.account for entry in campaign.entered), *campaign.passwords_known})


def named_in(path: str, wanted: Collection[str], settings: Settings) -> dict[str, str]:
    """The names in a file of all accounts that have one of these digests. Raises `OSError`."""
    accounts = Accounts(parts=settings.account_parts)
    subjects, found = Subjects(settings.secrets, accounts.canonical), dict[str, str]()
    for name in _lines(Path(path)):
        digest = subjects.of_account(name).account
        if digest in wanted:
            found[digest] = name
    return found


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        while line := file.readline(4 * ACCOUNT_CHARS_MAX):
            if name := line.rstrip("\r\n"):
                yield name


async def ask_at(service: Desk, radius: BlastRadius, span_s: int, why: str) -> Done:
    """Ask for a proof at the accounts, and tell owners. Raises `ControlError`, `StoreUnavailable`, `OwnersError`."""
    until_s = int(time.time()) + span_s
    for campaign in radius.campaigns:
        names = [account_name(account) for account in asked_of(campaign)]
        if names:
            group = AskedGroup(campaign.name, until_s, tuple(names))
            await service.do(Act(0, 0, "ask", campaign.name, why=why), partial(_with, group))
    told = await _tell(service.settings, radius) if radius.told else 0
    return Done(len(radius.asked), told, len(radius.told) - told)


async def stop_asking(service: Desk, campaign: str, why: str) -> list[str]:
    """End the asking of a campaign, or of all (empty). Returns those that were ended. Raises as `ask_at`."""
    groups = [group.name for group in (await service.record()).asked if campaign in {"", group.name}]
    for name in groups:
        await service.do(Act(0, 0, "unask", name, why=why), partial(without_group, name))
    return groups


def _with(group: AskedGroup, record: ControlRecord) -> ControlRecord:
    """The record with this group; accounts that it had before stay, and groups that have ended go."""
    before = next((each.accounts for each in record.asked if each.name == group.name), ())
    merged = group._replace(accounts=tuple(dict.fromkeys((*before, *group.accounts))))
    now_s = time.time()
    others = tuple(each for each in record.asked if each.name != group.name and now_s < each.until_s)
    return replace(record, asked=(*others, merged))


def without_group(name: str, record: ControlRecord) -> ControlRecord:
    """The record without a group."""
    return replace(record, asked=tuple(each for each in record.asked if each.name != name))


async def _tell(settings: Settings, radius: BlastRadius) -> int:
    """Put a notice to each owner into the outbox. Returns for how many accounts there is one."""
    if settings.owners is None:
        return 0
    if missing := missing_extras(settings):
        raise SettingsErrors(missing)
    from sekisho.cli.entered_notices import queue  # noqa: PLC0415 - needs a database's packages

    return await queue(settings, [(radius.name(entry.account), entry) for entry in radius.told])
