"""Group hostile log-ins into campaigns by what they share, and count the accounts that were entered from them.

  sekisho campaigns                              the last 24 hours of SEKISHO_AUDIT, or of SEKISHO_EVENTS_FILE
  sekisho campaigns --since 7d --file audit.jsonl.1 --file audit.jsonl

A campaign is a group of secrets, software (headers), networks, devices (headers within a network) and addresses with 20
hostile attempts of strangers or more, at 10 accounts or more, of which 90% or more were hostile; of software 98%. Those
that occur together are one campaign, and so are two that try nearly the same accounts, or some in the same order, or
mostly one secret, or that keep one pace. An account that was entered before
its campaign could be recognised is counted too; `sekisho report --blast-radius` names it. Nothing is sent or changed.

Not seen: a list that is spread so thinly that no network has 20 attempts, from bots with the headers of owners'
browsers; and guesses at a few accounts.
With SEKISHO_CAMPAIGNS=on and a Redis, or SEKISHO_CONTROL_SOCKET, it begins with the campaigns that the workers see at
this moment; these need no events. docs/campaigns.md has the limits, and what to do.

Exit code: 0 if no account was entered, 1 if one was, or if the events cannot be read; 2 if the command line is wrong.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any, Final

from sekisho.cli import written
from sekisho.cli.operator import DEADLINE_US, UNHEARD, answering, settings
from sekisho.cli.output import many
from sekisho.cli.right_service import warn_of_other_service
from sekisho.control.sockets import SocketControl
from sekisho.ledger.opening import open_line
from sekisho.record.campaigns import campaigns_in
from sekisho.record.campaigns.written import decode_state
from sekisho.settings.store import MEMORY
from sekisho.settings.table import CAMPAIGNS
from sekisho.wiring.campaigns import stored

if TYPE_CHECKING:
    import argparse

    from sekisho.record.campaigns import Campaign, EnteredAccount, FoundCampaigns
    from sekisho.record.campaigns.live import LiveCampaign
    from sekisho.settings import Settings

__all__ = ["arguments", "as_json", "run"]

TRAITS_SHOWN: Final = 5


def arguments(parser: argparse.ArgumentParser) -> None:
    written.arguments(parser)


def run(args: argparse.Namespace) -> int:
    live, found = live_campaigns(), None
    if live is None or written.has_source(args):
        events = written.written(args)
        found = campaigns_in(events)
        written.say_unread(events, "sekisho campaigns")
    if args.json:
        nothing: dict[str, Any] = {"campaigns": []}
        print(json.dumps({**(_as_json(found) if found is not None else nothing), "live": live_json(live)}))
    else:
        print("\n".join([*_live_text(live), *(_as_text(found) if found is not None else [])]))
    in_events = found is not None and any(campaign.entered or campaign.proved for campaign in found.campaigns)
    return int(in_events or any(campaign.entered or campaign.proved for campaign in live or ()))


def live_campaigns() -> tuple[LiveCampaign, ...] | None:
    """Read the campaigns that the running workers know from the store.

    None where the settings have workers look for no campaigns, or have one count in memory that has no socket.
    """
    if CAMPAIGNS.variable not in os.environ:
        return None
    found = settings()
    if not found.campaigns:
        return None
    if found.store != MEMORY:
        return asyncio.run(_kept(found))
    return asyncio.run(_in_process(found.control_socket)) if found.control_socket is not None else None


async def _in_process(path: str) -> tuple[LiveCampaign, ...] | None:
    """The campaigns that the process at a control socket knows; None where it looks for none."""
    with answering(UNHEARD):
        state = decode_state(await SocketControl(path).ask(b"campaigns"))
    return state.campaigns if state is not None else None


async def _kept(found: Settings) -> tuple[LiveCampaign, ...]:
    line = open_line(found.store, found.limits, deadline_us=DEADLINE_US)
    try:
        with answering():
            await warn_of_other_service(found, line)
            return (await stored(found, line).kept()).campaigns
    finally:
        await line.aclose()


def _live_text(live: tuple[LiveCampaign, ...] | None) -> list[str]:
    if live is None:
        return []
    lines = [f"  {written.span_text(each.first_us, each.last_us)}  {each.text}" for each in live]
    return ["now, as the workers see it:", *(lines or ["  no campaigns"]), ""]


def live_json(live: tuple[LiveCampaign, ...] | None) -> list[dict[str, Any]] | None:
    """The campaigns that the workers know as JSON; None where they look for none."""
    if live is None:
        return None
    return [
        {
            **_common_json(each),
            "attempts": each.attempts,
            "shared": list(each.traits),
            "entered": list(each.entered),
            "proved": each.proved,
            "passwords_known": each.passwords_known,
        }
        for each in live
    ]


def _as_text(found: FoundCampaigns) -> list[str]:
    lines = [line for campaign in found.campaigns for line in _campaign(campaign)] or ["no campaigns"]
    grouped = sum(campaign.attempts for campaign in found.campaigns)
    lines.append(f"{many(found.hostile, 'hostile attempt')} of strangers, {grouped:,} of them in campaigns")
    lines.append(f"each software, network, device and address with more than {found.error:,} of them was looked at")
    return [*lines, *missing(found)]


def missing(found: FoundCampaigns) -> list[str]:
    """Lines for the operator that say why accounts may be missing from the campaigns found; none if all are there."""
    lines = []
    if found.summed:
        summed = many(found.summed, "success is", "successes are")
        lines.append(f"{summed} in sums that name no account: read the audit, which has them all")
    if found.is_cut:
        lines.append("a campaign entered more accounts than are listed: look at a shorter time")
    return lines


def _campaign(campaign: Campaign) -> list[str]:
    shared = ", ".join(f"{trait} ({times:,})" for trait, times in campaign.traits[:TRAITS_SHOWN])
    more = len(campaign.traits) - TRAITS_SHOWN
    return [
        f"{campaign.name}  {written.span_text(campaign.first_us, campaign.last_us)}",
        (
            f"  {many(campaign.attempts, 'attempt')} ({campaign.refused:,} refused, {campaign.failed:,} failed) at "
            f"{many(campaign.accounts, 'account')}, from {many(campaign.addresses, 'address', 'addresses')}"
            + (f" in {many(campaign.networks, 'network')}" if campaign.networks else "")
        ),
        f"  shared: {shared}" + (f" and {more:,} more" if more > 0 else ""),
        (
            f"  accounts entered: {len(campaign.entered):,}; entered with a second proof: {len(campaign.proved):,}; "
            f"right password without a proof: {len(campaign.passwords_known):,}"
        ),
        "",
    ]


def _as_json(found: FoundCampaigns) -> dict[str, Any]:
    return {
        "campaigns": [as_json(campaign) for campaign in found.campaigns],
        "hostile": found.hostile,
        "error": found.error,
        "summed": found.summed,
        "is_cut": found.is_cut,
    }


def as_json(campaign: Campaign) -> dict[str, Any]:
    """A campaign as JSON; times are Unix seconds."""
    return {
        **_common_json(campaign),
        "refused": campaign.refused,
        "failed": campaign.failed,
        "shared": [{"trait": trait, "attempts": times} for trait, times in campaign.traits],
        "entered": [_entry(entry) for entry in campaign.entered],
        "proved": [_entry(entry) for entry in campaign.proved],
        "passwords_known": list(campaign.passwords_known),
    }


def _common_json(campaign: Campaign | LiveCampaign) -> dict[str, Any]:
    return {
        "name": campaign.name,
        "first": campaign.first_us // 1_000_000,
        "last": campaign.last_us // 1_000_000,
        "addresses": campaign.addresses,
        "networks": campaign.networks,
        "accounts": campaign.accounts,
    }


def _entry(entry: EnteredAccount) -> dict[str, Any]:
    return {
        "account": entry.account,
        "first": entry.first_us // 1_000_000,
        "last": entry.last_us // 1_000_000,
        "times": entry.times,
        "network": entry.network,
        "by": entry.by.partition(" ")[0],
    }
