"""Attack a log-in service over HTTP on this machine, once without the guard and once with it.

An ordinary service (form, argon2, SQLite) gets some thousands of owners. A list of stolen pairs is tried at it from
several hundred addresses, while owners log in as usual; then the same is repeated behind sekisho. The table at the end
shows the results, and the promises below the table are checked: the exit code is 1 if one was broken.

Nothing leaves this machine. Each option is also read from the environment variable named beside it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from sekisho.cli.screen import PlainScreen, RichScreen, console, show, write_svg
from sekisho.cli.usage import within
from sekisho.simulate.demo import EVENTS, DemoView, Plan, demonstrate
from sekisho.simulate.phones import Phones
from sekisho.stepup.factors.totp import STEP_S

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from sekisho.simulate.service import ExampleService

SECONDS = 25
_TERMINATED = 128 + signal.SIGTERM


def arguments(parser: argparse.ArgumentParser) -> None:
    add = partial(_add, parser)
    add("--owners", "DEMO_OWNERS", "5000", within(100, 1_000_000), "accounts of the service")
    add("--attempts", "DEMO_ATTEMPTS", "40000", within(100, 50_000_000), "the attacker's attempts, in each run")
    add("--addresses", "DEMO_ADDRESSES", "300", within(1, 200_000), "addresses that they come from")
    parser.add_argument(
        "--seconds",
        type=within(1, 86_400),
        default=os.environ.get("DEMO_SECONDS"),
        metavar="S",
        help=f"that they are spread over, in each run [DEMO_SECONDS, {SECONDS}, or more on a slow machine]",
    )
    add("--store", "DEMO_STORE", "memory://", str, "where the guard counts, as SEKISHO_STORE says it")
    parser.add_argument(
        "--keep",
        action="store_true",
        default=os.environ.get("DEMO_KEEP", "") not in ("", "0"),
        help="keep the guarded service running afterwards, on 127.0.0.1, until Ctrl-C [DEMO_KEEP=1]",
    )
    parser.add_argument("--svg", metavar="PATH", help="also draw the table into a file")


def _add(
    parser: argparse.ArgumentParser, flag: str, variable: str, default: str, kind: Callable[[str], object], what: str
) -> None:
    given = os.environ.get(variable, default)
    parser.add_argument(flag, type=kind, default=given, metavar=flag[2].upper(), help=f"{what} [{variable}, {default}]")


def run(args: argparse.Namespace) -> int:
    plan = Plan(
        owners=args.owners,
        attempts=args.attempts,
        addresses=args.addresses,
        seconds=SECONDS if args.seconds is None else args.seconds,
        at_ease=args.seconds is None,
        store=args.store,
        limits={name: value for name, value in os.environ.items() if name.startswith("SEKISHO_LIMIT_")},
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            shown = runner.run(_demo(plan, args))
        except asyncio.CancelledError:
            return _TERMINATED
    return 0 if all(claim.kept for claim in shown.claims()) else 1


async def _demo(plan: Plan, args: argparse.Namespace) -> DemoView:
    # On SIGTERM, it must still end the services that it started.
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    screen = RichScreen() if sys.stderr.isatty() else PlainScreen()
    return await demonstrate(plan, screen, afterwards=partial(_afterwards, args))


async def _afterwards(args: argparse.Namespace, shown: DemoView, service: ExampleService) -> None:
    if args.json:
        print(json.dumps(shown.as_json(), indent=2), flush=True)
    else:
        show(shown, console())
    if args.svg:
        write_svg(shown, args.svg)
    if args.keep:
        await _keep(shown, service)


async def _keep(shown: DemoView, service: ExampleService) -> None:
    owners, last = shown.scenario.population(), shown.scenario.owners - 1
    phones = Phones(owners, shown.scenario.seed)
    print(
        f"\nStill guarded: http://127.0.0.1:{service.port}/login\n"
        f"An owner: {owners.account(last)}  {owners.password(last)}\n"
        "Your browser is new to the service, so it asks for more than that. Ctrl-C ends it.\n"
        f"The attack as an operator sees it: {_command()} console --file {service.directory / EVENTS}",
        file=sys.stderr,
    )
    with suppress(asyncio.CancelledError):
        while True:
            print(f"The owner's phone shows {phones.code(last)}", file=sys.stderr)
            await asyncio.sleep(STEP_S - time.time() % STEP_S)


def _command() -> str:
    """The words that call `sekisho` here: `make demo` has it in no folder of the `PATH`."""
    return sys.argv[0] if Path(sys.argv[0]).name == "sekisho" else "sekisho"
