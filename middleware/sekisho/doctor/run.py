"""The examination as a whole."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sekisho.doctor.corpus import corpus_report
from sekisho.doctor.report import Report, Unseen
from sekisho.doctor.store import Examiner

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.breach.progress import Progress
    from sekisho.settings import Settings

IN_PYTHON = Unseen(
    "what the application gives LoginGuard in Python (settings as arguments, owners, resolver); its log has a numbered "
    "warning for each finding there"
)


async def examine(
    settings: Settings, *, admin_url: str | None = None, progress: Progress, wall_s: Callable[[], float]
) -> Report:
    """Examine a deployment.

    Args:
        settings: as the service has them.
        admin_url: of an administrator at the store, for rights and configuration.
        progress: told about long stages.
        wall_s: Unix time in seconds.
    """
    report = Report((("settings", f"{len(settings.doors)} doors"),), settings.diagnoses, (IN_PYTHON,))
    report += await Examiner(settings, admin_url, progress, wall_s, secrets.token_hex(4)).examine()
    return report + corpus_report(settings, wall_s())
