"""One account at an operator's desk: everything that is stored about it, read and removed part by part."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho.cli import target
from sekisho.cli.personal import store
from sekisho.control import Act
from sekisho.control.asked import account_name, without_account
from sekisho.owners.port import Contact
from sekisho.settings import SettingsErrors
from sekisho.settings.extras import missing_extras

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Iterable

    from sekisho.cli.operator import Desk
    from sekisho.cli.personal.database import OwnerRows
    from sekisho.cli.personal.step_up import StepUpCounts
    from sekisho.cli.target import Target
    from sekisho.control import ControlRecord
    from sekisho.control.asked import AskedGroup
    from sekisho.ledger.counters import NamedCounter


class FoundAccount(NamedTuple):
    """An account, and the ways to what is stored about it.

    Attributes:
        service: the running one.
        named: the account.
        counts: those of step-ups; None without factors, or where they are in the service's memory.
        rows: those in the database of owners; None without one, or where it knows no such account.
    """

    service: Desk
    named: Target
    counts: StepUpCounts | None
    rows: OwnerRows | None

    async def read(self) -> dict[str, Any]:
        """Read everything that is stored about the account, by part; parts that cannot be read are absent.

        Raises `StoreUnavailable`, `OwnersError`.
        """
        parts = await store.counters(self.service, self.named)
        record = await self.service.record()
        parts |= {"asked": self._campaigns(record.asked), "told": self._campaigns(record.told)}
        line, settings = self.service.line, self.service.settings
        if line is not None:
            parts["guesses"] = await store.guesses(line, settings.namespace, self._counted)
        if self.counts is not None:
            parts |= {"sums": await self.counts.sums(), "step_up_counts": await self.counts.counts()}
        if self.rows is not None:
            parts |= await self.rows.read()
        return parts

    async def forget(self, why: str) -> None:
        """Remove everything that is stored about the account, end step-ups under way, and tell every worker.

        It can be repeated: what a first run left is removed by the next. Raises `StoreUnavailable`, `OwnersError`.
        """
        counted, line, settings = self._counted, self.service.line, self.service.settings
        # Counters first: a worker that forgets a refusal earlier would hear of it again. Then the event, so that a
        # database that fails leaves no removal without one.
        await store.forget_counters(self.service, counted)
        await self._tell(why, tuple(counter.digest for counter in counted))
        if line is not None:
            await store.forget_guesses(line, settings.namespace, counted)
        if self.counts is not None:
            await self.counts.forget()
        if self.rows is not None:
            await self.rows.forget()

    async def _tell(self, why: str, digests: tuple[bytes, ...]) -> None:
        act = Act(0, 0, "forget", "account", why=why, digests=digests, account=self.named.subject.account)
        await self.service.do(act, self._without)
        if self.service.earlier is not None:
            await self.service.earlier.unblock(digests)

    def _without(self, record: ControlRecord) -> ControlRecord:
        asked, told = (without_account(self._name, groups) for groups in (record.asked, record.told))
        return replace(record, asked=asked, told=told)

    def _campaigns(self, groups: Iterable[AskedGroup]) -> list[dict[str, Any]]:
        return [{"campaign": each.name, "until": each.until_s} for each in groups if self._name in each.accounts]

    @property
    def _name(self) -> bytes:
        return account_name(self.named.subject.account)

    @property
    def _counted(self) -> list[NamedCounter]:
        return target.account_counters(self.named, self.service.settings)


@asynccontextmanager
async def found(service: Desk, args: argparse.Namespace, *, changes: bool = False) -> AsyncIterator[FoundAccount]:
    """A context with the account that the command line names. `changes`: see `Desk.warn`.

    Raises `Misused`, `SettingsErrors`, `OwnersError`, `Unreachable`.
    """
    named, typed = target.account(args, service.settings)
    if missing := missing_extras(service.settings):
        raise SettingsErrors(missing)
    await service.warn(changes=changes)
    if service.settings.owners is None:
        yield FoundAccount(service, named, _counts(service, named, None, typed), None)
        return
    from sekisho.cli.owners.common import opened  # noqa: PLC0415 - needs a database's packages
    from sekisho.cli.personal.database import OwnerRows  # noqa: PLC0415 - the same

    async with opened(service.settings) as owners:
        contact = Contact(args.owner_id, None, None) if args.owner_id else await owners.look_up(typed)
        rows = OwnerRows(owners, service.settings, typed, contact) if contact else None
        yield FoundAccount(service, named, _counts(service, named, contact, typed), rows)


def _counts(service: Desk, named: Target, contact: Contact | None, typed: str) -> StepUpCounts | None:
    if service.line is None or not service.settings.factors:
        return None
    from sekisho.cli.personal.step_up import StepUpCounts  # noqa: PLC0415 - as above

    return StepUpCounts(service.line, service.settings, named.names[-1], contact.owner if contact else typed)
