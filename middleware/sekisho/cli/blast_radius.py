"""The accounts that campaigns have entered, and what an operator does about them."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sekisho.cli.operator import reason
from sekisho.cli.output import many, printable
from sekisho.control import Act
from sekisho.control.asked import (
    ACCOUNTS_MAX,
    GROUPS_MAX,
    AskedGroup,
    account_name,
    accounts_in,
    with_group,
    with_told,
)
from sekisho.model import SekishoError
from sekisho.read import Accounts
from sekisho.read.account import id_name
from sekisho.read.names import ACCOUNT_CHARS_MAX
from sekisho.record import Subjects
from sekisho.settings import SettingsErrors
from sekisho.settings.extras import missing_extras

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sekisho.cli.operator import Desk
    from sekisho.control import ControlRecord
    from sekisho.record.campaigns import Campaign, EnteredAccount
    from sekisho.settings import Settings


class BlastRadius(NamedTuple):
    """Attributes:
    campaigns: with the accounts that they entered.
    names: of accounts by their digests, as far as they are known: all whose spellings are counted together. A name
        that a stranger has signed up with, `ＨＡＮＡ`, must not keep `hana` from being told.
    has_notices: whether the service tells owners of anything.
    """

    campaigns: tuple[Campaign, ...]
    names: Mapping[str, Sequence[str]]
    has_notices: bool = True

    @property
    def accounts(self) -> frozenset[str]:
        """All accounts that the campaigns entered or know the password of, those with a second proof included."""
        proved = {entry.account for campaign in self.campaigns for entry in campaign.proved}
        return self.asked | proved

    @property
    def asked(self) -> frozenset[str]:
        """The accounts to ask for a proof: entered ones without one, and those whose password the attacker knows."""
        return frozenset(account for campaign in self.campaigns for account in asked_of(campaign))

    @property
    def told(self) -> tuple[EnteredAccount, ...]:
        """The accounts whose owners are to be told: those that were entered, and whose names are known.

        Owners whose password is known to the attacker were told when that was used.
        """
        if not self.has_notices:
            return ()
        entries = {entry.account: entry for campaign in self.campaigns for entry in campaign.entered}
        return tuple(entry for account, entry in entries.items() if account in self.names)

    @property
    def unnamed(self) -> int:
        """How many entered accounts have no known name, so that their owners cannot be told."""
        entered = {entry.account for campaign in self.campaigns for entry in campaign.entered}
        return len(entered - self.names.keys())

    def campaigns_of(self, account: str) -> tuple[str, ...]:
        """The names of the campaigns that entered an account."""
        return tuple(each.name for each in self.campaigns if any(one.account == account for one in each.entered))

    def name(self, account: str) -> str:
        """The account for a terminal: its names, or its digest where none is known."""
        return ", ".join(map(printable, self.names.get(account, (account,))))

    def __repr__(self) -> str:
        return "BlastRadius(...)"


class Told(NamedTuple):
    """Attributes:
    now: digests of accounts whose owners got a notice in this run.
    before: those of accounts whose owners had one from a run that could not note it.
    """

    now: set[str]
    before: set[str]

    def add(self, entry: EnteredAccount, is_new: bool) -> None:
        (self.now if is_new else self.before).add(entry.account)

    def __repr__(self) -> str:
        return "Told(...)"


class TooMany(SekishoError):  # noqa: N818 - an answer, not a mistake of the program
    """The control record has no room for so many accounts."""


class Done(NamedTuple):
    """Attributes:
    asked: accounts that are asked for a proof from now on.
    told, untold: accounts with a notice in the outbox, and without one; none where the service tells owners nothing.
    why: what went wrong with notices, after the accounts were asked; some may be queued.
    asked_before: those of the accounts that were asked already.
    told_before: further accounts that have had a notice because of this campaign.
    """

    asked: int
    told: int
    untold: int
    why: str = ""
    asked_before: int = 0
    told_before: int = 0


def asked_of(campaign: Campaign) -> list[str]:
    """The accounts that a campaign entered without a proof, or whose password it used, sorted by their digests."""
    return sorted({*(entry.account for entry in campaign.entered), *campaign.passwords_known})


def named_in(path: str, wanted: Collection[str], settings: Settings, *, are_ids: bool) -> dict[str, list[str]]:
    """Read a file of account names, one a line, and return by their digests those whose digest is in `wanted`.

    `are_ids`: the names are ids, as the service's resolver gives them. Raises `OSError`.
    """
    canonical = id_name if are_ids else Accounts(parts=settings.account_parts).canonical
    subjects, found = Subjects(settings.secrets, canonical), dict[str, list[str]]()
    for name in _lines(Path(path)):
        digest = subjects.of_account(name).account
        if digest in wanted and name not in (names := found.setdefault(digest, [])):
            names.append(name)
    return found


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        while line := file.readline(4 * ACCOUNT_CHARS_MAX):
            if name := line.rstrip("\r\n"):
                yield name


async def ask_at(service: Desk, radius: BlastRadius, span_s: int | None, why: str) -> Done:
    """Have all workers ask for a proof at the accounts, and queue notices to owners. Earlier acts are not repeated.

    Args:
        service: the running service.
        radius: the accounts.
        span_s: for how many seconds; None: as long as a device token lives, and no new time where nothing else is new.
        why: the operator's reason.

    Raises `TooMany`, `ControlError`, `StoreUnavailable`, `SettingsErrors`. Once accounts are asked, what is wrong with
    notices is part of what was done: an error alone would read as if nothing was.
    """
    record, now_s = await service.record(), time.time()
    entries = _untold(radius, record, now_s)
    has_news = bool(entries) and tells(service.settings)
    if has_news and (missing := missing_extras(service.settings)):
        raise SettingsErrors(missing)
    groups = _news(service.settings, radius, record, span_s, now_s)
    _ensure_room(record, groups)
    for group in groups:
        await service.do(Act(0, 0, "ask", group.name, why=_why(group.name, why)), partial(_with, group))
    done = Done(
        len(radius.asked),
        0,
        0,
        asked_before=len({account for each in radius.campaigns for account in _asked_before(each, record, now_s)}),
        told_before=len(radius.told) - len(entries),
    )
    return await _told(service, radius, entries, done) if has_news else done


def _untold(radius: BlastRadius, record: ControlRecord, now_s: float) -> list[EnteredAccount]:
    """The entries of owners who have had no notice because of one of the campaigns."""
    due = {
        entry.account
        for campaign in radius.campaigns
        for entry in campaign.entered
        if account_name(entry.account) not in accounts_in(campaign.name, record.told, now_s)
    }
    return [entry for entry in radius.told if entry.account in due]


def _asked_before(campaign: Campaign, record: ControlRecord, now_s: float) -> list[str]:
    before = accounts_in(campaign.name, record.asked, now_s)
    return [account for account in asked_of(campaign) if account_name(account) in before]


def _news(
    settings: Settings, radius: BlastRadius, record: ControlRecord, span_s: int | None, now_s: float
) -> list[AskedGroup]:
    """The groups that the record does not have like this."""
    until_s = int(now_s) + (span_s or settings.device_days * 86_400)
    found = []
    for campaign in radius.campaigns:
        names = asked_of(campaign)
        if names and (span_s or len(_asked_before(campaign, record, now_s)) < len(names)):
            longest = max((each.until_s for each in record.asked if each.name == campaign.name), default=0)
            ends_s = until_s if span_s else max(until_s, longest)
            found.append(AskedGroup(campaign.name, ends_s, tuple(map(account_name, names))))
    return found


async def _told(service: Desk, radius: BlastRadius, entries: list[EnteredAccount], done: Done) -> Done:
    """Queue the notices, and note which owners have one: a second run does not tell them again."""
    found, why = Told(set(), set()), ""
    try:
        await _tell(service.settings, radius, entries, found)
    except SekishoError as error:
        why = str(error)
    finally:
        # Of a run that is interrupted too.
        if every := frozenset(found.now | found.before):
            await service.note(partial(_with_all_told, service.settings, radius, every))
    return done._replace(
        told=len(found.now),
        untold=len(entries) - len(found.now) - len(found.before),
        why=why,
        told_before=done.told_before + len(found.before),
    )


def _with_all_told(
    settings: Settings, radius: BlastRadius, told: frozenset[str], record: ControlRecord
) -> ControlRecord:
    now_s, groups, until_s = time.time(), record.told, _told_until_s(settings)
    for campaign in radius.campaigns:
        names = tuple(account_name(entry.account) for entry in campaign.entered if entry.account in told)
        if names:
            groups = with_told(AskedGroup(campaign.name, until_s, names), groups, now_s)
    return replace(record, told=groups)


async def stop_asking(service: Desk, campaign: str, why: str) -> list[str]:
    """Have workers no longer ask for a proof at the accounts of a campaign, or of all campaigns if `campaign` is empty.

    Returns the names of the campaigns that were ended. Raises `ControlError`, `StoreUnavailable`.
    """
    groups = [group.name for group in (await service.record()).asked if campaign in {"", group.name}]
    for name in groups:
        await service.do(Act(0, 0, "unask", name, why=_why(name, why)), partial(without_group, name))
    return groups


def _ensure_room(record: ControlRecord, groups: list[AskedGroup]) -> None:
    after = record
    for group in groups:
        after = _with(group, after)
    accounts = sum(len(each.accounts) for each in after.asked)
    if len(after.asked) > GROUPS_MAX or accounts > ACCOUNTS_MAX:
        raise TooMany(
            f"{many(accounts, 'account')} of {many(len(after.asked), 'campaign')} would be asked, and the record has "
            f"room for {ACCOUNTS_MAX:,} of {GROUPS_MAX}: name one campaign, or undo an earlier one"
        )


def _why(name: str, why: str) -> str:
    """The reason for the event, which has no field for the campaign."""
    return reason(f"{name}: {why}" if why else name)


def _with(group: AskedGroup, record: ControlRecord) -> ControlRecord:
    return replace(record, asked=with_group(group, record.asked, time.time()))


def without_group(name: str, record: ControlRecord) -> ControlRecord:
    """Return the control record without the group of asked accounts that has this name."""
    return replace(record, asked=tuple(each for each in record.asked if each.name != name))


def tells(settings: Settings) -> bool:
    """Whether the service tells owners of anything."""
    return settings.owners is not None and (settings.smtp is not None or settings.notices_webhook is not None)


async def _tell(settings: Settings, radius: BlastRadius, entries: list[EnteredAccount], found: Told) -> None:
    """Put a notice to each owner into the outbox, and each account that has one into `found`."""
    from sekisho.cli.entered_notices import ToTell, queue  # noqa: PLC0415 - needs a database's packages

    owed = [ToTell(radius.names[entry.account], entry, radius.campaigns_of(entry.account)) for entry in entries]
    await queue(settings, owed, _told_until_s(settings), found.add)


def _told_until_s(settings: Settings) -> int:
    return int(time.time()) + settings.device_days * 86_400
