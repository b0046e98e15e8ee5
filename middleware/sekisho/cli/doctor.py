"""Examine a deployment, and print each mistake, why it matters, and the exact line to write.

  sekisho doctor                                          settings, store, owners, mail server, webhooks, files
  sekisho doctor --url https://shop.example               and the way that requests come to the running service
  sekisho doctor --admin-url -                            and the rights of the store's user, without trying them
  sekisho doctor --send                                   and post a signed test to SEKISHO_NOTICES_WEBHOOK

Run it where the service runs, with the service's environment: it reads the same SEKISHO_… variables. Without
--admin-url each command that the service needs is tried once, on keys of the service's prefix that are removed again.
The owners' tables get a row that is removed again. The mail server is asked whether it takes the sender, no more.
Webhooks get a HEAD request; only with --send a post, of the type notice.test, which names no account.
The service that --url names must have the same secret: it tells how the requests of this command arrive there.
Each finding has a number; docs/warnings.md has a section for each. Secrets, accounts and addresses are never printed.

Exit code: 0 if nothing was found, 1 if something was, 2 if something could not be examined.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from typing import TYPE_CHECKING, Any

from sekisho.cli import asking, operator
from sekisho.cli.diagnoses import as_text, is_coloured
from sekisho.cli.environment import has_secret
from sekisho.cli.progress import drawing
from sekisho.cli.usage import Misused
from sekisho.doctor import DoctorReport, ServicePlace, examine
from sekisho.doctor.http import site_of
from sekisho.model import SettingsError
from sekisho.model.hazards import HAZARDS
from sekisho.settings.load import SettingsErrors
from sekisho.settings.parse import origin_list
from sekisho.settings.store import MEMORY, store

if TYPE_CHECKING:
    import argparse

    from sekisho.model.diagnosis import Diagnosis
    from sekisho.settings import Settings

__all__ = ["arguments", "run"]

NUMBERS = frozenset(hazard.number for hazard in HAZARDS)
FOUND = 1
NOT_EXAMINED = 2
_PATH = re.compile(r"/[!-~]{0,255}")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--admin-url",
        metavar="URL",
        help="the store as SEKISHO_STORE, with an administrator's name and password; - reads it from standard input",
    )
    parser.add_argument("--url", metavar="URL", help="the running service, at the address that clients use")
    parser.add_argument("--origin", metavar="ORIGIN", help="the origin of a front end on another site; with --url")
    parser.add_argument(
        "--page", action="append", default=[], metavar="PATH", help="a page with a log-in form; may be repeated"
    )
    parser.add_argument("--send", action="store_true", help="post a signed test to the webhook of notices")
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="NUMBER",
        help="leave out this finding, such as SEK030; may be repeated",
    )


_HAS_ONE = "If the service has one, run this with its environment: as its user, with the same SEKISHO_ variables\n"


def run(args: argparse.Namespace) -> int:
    ignored = frozenset(args.ignore)
    if not ignored <= NUMBERS:
        raise Misused("--ignore names a number that no finding has")
    try:
        settings = operator.settings_in(os.environ)
        report = asyncio.run(_examine(settings, _diagnoses(settings), args))
    except SettingsErrors as errors:
        sys.stderr.write(f"{errors}\n{'' if has_secret(os.environ) else _HAS_ONE}")
        return NOT_EXAMINED
    report = report._replace(diagnoses=tuple(each for each in report.diagnoses if each.hazard.number not in ignored))
    print(json.dumps(_as_json(report), indent=2) if args.json else as_text(report, coloured=is_coloured(sys.stdout)))
    if not report.is_complete:
        return NOT_EXAMINED
    return FOUND if report.diagnoses else 0


def _diagnoses(settings: Settings) -> tuple[Diagnosis, ...]:
    from sekisho.wiring.checks import diagnoses_of  # noqa: PLC0415 - Redis, and all that a guard is made of

    return diagnoses_of(settings)


def _place(args: argparse.Namespace) -> ServicePlace | None:
    """Where the running service is asked. Raises `SettingsError`."""
    if args.url is None:
        if args.origin is not None or args.page:
            raise Misused("--origin and --page need --url")
        return None
    (origin,) = origin_list(args.origin, "--origin", most=1) if args.origin is not None else (b"",)
    if not all(map(_PATH.fullmatch, args.page)):
        raise Misused("--page is no path, such as /account")
    return ServicePlace(site_of(args.url), origin.decode(), args.page)


def _admin_url(given: str | None, settings: Settings) -> str | None:
    if given is None:
        return None
    url = store(asking.line("administrator's URL") if given == "-" else given, "--admin-url")
    if settings.store == MEMORY or url.partition("://")[0] != settings.store.partition("://")[0]:
        raise Misused("--admin-url is another kind of store than SEKISHO_STORE")
    return url


async def _examine(settings: Settings, diagnoses: tuple[Diagnosis, ...], args: argparse.Namespace) -> DoctorReport:
    try:
        if args.send and settings.notices_webhook is None:
            raise Misused("--send needs SEKISHO_NOTICES_WEBHOOK")
        admin_url = _admin_url(args.admin_url, settings)
        place = _place(args)
    except SettingsError as error:
        raise Misused(str(error)) from None
    with drawing() as progress:
        return await examine(
            settings,
            diagnoses,
            admin_url=admin_url,
            place=place,
            send=args.send,
            progress=progress,
            wall_s=time.time,
            monotonic_s=time.monotonic,
        )


def _as_json(report: DoctorReport) -> dict[str, Any]:
    return {
        "findings": [
            {
                "number": each.hazard.number,
                "severity": each.hazard.severity.value,
                "title": each.hazard.title,
                "what": each.what,
                "why": each.hazard.why,
                "write": each.write,
            }
            for each in report.diagnoses
        ],
        "examined": [{"subject": subject, "said": said} for subject, said in report.facts],
        "not_examined": [{"what": each.what, "is_failure": each.is_failure} for each in report.unseen],
    }
