"""Reset lost factors: remove all enrolments of the account after a day, unless its owner cancels the reset.

The owner is notified at every address on file, by mail if SEKISHO_SMTP is set and by SEKISHO_NOTICES_WEBHOOK, and
cancels the reset by completing a factor at any log-in. So an attacker who deceived the support is exposed within the
day. With SEKISHO_SECRET the notice goes through the service's outbox; without it the command mails by itself. Either
way the owner is told once of one reset, however often it is asked for. With --cancel, you cancel the reset.

Exit code: 0 if it is asked for or cancelled, 1 if not, or if the owner is not told; 2 if the command line is wrong.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from sekisho.cli.owners.common import MAIL, opened, settings
from sekisho.cli.owners.telling import Notification, Notified, tell_of_reset
from sekisho.model import SekishoError
from sekisho.stepup.factors.account_owner import AccountOwner

if TYPE_CHECKING:
    import argparse

    from sekisho.owners import Contact, Reset
    from sekisho.owners.sql import SqlOwners
    from sekisho.settings import Settings

__all__ = ["NoSuchAccount", "arguments", "interrupted", "run"]

_OUTBOX = ("SECRET", "NAMESPACE", "NOTICES_WEBHOOK", "NOTICES_WEBHOOK_SECRET")


class NoSuchAccount(SekishoError):  # noqa: N818 - an answer, not a mistake of the program
    """The query has found no account."""


class ResetAsked(NamedTuple):
    """The reset, and whether its owner was told."""

    reset: Reset
    notice: Notification


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the account, as its owner types it at a log-in")
    parser.add_argument("--cancel", action="store_true", help="cancel a pending reset")


def run(args: argparse.Namespace) -> int:
    found = settings(*MAIL, *_OUTBOX)
    if args.cancel:
        return _say_cancelled(asyncio.run(_cancel(found, args.name)), as_json=args.json)
    return _say_asked(asyncio.run(_ask(found, args.name)), as_json=args.json)


def interrupted(_: argparse.Namespace) -> str:
    return "the reset may or may not be asked for or cancelled, and its owner told; run it again"


async def _cancel(found: Settings, name: str) -> bool:
    async with opened(found) as owners:
        return await owners.cancel_reset((await _contact(owners, name)).account_id)


async def _ask(found: Settings, name: str) -> ResetAsked:
    async with opened(found) as owners:
        contact = await _contact(owners, name)
        reset = await owners.ask_reset(contact.account_id, now_s=int(time.time()))
        return ResetAsked(reset, await tell_of_reset(found, owners, AccountOwner(name, contact, ()), reset))


async def _contact(owners: SqlOwners, name: str) -> Contact:
    if (contact := await owners.contact(name)) is None:
        raise NoSuchAccount("SEKISHO_OWNERS_QUERY finds no account of that name (it is not repeated here)")
    return contact


def _moment(reset: Reset) -> datetime:
    return datetime.fromtimestamp(reset.due_s, UTC)


def _say_cancelled(was_there: bool, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"cancelled": was_there}))
    else:
        print("The reset is cancelled: nothing will be removed." if was_there else "No reset is pending.")
    return 0


def _say_asked(asked: ResetAsked, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"asked": asked.reset.asked_s, "due": asked.reset.due_s, "notice": asked.notice.word}))
    else:
        due = f"{_moment(asked.reset):%Y-%m-%d %H:%M} UTC"
        print(f"All factors of the account are removed at its first log-in after {due}.")
        print(_notice_text(asked.notice))
    # Exit code 1 if the owner was not notified: an attacker wants a reset that the owner does not notice.
    return 0 if asked.notice.how in _OWNER_HEARS else 1


def _notice_text(notice: Notification) -> str:
    if notice.how is Notified.BUSY:
        return _BUSY
    return _TOLD.get(notice.how, f"The owner could NOT be notified by mail ({notice.word}); tell them yourself.")


_BUSY = "Another run of this command tells the owner at this moment. Run it again in a minute: it says how that ended."
_OWNER_HEARS = {Notified.SENT, Notified.TOLD, Notified.QUEUED}
_TOLD = {
    Notified.SENT: "The owner has been told, and calls it off by showing a factor.",
    Notified.TOLD: "A notice of this reset was sent or queued by an earlier run, and the owner gets no second one.",
    Notified.QUEUED: "The notice waits in the outbox: the service sends it as soon as the mail server takes it.",
    Notified.NO_SERVER: "Nobody was told: SEKISHO_SMTP is not set. Tell the owner by another way.",
    Notified.NO_ADDRESS: "Nobody was told: the account has no address. Tell the owner by another way.",
}
