"""The examination as a whole."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, NamedTuple

from sekisho.doctor.corpus import corpus_report
from sekisho.doctor.files import files_report
from sekisho.doctor.http import fetch
from sekisho.doctor.mail import mail_report
from sekisho.doctor.owners import owners_report
from sekisho.doctor.report import DoctorReport, Unseen
from sekisho.doctor.service import ServiceExaminer
from sekisho.doctor.store import ENFORCED, Examiner
from sekisho.doctor.webhooks import webhooks_report
from sekisho.model import hazards

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.breach.progress import Progress
    from sekisho.doctor.http import ServiceAddress
    from sekisho.model.diagnosis import Diagnosis
    from sekisho.settings import Settings

NO_URL = Unseen("proxies, plain http, cookies, CORS and the routes of doors: give the service's --url")
IN_PYTHON = Unseen(
    "what the application gives LoginGuard in Python (settings as arguments, owners, resolver); its log has a numbered "
    "warning for each finding there"
)


class ServicePlace(NamedTuple):
    """Attributes:
    site: the address of the running service, as clients have it.
    origin: of a front end on another site.
    pages: paths of pages that may have a log-in form, beside those of the doors.
    """

    site: ServiceAddress
    origin: str = ""
    pages: Sequence[str] = ()


async def examine(
    settings: Settings,
    diagnoses: Sequence[Diagnosis],
    *,
    admin_url: str | None = None,
    place: ServicePlace | None = None,
    send: bool = False,
    progress: Progress,
    wall_s: Callable[[], float],
    monotonic_s: Callable[[], float],
) -> DoctorReport:
    """Examine a deployment: settings, store, owners, mail server, webhooks, files, running service. Returns a report.

    Args:
        settings: as the service has them.
        diagnoses: of these settings.
        admin_url: of an administrator at the store, for rights and configuration.
        place: where the running service is asked; None: it is not.
        send: whether a test is posted to the webhook of notices.
        progress: told about long stages.
        wall_s: Unix time in seconds.
        monotonic_s: seconds, for round trips and deadlines.
    """
    report = DoctorReport((("settings", f"doors: {len(settings.doors)}"),))
    told = DoctorReport(unseen=(NO_URL,))
    if place is not None:
        told = await ServiceExaminer(settings, place.site, place.origin, place.pages, fetch, wall_s).examine()
    if place is None or not told.is_complete:
        # Else the service itself has told of its settings, those in Python included.
        report += DoctorReport(diagnoses=tuple(diagnoses), unseen=(IN_PYTHON,))
    report += told
    store = await Examiner(settings, admin_url, progress, wall_s, monotonic_s, secrets.token_hex(4)).examine()
    report = (report.without(hazards.NOT_ENFORCED) if ENFORCED in store.facts else report) + store
    report += await owners_report(settings, monotonic_s)
    report += await mail_report(settings)
    report += await webhooks_report(settings, token=secrets.token_hex(8) if send else "", wall_s=wall_s)
    return report + files_report(settings) + corpus_report(settings, wall_s())
