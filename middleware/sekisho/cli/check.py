"""Try the doors of an application: report the outcomes that its guard derives, and the settings to change.

  sekisho check --app shop.main:app             a log-in with an invented account at each LOGIN door
  sekisho check --url https://shop.example      the same, by a worker of the running service
  sekisho check --app shop.main:app --known     and a right one, which really logs in

With --app the application is imported and started here, and its routes are read: those that look like doors and are
none are listed, as far as the framework tells them. With --url the running service tries its own doors, behind its
guard: run the command with the service's environment, because the same SEKISHO_SECRET proves that it may ask. The
log-ins bypass the guard's counters. If success is guessed, and the guess is right with --known, running workers trust
it from then on, provided that they use this SEKISHO_STORE.

The account and the password of --known are asked for on the terminal, or read as two lines from standard input. They
cannot be given as arguments, and --url sends them sealed. docs/warnings.md has a section for each number such as
[SEK075].
Exit code: 0 if all doors are well, 1 if a setting should be changed, 2 if no door could be tried or the service at
--url could not be asked.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import time
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final

from sekisho.asgi.examination import CHECK_PATH, QUESTION
from sekisho.check.described import described, read_answer
from sekisho.check.lifespan import running
from sekisho.check.look_alikes import UNNAMED, look_alikes
from sekisho.check.probe import Result
from sekisho.cli import asking, operator
from sekisho.cli.usage import Misused
from sekisho.crypto.examiner import HEADER, examiner_token
from sekisho.doctor.http import fetch, site_of
from sekisho.model import Credentials, SekishoError, SettingsError
from sekisho.settings.extras import installing

if TYPE_CHECKING:
    import argparse

    from sekisho.doctor.http import ServiceAddress
    from sekisho.settings import Settings

__all__ = ["NoGuard", "arguments", "run"]

NOT_ASKED: Final = 2
CHECK_S: Final = 300.0
"""How long a running service may take for all its doors, in seconds."""

NONE_TRIED: Final = (
    "no door was tried: log-ins by GraphQL, at a path with {placeholders} or without a password are none to try; "
    "--door tries another kind\n"
)
_FINE = frozenset({Result.GOOD.value, Result.HELD.value, Result.STEPPED.value})
_TOLD = {
    Result.GOOD.value: "the invented log-in failed, the right one succeeded",
    Result.HELD.value: "the invented log-in failed",
    Result.WRONG.value: "A LOG-IN THAT NOBODY HAS WAS BELIEVED",
    Result.EARLY.value: "A NAME WITHOUT A SECRET WAS BELIEVED",
    Result.BLIND.value: "the right log-in was not believed",
    Result.HALF.value: "THE RIGHT LOG-IN WAS BELIEVED BEFORE ITS SECOND STEP",
    Result.STEPPED.value: "the right log-in leads to a second step, and is no success before it",
    Result.KEPT.value: "THE RIGHT LOG-IN KEEPS A SESSION THAT THE CLIENT BROUGHT",
    Result.WITHHELD.value: "the application misses a cookie that it does not get behind a step-up",
    Result.MISSING.value: "the application has no such route",
    Result.UNTOLD.value: "the application did not look at the secret",
    UNNAMED: "the application has this route, and it is no door",
}


class NotAsked(SekishoError):  # noqa: N818 - a state of the service, not of the program
    """The running service could not be asked."""


class NoGuard(SekishoError):  # noqa: N818 - a state of the application, not of the program
    """The application has no guard."""


def arguments(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--app", metavar="MODULE:APP", help="the application, as a server takes it")
    where.add_argument("--url", metavar="URL", help="the running service, at an address that reaches it")
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
    if args.url is not None and args.factory:
        raise Misused("--factory needs --app")
    try:
        reports = _asked(args) if args.url is not None else _imported(args)
    except NotAsked as error:
        sys.stderr.write(f"{error}\n")
        return NOT_ASKED
    tried = [report for report in reports if report["result"] != UNNAMED]
    if reports or args.json:
        print(json.dumps(reports) if args.json else "\n".join(map(_as_text, reports)))
    if not tried and not args.json:
        sys.stderr.write(NONE_TRIED)
        return NOT_ASKED
    return 0 if all(report["result"] in _FINE and not report["advice"] for report in tried) else 1


def _known(args: argparse.Namespace) -> tuple[str, str] | None:
    return (asking.account(), asking.password()) if args.known else None


def _imported(args: argparse.Namespace) -> list[dict[str, Any]]:
    app = _application(args.app, is_factory=args.factory)
    return asyncio.run(_probe(app, _known(args), tuple(args.door)))


def _asked(args: argparse.Namespace) -> list[dict[str, Any]]:
    try:
        site, settings = site_of(args.url), operator.settings()
    except SettingsError as error:
        raise Misused(str(error)) from None
    now_s = time.time()
    token = examiner_token(settings.signers, now_s)
    return _answered(site, settings, token, _sealed_question(args, settings, token, now_s))


def _sealed_question(args: argparse.Namespace, settings: Settings, token: bytes, now_s: float) -> str:
    try:
        from sekisho.check.question import Question, QuestionSealer  # noqa: PLC0415 - ciphers, not needed with --app
    except ModuleNotFoundError as missing:
        raise Misused(f"--url needs {missing.name}: {installing('step-up')}") from None
    known = _known(args)
    question = Question(Credentials(*known) if known else None, tuple(args.door))
    try:
        return QuestionSealer(settings.signers, lambda: now_s).sealed(question, token)
    except ValueError as error:
        raise Misused(str(error)) from None


def _answered(site: ServiceAddress, settings: Settings, token: bytes, sealed: str) -> list[dict[str, Any]]:
    """Have the service try its doors. Raises `NotAsked`."""
    headers = {HEADER.decode(): token.decode(), QUESTION.decode(): sealed}
    try:
        reply = fetch(site, "GET", settings.mount + CHECK_PATH, headers, answer_s=CHECK_S)
    except (OSError, HTTPException) as error:
        raise NotAsked(f"the service at --url does not answer: {type(error).__name__}") from None
    reports = read_answer(reply.body) if reply.status == 200 else None
    if reports is None:
        raise NotAsked(_REFUSED.get(reply.status, _NO_GUARD))
    return reports


_REFUSED: Final = {503: "another check is under way in this worker, or the service is not ready: try again"}
_NO_GUARD: Final = (
    "the service at --url: no guard answered there with this SEKISHO_SECRET, SEKISHO_NAMESPACE and SEKISHO_MOUNT, or "
    "its version has no check of its own"
)


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
        raise Misused(f"--app cannot be imported: {type(error).__name__}{_lacking(error, module)}") from None
    return found() if is_factory else found


def _lacking(error: ImportError | AttributeError, module: str) -> str:
    """The package that the application lacks, or where to look; nothing of what was typed."""
    name = error.name if isinstance(error, ImportError) else None
    if name and not f"{module}.".startswith(f"{name}."):
        return f" (it needs {name})"
    return " (run this in the application's folder)" if isinstance(error, ModuleNotFoundError) else ""


async def _probe(app: Any, known: tuple[str, str] | None, doors: tuple[str, ...]) -> list[dict[str, Any]]:
    from sekisho.wiring import guards  # noqa: PLC0415 - Redis, and all that a guard is made of

    async with running(app):
        found = guards()
        if not found:
            raise NoGuard("the application has no LoginGuard, or adds it only after its first request")
        reports = [report for guard in found for report in await guard.probe(known=known, doors=doors, through=app)]
        others = look_alikes(app, [door for guard in found for door in guard.doors])
        return [*map(described, reports), *(each.described() for each in others)]


def _as_text(report: dict[str, Any]) -> str:
    number = f" [{report['number']}]" if report["number"] else ""
    lines = [f"{report['door']}: {_TOLD.get(report['result'], report['result'])}{number}"]
    lines += [f"  {who}: {_trial(report[who])}" for who in ("invented", "known") if who in report]
    return "\n".join([*lines, f"  {report['advice']}"] if report["advice"] else lines)


def _trial(trial: dict[str, Any]) -> str:
    answered = f"answered {trial['status']}" if trial["status"] else f"no answer ({trial.get('error', '')})"
    return f"{answered}, {trial['outcome']} by {trial['basis']}"
