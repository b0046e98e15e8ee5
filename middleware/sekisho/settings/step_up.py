"""Check the settings of a step-up together: what each requires of the others.

These checks stay here and not in the rooms: `load` returns no settings that contradict each other.

A factor that cannot be asked for is found here, at start. At a log-in it would be too late: the account owner would be
locked out, or the factor skipped and an attacker admitted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho.model import CLASS_OF, DoorKind, SettingsError
from sekisho.settings import table
from sekisho.settings.caps import unprotected
from sekisho.settings.choices import Preset
from sekisho.settings.extras import can_ask_for_work
from sekisho.settings.factors import POW
from sekisho.settings.places import host_of
from sekisho.settings.protect import conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sekisho.settings.table import Setting
    from sekisho.settings.values import Settings

    Understood = Callable[..., bool]


RELATED_MAX = 5
"""Other sites that may use the passkeys: as many as every browser reads (WebAuthn Level 3, section 5.11)."""


class StepUpGiven(NamedTuple):
    """The parts that are given as Python objects and need no setting."""

    owners: bool = False
    sender: bool = False


def with_defaults(settings: Settings) -> Settings:
    """Return the settings with those defaults filled in that depend on other settings, or on installed packages."""
    origins = settings.passkey_origins
    if not origins and settings.rp_id:
        origins = (f"https://{settings.rp_id}",)
    challenges = settings.challenges
    if not settings.challenges_set and not can_ask_for_work():
        challenges = tuple(one for one in challenges if one != POW)
    return replace(settings, passkey_origins=origins, challenges=challenges)


def contradictions(settings: Settings, given: StepUpGiven, understood: Understood) -> Iterator[SettingsError]:
    """Yield an error for each conflict between settings of a step-up that are valid one by one.

    `given`: parts that are Python objects. `understood`: as in `conflicts_of`; an invalid value is not reported again.
    """
    for setting, wanted, problem in _wants(settings, given):
        if wanted and understood(setting.name):
            yield SettingsError(setting.variable, problem)
    yield from _wrong_pairs(settings, understood)
    doors = (kind.name for kind in DoorKind)
    problem = conflict(settings.protect, settings.doors, settings.mount)
    if problem and understood(table.PROTECT.name, table.MOUNT.name, *doors):
        yield SettingsError(table.PROTECT.variable, problem)
    # Amounts are summed at routes that are no doors.
    routes = [route for route in settings.protect if route.name not in {door.name for door in settings.doors}]
    if understood(table.PROTECT.name, table.CAPS.name) and (number := unprotected(settings.caps, routes)):
        problem = (
            f"route {number} is a door, or no route of SEKISHO_PROTECT with the same method and path; add it there"
        )
        yield SettingsError(table.CAPS.variable, problem)


def _wants(settings: Settings, given: StepUpGiven) -> Iterator[tuple[Setting[Any], bool, str]]:
    """The settings that another one needs: the setting, whether it is missing, and the message."""
    factors = settings.factors
    no_owners = settings.owners is None and not given.owners
    yield (
        table.OWNERS,
        bool(factors) and no_owners,
        "is not set, and SEKISHO_FACTORS needs to know whose account it is; set it and SEKISHO_OWNERS_QUERY",
    )
    yield (
        table.FACTORS,
        settings.preset is Preset.JSDA and not factors,
        "is not set, and SEKISHO_PRESET=jsda asks for a factor at each log-in; set it to webauthn",
    )
    yield (
        table.FACTORS,
        any(door.on_file for door in settings.doors) and not factors,
        "is not set, and on_file= in SEKISHO_RESET asks the owners that it brings; set it and SEKISHO_OWNERS",
    )
    yield (
        table.FACTORS,
        any(door.shows_passkey for door in settings.doors) and "webauthn" not in factors,
        "has no webauthn, and a log-in begins with a passkey in SEKISHO_PASSKEY; add it, or unset that",
    )
    yield (
        table.OWNERS,
        settings.owners_query is not None and settings.owners is None and not factors,
        "is not set, and SEKISHO_OWNERS_QUERY asks nothing else; set it, or unset the query",
    )
    yield (
        table.OWNERS_QUERY,
        settings.owners is not None and settings.owners_query is None,
        "is not set, and without it nobody is found in SEKISHO_OWNERS",
    )
    yield (
        table.PASSKEY_DOMAIN,
        "webauthn" in factors and settings.rp_id is None,
        "is not set, and SEKISHO_FACTORS has webauthn; set it to the site's domain",
    )
    yield from _wants_of_oidc(settings)
    yield from _wants_of_senders(settings, given)
    yield from _wants_of_notices(settings)
    yield from _wants_of_captcha(settings)


def _wants_of_oidc(settings: Settings) -> Iterator[tuple[Setting[Any], bool, str]]:
    asked = "oidc" in settings.factors
    yield (
        table.OIDC,
        asked and settings.oidc is None,
        "is not set, and SEKISHO_FACTORS has oidc; set it, or leave oidc out there",
    )
    yield (
        table.OIDC_SECRET,
        settings.oidc is not None and not settings.oidc_secret,
        "is not set, and the provider of SEKISHO_OIDC tells by it that this service asks",
    )
    yield (
        table.PAGES_URL,
        asked and settings.pages_url is None,
        "is not set, and the provider of SEKISHO_OIDC sends owners back to a page below it",
    )


def _wants_of_senders(settings: Settings, given: StepUpGiven) -> Iterator[tuple[Setting[Any], bool, str]]:
    yield (
        table.SMTP,
        "email" in settings.factors and settings.smtp is None,
        "is not set, and SEKISHO_FACTORS has email; set it, or leave email out there",
    )
    yield (
        table.SMTP,
        any(door.contact for door in settings.doors)
        and settings.smtp is None
        and settings.code_webhook is None
        and not given.sender,
        "is not set, and contact= in SEKISHO_SIGNUP sends codes; set it or SEKISHO_CODE_WEBHOOK, or leave it out there",
    )
    yield (
        table.MAIL_FROM,
        settings.smtp is not None and settings.mail_from is None,
        "is not set, and SEKISHO_SMTP wants an address to send from",
    )
    yield (
        table.ACCOUNT_PAGE,
        settings.smtp is not None and settings.account_page is None,
        "is not set, and mails by SEKISHO_SMTP name the page where owners look after their account",
    )
    yield (
        table.CODE_WEBHOOK,
        "webhook" in settings.factors and settings.code_webhook is None and not given.sender,
        "is not set, and SEKISHO_FACTORS has webhook; set it, or leave webhook out there",
    )
    yield (
        table.CODE_WEBHOOK_KEY,
        settings.code_webhook is not None and not settings.code_webhook_key,
        "is not set, and what SEKISHO_CODE_WEBHOOK is told must be signed",
    )


def _wants_of_notices(settings: Settings) -> Iterator[tuple[Setting[Any], bool, str]]:
    hooked = settings.notices_webhook is not None
    yield (
        table.NOTICES_WEBHOOK_SECRET,
        hooked and not settings.notices_webhook_secret,
        "is not set, and what SEKISHO_NOTICES_WEBHOOK is told must be signed",
    )
    yield (
        table.OWNERS,
        hooked and settings.owners is None,
        "is not set, and notices for SEKISHO_NOTICES_WEBHOOK wait in that database",
    )


def _wants_of_captcha(settings: Settings) -> Iterator[tuple[Setting[Any], bool, str]]:
    asked = settings.captcha is not None
    for setting, value in (
        (table.CAPTCHA_SITEKEY, settings.captcha_sitekey),
        (table.CAPTCHA_SECRET, settings.captcha_secret),
        (table.CAPTCHA_HOSTS, settings.captcha_hosts),
    ):
        yield setting, asked and not value, "is not set, and SEKISHO_CHALLENGES names a captcha, which needs it"
    alone = settings.challenge_plugin is not None and settings.challenges != (POW,)
    yield table.PLUGINS, alone, "names a challenge, which needs SEKISHO_CHALLENGES=pow beside it"


def _wrong_pairs(settings: Settings, understood: Understood) -> Iterator[SettingsError]:
    key = table.CODE_WEBHOOK_KEY
    if settings.code_webhook_key and settings.code_webhook_key in settings.secrets:
        yield SettingsError(key.variable, "equals SEKISHO_SECRET; the receiver of the codes could make tokens")
    if settings.smtp_password and settings.smtp is None and understood(table.SMTP.name):
        yield SettingsError(table.SMTP_PASSWORD.variable, "is set, and SEKISHO_SMTP is not; set that, or unset this")
    if settings.protect and not settings.factors and understood(table.FACTORS.name):
        # Its routes would be open, or closed to all clients: the operator intended neither.
        problem = "is set, and SEKISHO_FACTORS is not: nobody could prove anything there; set that, or unset this"
        yield SettingsError(table.PROTECT.variable, problem)
    if settings.city_file and not (settings.factors and settings.owners) and understood(table.FACTORS.name):
        problem = "is set, and log-ins are kept with SEKISHO_OWNERS and SEKISHO_FACTORS alone; set those, or unset this"
        yield SettingsError(table.CITY_FILE.variable, problem)
    if settings.pages_url and not settings.pages_url.endswith(settings.mount) and understood(table.MOUNT.name):
        problem = "does not end with SEKISHO_MOUNT; links in notices would lead elsewhere"
        yield SettingsError(table.PAGES_URL.variable, problem)
    if understood(table.STEP_UP.name, table.STEP_UP_FAMILIAR.name, table.HISTORY.name):
        yield from _wrong_familiar(settings)
    yield from _unreachable(settings, understood)
    yield from _untold(settings, understood)
    yield from _uncounted(settings, understood)
    origins = table.PASSKEY_ORIGINS
    if not understood(table.PASSKEY_DOMAIN.name, origins.name):
        return
    if settings.passkey_origins and settings.rp_id is None:
        yield SettingsError(origins.variable, "is set, and SEKISHO_PASSKEY_DOMAIN is not; set that, or unset this")
    elif len({host_of(origin) for origin in settings.related_origins}) > RELATED_MAX:
        problem = f"has more than {RELATED_MAX} hosts that are neither SEKISHO_PASSKEY_DOMAIN nor below it; browsers "
        yield SettingsError(origins.variable, problem + "read no more of them in /.well-known/webauthn")


def _wrong_familiar(settings: Settings) -> Iterator[SettingsError]:
    familiar = table.STEP_UP_FAMILIAR.variable
    if settings.familiar_from.level < settings.step_up.level:
        yield SettingsError(
            familiar, "asks familiar strangers before SEKISHO_STEP_UP asks others; set it to attack, or unset it"
        )
    elif settings.familiar_from is not settings.step_up and not settings.history:
        yield SettingsError(familiar, "is set, and SEKISHO_HISTORY=off remembers no networks; unset one of them")


def _uncounted(settings: Settings, understood: Understood) -> Iterator[SettingsError]:
    """A file of autonomous systems that changes nothing."""
    used = settings.estimates_posture or settings.limits_providers
    if settings.asn_file and not used and understood(table.STEP_UP.name, table.LIMIT_PROVIDER.name):
        problem = "is set, and neither a posture nor SEKISHO_LIMIT_PROVIDER counts by it; set SEKISHO_STEP_UP, "
        yield SettingsError(table.ASN_FILE.variable, problem + "SEKISHO_STEP_UP_FAMILIAR or that, or unset this")


def _untold(settings: Settings, understood: Understood) -> Iterator[SettingsError]:
    """Aged devices without a way to tell their owners, who must have been told."""
    known = understood(table.SMTP.name, table.FACTORS.name)
    if known and settings.aged_device_days is not None and settings.factors and settings.smtp is None:
        problem = "is set, and SEKISHO_SMTP is not: no owner could be told of such a device; set that, or unset this"
        yield SettingsError(table.AGED_DEVICE_DAYS.variable, problem)


def _unreachable(settings: Settings, understood: Understood) -> Iterator[SettingsError]:
    """Classes of factors that no factor of the site reaches: nobody could prove anything there."""
    if not settings.factors or not understood(table.FACTORS.name):
        return
    best = max(settings.oidc_class if name == "oidc" else CLASS_OF[name] for name in settings.factors)
    if settings.floor > best:
        problem = f"is {settings.factor_floor}, and SEKISHO_FACTORS has no factor of that class; add one there"
        yield SettingsError(table.FACTOR_FLOOR.variable, problem)
    if any(route.acr > best for route in settings.protect):
        problem = "wants an acr= that no factor in SEKISHO_FACTORS has; add one there"
        yield SettingsError(table.PROTECT.variable, problem)
