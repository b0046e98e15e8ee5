"""The mistakes that each room finds in the settings: one list, for the start, `sekisho doctor` and `sekisho settings`.

`settings.load` has refused what no room could read. Here each room says what it cannot work with, which stops the
start, and what an attacker or an owner would notice later, which is logged with a number. A check looks at settings
and at installed packages; what depends on the machine (files, sockets, servers) fails where it is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.asgi import checks as asgi
from sekisho.breach import checks as breach
from sekisho.challenge import checks as challenge
from sekisho.crypto import checks as crypto
from sekisho.detect import checks as detect
from sekisho.devices import checks as devices
from sekisho.ledger import checks as ledger
from sekisho.model import SettingsError
from sekisho.owners import checks as owners
from sekisho.settings.extras import missing_extras
from sekisho.settings.load import SettingsErrors
from sekisho.stepup import checks as stepup
from sekisho.store import checks as store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sekisho.model.diagnosis import Diagnosis, Finding
    from sekisho.settings import Settings


def _of_mail(settings: Settings) -> Iterable[Finding]:
    if settings.smtp is None:
        return ()
    from sekisho.mail import checks as mail  # noqa: PLC0415 - a mail client, only for sites that send mail

    return mail.checks(settings)


def _of_outer_services(settings: Settings) -> Iterable[Finding]:
    if not (settings.factors or settings.challenges):
        return ()
    from sekisho.wiring import step_up_extras  # noqa: PLC0415 - packages that others need not have

    return step_up_extras.checks(settings)


ROOMS: Final[tuple[Callable[[Settings], Iterable[Finding]], ...]] = (
    crypto.checks,
    store.checks,
    ledger.checks,
    devices.checks,
    breach.checks,
    detect.checks,
    challenge.checks,
    owners.checks,
    _of_mail,
    asgi.checks,
    stepup.checks,
    _of_outer_services,
)


class Found(NamedTuple):
    """Attributes:
    mistakes: with these the guard does not start.
    diagnoses: with these it starts, and logs them; by number.
    """

    mistakes: tuple[SettingsError, ...]
    diagnoses: tuple[Diagnosis, ...]


def examined(settings: Settings) -> Found:
    """Return the mistakes and diagnoses that all rooms find in the settings.

    Where a package is missing, that is the only mistake: the rooms that need the package cannot be asked.
    """
    if missing := missing_extras(settings):
        return Found(tuple(missing), ())
    findings = [finding for checks in ROOMS for finding in checks(settings)]
    mistakes = tuple(one for one in findings if isinstance(one, SettingsError))
    diagnoses = [one for one in findings if not isinstance(one, SettingsError)]
    return Found(mistakes, tuple(sorted(diagnoses, key=lambda each: each.hazard.number)))


def diagnoses_of(settings: Settings) -> tuple[Diagnosis, ...]:
    """Return the diagnoses of settings with which a guard starts, in the order of their numbers.

    Raises:
        SettingsErrors: the guard would not start; names every mistake and shows no value.
    """
    found = examined(settings)
    if found.mistakes:
        raise SettingsErrors(found.mistakes)
    return found.diagnoses
