"""The optional packages that the settings need, and those that are missing. Imports none of them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from sekisho.model import SettingsError
from sekisho.settings import table
from sekisho.settings.databases import DATABASES
from sekisho.settings.factors import POW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.settings.table import Setting
    from sekisho.settings.values import Settings

_WORK = ("cryptography", "altcha", "jinja2")
_SEALING = ("cryptography", "jinja2")
_OTEL = ("opentelemetry.metrics", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
_OF_FACTOR = {"webauthn": ("webauthn",), "totp": ("pyotp", "segno")}


def can_ask_for_work() -> bool:
    """Whether the packages for proof of work are installed."""
    return all(map(_is_there, _WORK))


def installing(*extras: str) -> str:
    """The command that installs these extras of sekisho.

    It is on no package index, so no index may be suggested: an attacker could register its name there.
    """
    return f"pip install '.[{','.join(extras)}]' in a checkout of sekisho"


def missing_extras(settings: Settings) -> list[SettingsError]:
    """One error for each setting that needs a missing package; it says what to install."""
    return [
        SettingsError(setting.variable, f"needs {', '.join(absent)}: {installing(extra)}")
        for setting, extra, modules in _needs(settings)
        if (absent := [module for module in modules if not _is_there(module)])
    ]


def _needs(settings: Settings) -> Iterator[tuple[Setting[Any], str, tuple[str, ...]]]:
    if settings.factors:
        of_each = (module for factor in settings.factors for module in _OF_FACTOR.get(factor, ()))
        yield table.FACTORS, "step-up", (*_SEALING, *of_each)
    if "oidc" in settings.factors:
        yield table.FACTORS, "oidc", ("joserfc",)
    if settings.challenges:
        # While the client does the work, a sealed field of the page holds its form.
        yield table.CHALLENGES, "step-up", _WORK if POW in settings.challenges else _SEALING
    if any(door.contact for door in settings.doors):
        yield table.SIGNUP, "step-up", _SEALING
    if settings.owners is not None:
        database = DATABASES[settings.owners.partition("://")[0]]
        yield table.OWNERS, database.extra, ("sqlalchemy", database.package)
    if guarded := next((door for door in settings.doors if door.operation), None):
        kind = guarded.kind.name
        yield next(each for each in table.DOOR_SETTINGS if each.name == kind), "graphql", ("graphql",)
    yield from _needs_beside(settings)


def _needs_beside(settings: Settings) -> Iterator[tuple[Setting[Any], str, tuple[str, ...]]]:
    if settings.metrics_token:
        yield table.METRICS_TOKEN, "metrics", ("prometheus_client",)
    if settings.otel:
        yield table.OTEL, "otel", _OTEL
    if settings.audit_recipient:
        yield table.AUDIT_RECIPIENT, "audit", ("cryptography.hazmat.primitives.hpke",)
    if settings.city_file is not None:
        yield table.CITY_FILE, "places", ("maxminddb",)
    if settings.asn_file is not None:
        yield table.ASN_FILE, "places", ("maxminddb",)
    if settings.smtp is not None:
        yield table.SMTP, "mail", ("aiosmtplib",)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it would be in
        return False
