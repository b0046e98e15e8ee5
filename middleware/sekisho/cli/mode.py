"""Show the mode, or switch all workers of the service.

  sekisho mode                                          the mode in force, and where it is from
  sekisho mode monitor --because "new limits, a trial"  count and judge, and refuse no attempt
  sekisho mode --reset                                  as SEKISHO_MODE says, again

Every worker follows within a second, and records an event with your name and reason. The mode holds, also across
restarts, until it is switched again. With memory:// the command reaches the process at SEKISHO_CONTROL_SOCKET.
Workers of earlier versions are told by a key of the store that is not signed; workers of this version ignore that key.

Exit code: 0 if it is shown or switched, 1 if the service cannot be reached, 2 if the command line is wrong.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sekisho.cli.operator import add_because, by_as_json, desk, reason, said_by
from sekisho.cli.usage import Misused
from sekisho.control import Act
from sekisho.control.acts import newest
from sekisho.model import Mode

if TYPE_CHECKING:
    import argparse

    from sekisho.cli.operator import Desk
    from sekisho.control import ControlRecord
    from sekisho.control.earlier import EarlierWorkers

__all__ = ["arguments", "as_json", "interrupted", "run"]

TOLD_MAX = 5  # operators who switch at the same time


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("mode", nargs="?", choices=[mode.value for mode in Mode], help="the mode to switch to")
    parser.add_argument("--reset", action="store_true", help="end the command's mode: SEKISHO_MODE is in force again")
    add_because(parser)


def run(args: argparse.Namespace) -> int:
    if args.mode and args.reset:
        raise Misused("a mode and --reset contradict each other")
    if args.because and not (args.mode or args.reset):
        raise Misused("--because needs a mode, or --reset")
    print(asyncio.run(_run(args, reason(args.because))))
    return 0


def interrupted(args: argparse.Namespace) -> str:
    return "the mode may or may not be switched; `sekisho mode` shows it" if args.mode or args.reset else ""


async def _run(args: argparse.Namespace, why: str) -> str:
    async with desk() as service:
        switches = bool(args.mode or args.reset)
        await service.warn(changes=switches)
        record = await (_switch(service, args.mode, why) if switches else service.record())
        told = await service.earlier.mode() if service.earlier is not None else ""
        if args.json:
            return json.dumps(as_json(service, record, told))
        return "\n".join(_as_text(service, record, told, switched=switches))


async def _switch(service: Desk, word: str | None, why: str) -> ControlRecord:
    mode = Mode(word) if word else None
    record = await service.do(Act(0, 0, "mode", of=word or "", why=why), lambda record: replace(record, mode=mode))
    if service.earlier is not None:
        await _tell_earlier(service, service.earlier)
    return record


async def _tell_earlier(service: Desk, earlier: EarlierWorkers) -> None:
    """Tell workers of earlier versions the record's mode. Of two operators at once, the later one's is told at last."""
    for _ in range(TOLD_MAX):
        mode = (await service.record()).mode
        await earlier.set_mode(mode)
        if (await service.record()).mode is mode:
            return


def _as_text(service: Desk, record: ControlRecord, told: str, *, switched: bool) -> list[str]:
    setting = service.settings.mode.value
    if record.mode is None:
        lines = [f"{setting}, as SEKISHO_MODE says (or LoginGuard's keyword mode, which cannot be seen from here)"]
    else:
        lines = [f"{record.mode.value}{said_by(_act(record))}", f"SEKISHO_MODE is {setting}"]
    if switched:
        lines.append("every worker follows within a second")
    if told:
        lines.append(
            f"workers of earlier versions: {told}, by the key {service.settings.namespace}:{{exchange}}mode, which is "
            "not signed; workers of this version ignore it (`sekisho mode --reset` removes it)"
        )
    return lines


def as_json(service: Desk, record: ControlRecord, told: str) -> dict[str, Any]:
    """The mode as `sekisho mode --json` prints it. `told`: what workers of earlier versions are told."""
    return {
        "mode": (record.mode or service.settings.mode).value,
        "from": "command" if record.mode is not None else "settings",
        "setting": service.settings.mode.value,
        "earlier_workers": told,
        **by_as_json(_act(record) if record.mode is not None else None),
    }


def _act(record: ControlRecord) -> Act | None:
    return newest(record.acts, of=record.mode.value if record.mode is not None else "", words=frozenset({"mode"}))
