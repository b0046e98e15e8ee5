"""Show the posture, or force one on all workers for a time.

  sekisho posture                                                   of each door, and an operator's
  sekisho posture set attack --for 2h --because "list for sale"     ask all strangers, until then
  sekisho posture set calm --for 30m --because "false alarm"        ask none; for 24 hours at most
  sekisho posture reset                                             as it is estimated, again

The posture says whether strangers' failed log-ins look like an attack; SEKISHO_STEP_UP says from which one on strangers
must show a factor. A forced posture is in force at all doors, and ends by itself. Every worker follows within a second,
and records an event with your name and reason. With memory:// the command reaches the process at
SEKISHO_CONTROL_SOCKET, and shows its estimate.

Exit code: 0 if it is shown or forced, 1 if the service cannot be reached, 2 if the command line is wrong.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sekisho.cli.estimate import estimate
from sekisho.cli.operator import add_because, by_as_json, desk, moment, reason, said_by, seconds
from sekisho.cli.usage import Misused
from sekisho.control import Act
from sekisho.control.acts import newest
from sekisho.control.record import posture_text
from sekisho.model import Posture
from sekisho.settings import StepUpFrom

if TYPE_CHECKING:
    import argparse

    from sekisho.cli.operator import Desk
    from sekisho.control import ControlRecord
    from sekisho.judge.posture import DoorPosture, PostureState

__all__ = ["arguments", "as_json", "interrupted", "run"]

DAYS_MAX = {Posture.CALM: 1, Posture.ELEVATED: 7, Posture.ATTACK: 7}
"""A forced calm is a switched-off alarm: it ends within a day."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("act", nargs="?", choices=["set", "reset"], help="force a posture, or end that")
    parser.add_argument("posture", nargs="?", choices=[one.word for one in Posture], help="the posture to force")
    parser.add_argument("--for", dest="span", metavar="SPAN", help="how long: 90s, 10m, 2h, 7d (default: 1h)")
    add_because(parser)


def run(args: argparse.Namespace) -> int:
    if (args.act == "set") != (args.posture is not None):
        raise Misused("a posture is forced with: set POSTURE")
    if args.act is None and (args.because or args.span):
        raise Misused("--because and --for need: set POSTURE")
    if args.act == "reset" and args.span:
        raise Misused("reset and --for contradict each other")
    print(asyncio.run(_run(args, reason(args.because))))
    return 0


def interrupted(args: argparse.Namespace) -> str:
    return "the posture may or may not be changed; `sekisho posture` shows it" if args.act else ""


async def _run(args: argparse.Namespace, why: str) -> str:
    forced = Posture[args.posture.upper()] if args.posture else None
    span_s = seconds(args.span or "1h", "--for", DAYS_MAX[forced] * 86_400) if forced is not None else 0
    async with desk() as service:
        await service.warn(changes=args.act is not None)
        if args.act is None:
            record = await service.record()
        else:
            text = posture_text(forced, int(time.time()) + span_s) if forced is not None else ""
            act = Act(0, 0, "posture", of=args.posture or "", why=why)
            record = await service.do(act, lambda record: replace(record, posture=text))
        state = await estimate(service)
        if args.json:
            return json.dumps(as_json(service, record, state))
        return "\n".join(_as_text(service, record, state, changed=args.act is not None))


def _as_text(service: Desk, record: ControlRecord, state: PostureState, *, changed: bool) -> list[str]:
    found = service.settings
    lines = [f"strangers are asked for a factor {_when(found.step_up)} (SEKISHO_STEP_UP)"]
    if found.familiar_from is not found.step_up:
        lines.append(f"familiar ones {_when(found.familiar_from)} (SEKISHO_STEP_UP_FAMILIAR)")
    if not found.factors:
        lines = ["there is no factor to ask for (SEKISHO_FACTORS), so the posture changes nothing"]
    forced = record.forced(time.time())
    if forced is not None:
        lines.append(f"forced: {forced.word} until {moment(record.forced_until_s)}{said_by(_act(record, forced))}")
    elif changed:
        lines.append(f"none is set{': the posture is as it is estimated' if found.estimates_posture else ''}")
    if not found.estimates_posture:
        lines.append("no posture is estimated, and a forced one has no effect")
    elif not state.doors:
        lines.append("no stranger's log-in has been told yet, or the estimate cannot be read from here")
    lines += [_line(name, door) for name, door in state.doors.items()]
    if changed and found.estimates_posture:
        lines.append("every worker follows within a second")
    return lines


def _when(step_up: StepUpFrom) -> str:
    if step_up is StepUpFrom.OWN_NETWORK:
        return "in an alarm, unless little fails in their own network"
    return step_up.value if step_up in {StepUpFrom.ALWAYS, StepUpFrom.NEVER} else f"from {step_up.value} on"


def _line(name: str, door: DoorPosture) -> str:
    site = door.site
    hostile = site.hostile(door.clean, int(time.time()))
    since = f" since {moment(site.since_s)}" if site.posture else ""
    every = door.networks, door.providers, door.browsers
    raised = [sum(bool(one.posture) for one in those.values()) for those in every]
    return (
        f"{name}: {site.posture.word}{since}; about {hostile:.0f} hostile attempts in the last "
        f"hour; raised networks {raised[0]}, providers {raised[1]}, browser families {raised[2]}; "
        f"failures in calm {door.clean:.0%}"
    )


def as_json(service: Desk, record: ControlRecord, state: PostureState) -> dict[str, Any]:
    """The posture as `sekisho posture --json` prints it; times are Unix seconds."""
    forced = record.forced(time.time())
    doors = {
        name: {
            "posture": door.site.posture.word,
            "since": door.site.since_s,
            "score": round(door.site.score, 1),
            "hostile": round(door.site.hostile(door.clean, int(time.time()))),
            "raised_networks": sum(bool(one.posture) for one in door.networks.values()),
            "raised_providers": sum(bool(one.posture) for one in door.providers.values()),
            "raised_browsers": sum(bool(one.posture) for one in door.browsers.values()),
            "clean": door.clean,
        }
        for name, door in state.doors.items()
    }
    return {
        "step_up": service.settings.step_up.value,
        "step_up_familiar": service.settings.familiar_from.value,
        "forced": forced.word if forced is not None else "",
        "until": record.forced_until_s if forced is not None else 0,
        "doors": doors,
        **by_as_json(_act(record, forced) if forced is not None else None),
    }


def _act(record: ControlRecord, forced: Posture) -> Act | None:
    return newest(record.acts, of=forced.word, words=frozenset({"posture"}))
