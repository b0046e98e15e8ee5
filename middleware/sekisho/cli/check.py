"""Try the doors of an application: report the outcomes that its guard derives, and the settings to change.

  sekisho check --app shop.main:app             a log-in with an invented account at each LOGIN door
  sekisho check --app shop.main:app --known     and a right one, which really logs in

The application is imported and started here, and the log-ins bypass its guard's counters. If success is guessed, and
the guess is right with --known, running workers trust it from then on, provided that they use this SEKISHO_STORE.

The account and the password of --known are asked for on the terminal, or read as two lines from standard input. They
cannot be given as arguments. docs/warnings.md has a section for each number such as [SEK075].
Exit code: 0 if all is well, 1 if a setting should be changed.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from typing import TYPE_CHECKING, Any

from sekisho.check.lifespan import running
from sekisho.check.probe import Result
from sekisho.cli import asking
from sekisho.cli.usage import Misused
from sekisho.model import SekishoError

if TYPE_CHECKING:
    import argparse

    from sekisho.check.probe import DoorReport
    from sekisho.check.trial import Trial

__all__ = ["NoGuard", "arguments", "run"]

_FINE = frozenset({Result.GOOD, Result.HELD, Result.STEPPED})
_TOLD = {
    Result.GOOD: "the invented log-in failed, the right one succeeded",
    Result.HELD: "the invented log-in failed",
    Result.WRONG: "A LOG-IN THAT NOBODY HAS WAS BELIEVED",
    Result.BLIND: "the right log-in was not believed",
    Result.HALF: "THE RIGHT LOG-IN WAS BELIEVED BEFORE ITS SECOND STEP",
    Result.STEPPED: "the right log-in leads to a second step, and is no success before it",
    Result.WITHHELD: "the application misses a cookie that it does not get behind a step-up",
    Result.MISSING: "the application has no such route",
    Result.UNTOLD: "the application did not look at the secret",
}


class NoGuard(SekishoError):  # noqa: N818 - a state of the application, not of the program
    """The application has no guard."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--app", required=True, metavar="MODULE:APP", help="the application, as a server takes it")
    parser.add_argument("--factory", action="store_true", help="APP is a function that makes the application")
    parser.add_argument("--known", action="store_true", help="also ask for a valid log-in, and try it")
    parser.add_argument(
        "--door",
        action="append",
        default=[],
        metavar="NAME",
        help="try this door as well ('POST /link'): it may have further effects",
    )


def run(args: argparse.Namespace) -> int:
    app = _application(args.app, is_factory=args.factory)
    known = (asking.account(), asking.password()) if args.known else None
    reports = asyncio.run(_probe(app, known, tuple(args.door)))
    print(json.dumps([_as_json(report) for report in reports]) if args.json else "\n".join(map(_as_text, reports)))
    return 0 if all(report.result in _FINE and not report.advice for report in reports) else 1


def _application(named: str, *, is_factory: bool) -> Any:
    module, _, attribute = named.partition(":")
    if not (module and attribute):
        raise Misused("--app is not written MODULE:APP")
    # As servers do, import from the current folder.
    sys.path.insert(0, "")
    try:
        found: Any = importlib.import_module(module)
        for name in attribute.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError) as error:
        raise Misused(f"--app cannot be imported: {type(error).__name__}") from None
    return found() if is_factory else found


async def _probe(app: Any, known: tuple[str, str] | None, doors: tuple[str, ...]) -> list[DoorReport]:
    from sekisho.wiring import guards  # noqa: PLC0415 - Redis, and all that a guard is made of

    async with running(app):
        found = guards()
        if not found:
            raise NoGuard("the application has no LoginGuard, or adds it only after its first request")
        return [report for guard in found for report in await guard.probe(known=known, doors=doors, through=app)]


def _as_text(report: DoorReport) -> str:
    number = f" [{report.hazard.number}]" if report.hazard is not None else ""
    lines = [f"{report.door.name}: {_TOLD[report.result]}{number}"]
    lines += [f"  {who}: {_trial(trial)}" for who, trial in _trials(report)]
    return "\n".join([*lines, f"  {report.advice}"] if report.advice else lines)


def _trials(report: DoorReport) -> list[tuple[str, Trial]]:
    return [("invented", report.invented), *([("known", report.known)] if report.known is not None else [])]


def _trial(trial: Trial) -> str:
    answered = f"answered {trial.status}" if trial.status else f"no answer ({trial.error})"
    return f"{answered}, {trial.outcome.value} by {trial.basis.value}"


def _as_json(report: DoorReport) -> dict[str, Any]:
    return {
        "door": report.door.name,
        "result": report.result.value,
        "number": report.hazard.number if report.hazard is not None else "",
        "advice": report.advice,
        **{
            who: {"status": trial.status, "outcome": trial.outcome.value, "basis": trial.basis.value}
            for who, trial in _trials(report)
        },
    }
