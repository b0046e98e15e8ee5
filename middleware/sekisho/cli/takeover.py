"""Report that somebody else has got into an account: its owner says so, or your own analysis.

  sekisho takeover - --because "called, and did not order it"
  sekisho takeover hana --undo

Within a second, on every worker: no device is known there any more, the thief's first of all, the account's history is
forgotten, step-ups under way end, and each log-in with a password is asked for a proof, for SEKISHO_DEVICE_DAYS.
Devices that show one from then on are spared. With --keep-devices, those that have shown one before are spared too: the
owner's, and a thief's to whom a code was passed on. Where a thief may have enrolled a factor, reset the factors as well
(`sekisho owners reset`), which ends no device by itself. End the account's sessions in the application, and have its
owner choose another password. A service reports it itself with `guard.report_takeover(account)`.

--undo ends the asking, and clears the account's counters and waits, as `guard.report_false_alarm(account)` does. Each
device that was known shows a proof once more.

Every worker records the act as an event, with your name and reason; the event names the account by a digest.

Exit code: 0 if it is done, 1 if not, 2 if the command line is wrong.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

from sekisho.cli import target
from sekisho.cli.operator import add_because, desk, operator, reason
from sekisho.control.asked import account_name
from sekisho.wiring.feedback import Feedback, NamedAccount

if TYPE_CHECKING:
    import argparse

__all__ = ["arguments", "interrupted", "run"]


def arguments(parser: argparse.ArgumentParser) -> None:
    target.name_arguments(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--undo", action="store_true", help="it was a false alarm")
    what.add_argument("--keep-devices", action="store_true", help="spare devices that have shown a proof")
    add_because(parser)


def run(args: argparse.Namespace) -> int:
    was_asked = asyncio.run(_run(args, reason(args.because)))
    done = "asked for a proof from now on"
    if args.undo:
        done = "undone" if was_asked else "the account was not asked for a proof; its counters and waits are cleared"
    print(json.dumps({"done": done}) if args.json else f"{done}; every worker follows within a second")
    return 0


def interrupted(_: argparse.Namespace) -> str:
    return "it may be done in part; run it again"


async def _run(args: argparse.Namespace, why: str) -> bool:
    """Returns whether the account was asked for a proof before."""
    async with desk() as service:
        found, _ = target.account(args, service.settings)
        await service.warn(changes=True)
        asked = (await service.record()).asked_accounts(time.time())
        named = NamedAccount(found.names, found.subject)
        counters = service.counters if service.line is not None else None
        feedback = Feedback(service.place, service.mac, counters, service.feed, service.settings, time.time)
        if args.undo:
            await feedback.false_alarm(named, "", by=operator(), why=why)
        else:
            await feedback.takeover(named, by=operator(), why=why, keep_devices=args.keep_devices)
        await service.say_unheard()
        return account_name(found.subject.account) in asked
