"""What an attack leaves: the accounts that a campaign has entered, and shared addresses where owners are refused.

  sekisho report --blast-radius                                  of all campaigns, what would be done
  sekisho report --blast-radius c-3fa91b --accounts names.txt    with the accounts' names
  sekisho report --blast-radius c-3fa91b --accounts names.txt --act --because "list of 29 November"
  sekisho report --blast-radius c-3fa91b --undo
  sekisho report --shared-addresses --since 7d                   offices, schools and carriers to allow

Events name accounts by digests. With --accounts, a file of all account names of the service, one a line, they are
named, and owners can be told. Without --act nothing is changed.

With --act every worker asks at these accounts, within a second, for a second proof at each log-in by password; devices
that were merely seen are strangers there. Devices that have shown a proof are spared, so an owner shows one once. A
site without factors asks for work, or refuses (SEKISHO_NO_FACTOR). It lasts as long as a device token of the thief may
(SEKISHO_DEVICE_DAYS), or --for. With SEKISHO_OWNERS and --accounts the owners of entered accounts are told through the
outbox; an account without a name in the file is asked, and its owner is not told. A second run does only new work,
and tells no owner twice because of one campaign. --undo ends the asking, and seen devices are known again; notices that
were sent stay sent. Of two operators at once, one acts or undoes, and the other is told who that is.

Accounts that were entered with a second proof (a code that was passed on) are listed apart: the thief's device is
proved, so it is spared. Report each (`sekisho takeover`), which ends that device, and have the password changed.

--shared-addresses names each address from which five owners or more have logged in, and where the limits of addresses
refused one of them, and three attempts or more, within one hour. It prints the lines that lift these limits, except
where most accounts that are tried from it are none of its owners'. Events name addresses by digests: where they have
the network (SEKISHO_AUDIT_ADDRESS=prefix, or SEKISHO_EVENTS_FILE), the service's SEKISHO_SECRET tells which it is.

Exit code: 0 if it is reported or done; 1 if not, or not all, if you do not confirm, or if --shared-addresses has found
one; 2 if the command line is wrong.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from sekisho.cli import asking, shared_addresses, written
from sekisho.cli.blast_radius import BlastRadius, Done, ask_at, named_in, stop_asking, tells
from sekisho.cli.campaigns import as_json, missing
from sekisho.cli.operator import NotConfirmed, add_because, desk, reason, seconds, settings
from sekisho.cli.output import many
from sekisho.cli.usage import Misused
from sekisho.model import SekishoError
from sekisho.record.campaigns import campaigns_in
from sekisho.record.shared_addresses import shared_addresses_in

if TYPE_CHECKING:
    import argparse

__all__ = ["NoSuchCampaign", "arguments", "interrupted", "run"]

FOR_MAX_S = 400 * 86_400


class NoSuchCampaign(SekishoError):  # noqa: N818 - an answer, not a mistake of the program
    """The events have no campaign of that name."""


def arguments(parser: argparse.ArgumentParser) -> None:
    of = parser.add_mutually_exclusive_group(required=True)
    of.add_argument(
        "--blast-radius",
        nargs="?",
        const="",
        metavar="CAMPAIGN",
        help="the accounts that it entered: the name that `sekisho campaigns` prints; all campaigns without it",
    )
    of.add_argument(
        "--shared-addresses", action="store_true", help="addresses of many owners, where owners are refused"
    )
    written.arguments(parser)
    parser.add_argument("--accounts", metavar="FILE", help="all account names of the service, one a line")
    parser.add_argument("--ids", action="store_true", help="the file has ids that the service's resolver gives")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--act", action="store_true", help="ask for a proof at these accounts, and tell their owners")
    what.add_argument("--undo", action="store_true", help="end the asking")
    parser.add_argument("--for", dest="span", metavar="SPAN", help="how long, as 7d; default: SEKISHO_DEVICE_DAYS")
    parser.add_argument("--yes", action="store_true", help="do not ask before acting")
    add_because(parser)


def run(args: argparse.Namespace) -> int:
    why = reason(args.because)
    _refuse_what_has_no_effect(args)
    if args.shared_addresses:
        return _shared(args)
    span_s = seconds(args.span, "--for", FOR_MAX_S) if args.span else None
    if args.undo:
        undone = asyncio.run(_undo(args.blast_radius, why))
        _said({"undone": undone}, args, [_undone_text(undone, args.blast_radius)])
        return int(not undone and bool(args.blast_radius))
    radius = _radius(args)
    if not args.act:
        return _said(_radius_json(radius), args, _as_text(radius))
    if not radius.asked:
        return _said({**_radius_json(radius), "done": Done(0, 0, 0)._asdict()}, args, _as_text(radius))
    # On standard error: with --json, standard output has one value.
    if not args.yes and not asking.confirmed("\n".join([*_as_text(radius), "Do this?"])):
        raise NotConfirmed("nothing was done: it was not confirmed")
    done = asyncio.run(_act(radius, span_s, why))
    _said({**_radius_json(radius), "done": done._asdict()}, args, [*_as_text(radius), *_done_text(done)])
    return int(done.untold > 0 or (bool(args.accounts) and radius.unnamed > 0))


def interrupted(args: argparse.Namespace) -> str:
    part = "accounts may be asked and owners told in part; run it again, and it does what is missing"
    return part if args.act or args.undo else ""


def _refuse_what_has_no_effect(args: argparse.Namespace) -> None:
    """Raises `Misused`: an operator in a hurry believes that what was typed was done."""
    if args.shared_addresses:
        others = {"--act": args.act, "--undo": args.undo, "--accounts": args.accounts}
        for option in (name for name, value in others.items() if value):
            raise Misused(f"{option} belongs to --blast-radius")
    for option, given in (("--for", args.span is not None), ("--yes", args.yes)):
        if given and not args.act:
            raise Misused(f"{option} belongs to --act")
    if args.because and not (args.act or args.undo):
        raise Misused("--because belongs to --act or --undo")
    if args.ids and not args.accounts:
        raise Misused("--ids belongs to --accounts")
    if args.undo and args.accounts:
        raise Misused("--undo ends the asking at all accounts of a campaign: leave out --accounts")


def _shared(args: argparse.Namespace) -> int:
    service, events = settings(), written.written(args)
    found = shared_addresses_in(events)
    written.say_unread(events, "sekisho report")
    every = shared_addresses.named(found, service)
    _said(shared_addresses.as_json(found, every), args, shared_addresses.as_text(found, every, service))
    return int(bool(every))


def _radius(args: argparse.Namespace) -> BlastRadius:
    events = written.written(args)
    written_ones = campaigns_in(events)
    campaigns = written_ones.campaigns
    written.say_unread(events, "sekisho report")
    sys.stderr.writelines(f"sekisho report: {line}\n" for line in missing(written_ones))
    if args.blast_radius:
        campaigns = tuple(each for each in campaigns if each.name == args.blast_radius)
        if not campaigns:
            raise NoSuchCampaign("there is no campaign of that name: look with `sekisho campaigns`, or go further back")
    radius = BlastRadius(campaigns, {})
    if args.accounts:
        found = settings()
        names = named_in(args.accounts, radius.accounts, found, are_ids=args.ids)
        radius = radius._replace(names=names, has_notices=tells(found))
    return radius


async def _act(radius: BlastRadius, span_s: int | None, why: str) -> Done:
    async with desk() as service:
        await service.warn(changes=True)
        async with service.alone("report"):
            return await ask_at(service, radius, span_s, why)


async def _undo(campaign: str, why: str) -> list[str]:
    async with desk() as service:
        await service.warn(changes=True)
        async with service.alone("report"):
            return await stop_asking(service, campaign, why)


def _undone_text(undone: list[str], campaign: str) -> str:
    if undone:
        return f"no longer asked: {', '.join(undone)}"
    return f"nothing was changed: no account was asked because of {'this' if campaign else 'a'} campaign"


def _said(found: dict[str, Any], args: argparse.Namespace, text: list[str]) -> int:
    print(json.dumps(found) if args.json else "\n".join(text))
    return 0


def _as_text(radius: BlastRadius) -> list[str]:
    lines = [line for campaign in radius.campaigns for line in _campaign(campaign, radius)] or ["no campaigns"]
    if not radius.asked:
        return [*lines, "there is nothing for --act to do: no account was entered without a second proof"]
    asked, told = many(len(radius.asked), "account"), many(len(radius.told), "account")
    lines.append(f"--act asks for a proof at {asked}; devices that have shown one are spared")
    if radius.has_notices:
        lines.append(f"--act tells the owners of {told}, where SEKISHO_OWNERS knows an address")
    else:
        lines.append("--act tells no owner: it needs SEKISHO_OWNERS, and SEKISHO_SMTP or SEKISHO_NOTICES_WEBHOOK")
    if radius.unnamed:
        lines.append(f"owners of {radius.unnamed:,} more are told nothing: --accounts gives no name for the account")
    return lines


def _campaign(campaign: Any, radius: BlastRadius) -> list[str]:
    span = written.span_text(campaign.first_us, campaign.last_us)
    size = f"{many(campaign.attempts, 'attempt')} at {many(campaign.accounts, 'account')}"
    lines = [f"{campaign.name}  {span}, {size}"]
    for title, entries in (("entered", campaign.entered), ("entered with a second proof", campaign.proved)):
        for entry in entries:
            at = written.span_text(entry.first_us, entry.last_us)
            where = f"{entry.network or written.NOT_WRITTEN}, by {entry.by.partition(' ')[0]}"
            lines.append(f"  {title}: {radius.name(entry.account)}  {at}, {many(entry.times, 'log-in')}, {where}")
    lines += [f"  right password without a proof: {radius.name(account)}" for account in campaign.passwords_known]
    return lines


def _done_text(done: Done) -> list[str]:
    lines = [f"asked for a proof: {many(done.asked, 'account')}; every worker follows within a second"]
    if done.asked_before:
        lines.append(f"asked already, by an earlier --act: {done.asked_before:,} of them")
    if done.told_before:
        lines.append(f"told already, and not again: the owners of {many(done.told_before, 'account')}")
    if done.told or done.untold:
        lines.append(f"notices queued: {done.told:,}; not queued: {done.untold:,}")
    if done.why:
        lines.append(f"why notices were not queued: {done.why}")
    return lines


def _radius_json(radius: BlastRadius) -> dict[str, Any]:
    return {
        "campaigns": [as_json(campaign) for campaign in radius.campaigns],
        "names": dict(radius.names),
        "would_ask": len(radius.asked),
        "would_tell": len(radius.told),
        "unnamed": radius.unnamed,
    }
