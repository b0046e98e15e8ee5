"""Examines the webhooks: whether they answer. Nothing is posted there, unless a test is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.doctor.report import DoctorReport, Unseen
from sekisho.https_post import HttpsHead, PostFault
from sekisho.model import hazards

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.model.diagnosis import Diagnosis
    from sekisho.settings import Settings

LIMIT_S: Final = 10.0  # no owner waits for an examination
HEAD_BYTES_MAX: Final = 65_536
TEST: Final = "test"
"""The kind of the notice that is posted as a test; no notice to an owner has it."""

_NOTICES: Final = "SEKISHO_NOTICES_WEBHOOK"
_CODES: Final = "SEKISHO_CODE_WEBHOOK"
_OTHER_KEY: Final = "SEKISHO_NOTICES_WEBHOOK_SECRET=whsec_…"
_GATEWAY: Final = frozenset({502, 503, 504})
_UNSIGNED: Final = frozenset({400, 401, 403})

_SAID: Final = {
    "no connection": "nothing listens at its host and port, or the host has no address",
    "too slow": "no answer came in time: does a firewall drop, or is the port right?",
    "no TLS that can be trusted": "its certificate is not trusted here, has ended, or names another host",
    "no HTTP": "what listens there speaks no HTTP",
    "status 404": "nothing is at its path",
    "status 410": "it wants no more notices, and each that is left is given up",
}
"""By the reason of a fault: what it means."""
_WRITE: Final = {"no TLS that can be trusted": "SSL_CERT_FILE=/path/to/ca.pem"}


async def webhooks_report(settings: Settings, *, token: str, wall_s: Callable[[], float]) -> DoctorReport:
    """A report on the webhooks that the settings name; an empty one where they name none.

    Args:
        settings: of the service.
        token: names the test that is posted to the webhook of notices; empty: none is posted.
        wall_s: Unix time in seconds.
    """
    report = DoctorReport()
    if settings.code_webhook is not None:
        report += await _asked("codes", _CODES, settings.code_webhook)
        report += DoctorReport(unseen=(Unseen(f"whether {_CODES} takes a code: ask for one at a step-up"),))
    if settings.notices_webhook is None:
        return report
    if token:
        return report + await _tested(settings.notices_webhook, settings.notices_webhook_secret, token, wall_s)
    unseen = Unseen(f"whether {_NOTICES} takes a signed notice: --send posts a test (notice.{TEST})")
    return report + await _asked("notices", _NOTICES, settings.notices_webhook) + DoctorReport(unseen=(unseen,))


async def _asked(of: str, setting: str, url: str) -> DoctorReport:
    try:
        status = await HttpsHead(url, answer_bytes_max=HEAD_BYTES_MAX).status(limit_s=LIMIT_S)
    except PostFault as fault:
        return DoctorReport(diagnoses=(_found(setting, fault.reason),))
    # A path that takes posts alone may answer HEAD with 404 or 405, so most statuses tell nothing of posts.
    if 300 <= status < 400:
        return DoctorReport(diagnoses=(_found(setting, f"status {status}", "it redirects, which posts do not follow"),))
    if status in _GATEWAY:
        return DoctorReport(diagnoses=(_found(setting, f"status {status}", "nothing answers behind its proxy"),))
    return DoctorReport((("webhook", f"that of {of} answers (HEAD: {status}); nothing was posted"),))


async def _tested(url: str, keys: tuple[bytes, ...], token: str, wall_s: Callable[[], float]) -> DoctorReport:
    from sekisho.outbox.by_webhook import WebhookDelivery  # noqa: PLC0415 - ciphers, which a webhook implies
    from sekisho.outbox.notice import Notice, Undelivered  # noqa: PLC0415 - the same

    notice = Notice(TEST, "", "", {"when": int(wall_s())})
    try:
        await WebhookDelivery(url, keys, clock_s=wall_s)(notice, 1, token)
    except Undelivered as fault:
        unsigned = fault.reason in {f"status {status}" for status in _UNSIGNED}
        what = "it refuses the test; does it know the secret that signs it?" if unsigned else ""
        return DoctorReport(diagnoses=(_found(_NOTICES, fault.reason, what, _OTHER_KEY if unsigned else ""),))
    return DoctorReport((("webhook", f"that of notices took a signed test (notice.{TEST})"),))


def _found(setting: str, reason: str, what: str = "", write: str = "") -> Diagnosis:
    meaning = what or _SAID.get(reason, "")
    text = f"{setting}: the webhook failed ({reason}){': ' * bool(meaning)}{meaning}"
    return hazards.DEAF_WEBHOOK.found(text, write or _WRITE.get(reason, f"{setting}=https://HOST/PATH"))
