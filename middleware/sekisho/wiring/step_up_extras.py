"""Parts of step-ups that need packages which other sites lack: each is imported only where the settings ask for it."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from sekisho.model import SettingsError
from sekisho.stepup.factors.webhook import Webhook
from sekisho.wiring.clocks import MACHINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sekisho.outbox.by_webhook import WebhookDelivery
    from sekisho.owners.addresses import SqlAddresses
    from sekisho.owners.logins import SqlLogins
    from sekisho.owners.sql import SqlOwners
    from sekisho.record import Events
    from sekisho.settings import Settings
    from sekisho.stepup.city_file import CityFile
    from sekisho.stepup.factors import Enrolling, Factors
    from sekisho.stepup.oidc.provider import OidcProvider
    from sekisho.stepup.webauthn import WebAuthn
    from sekisho.wiring.clocks import Clocks


def checks(settings: Settings) -> Iterator[SettingsError]:
    """Yield mistakes in the settings of webhooks and passkeys that would show only at an owner's first proof."""
    for variable, make in (
        ("SEKISHO_CODE_WEBHOOK", code_webhook),
        ("SEKISHO_NOTICES_WEBHOOK", notice_webhook),
        ("SEKISHO_PASSKEY_DOMAIN", site_passkeys),
    ):
        try:
            make(settings)
        except ValueError as error:
            yield SettingsError(variable, str(error))


def factor_classes() -> tuple[type[Factors], type[Enrolling]]:
    # Passkeys import certificates, TOTP enrolment imports pictures. A site that asks for work alone needs neither;
    # others import them at the start rather than in the first request.
    from sekisho.stepup.factors import Enrolling, Factors  # noqa: PLC0415

    return Factors, Enrolling


def sql_owners(settings: Settings, clocks: Clocks, on_change: Callable[[bool], None]) -> SqlOwners:
    from sekisho.owners.sql import SqlOwners  # noqa: PLC0415 - a database driver, only for sites with a database

    url, query = settings.owners or "", settings.owners_query or ""
    return SqlOwners(url, query, clock_s=clocks.monotonic_s, on_change=on_change)


def sql_log_ins() -> type[SqlLogins]:
    from sekisho.owners.logins import SqlLogins  # noqa: PLC0415 - a database driver, only for sites with a database

    return SqlLogins


def sql_addresses() -> type[SqlAddresses]:
    from sekisho.owners.addresses import SqlAddresses  # noqa: PLC0415 - the same

    return SqlAddresses


def city_file_of(path: str) -> CityFile:
    from sekisho.stepup.city_file import CityFile  # noqa: PLC0415 - a reader of files, only for sites with one

    return CityFile(path, "SEKISHO_CITY_FILE")


def code_webhook(settings: Settings, clocks: Clocks = MACHINE) -> Webhook | None:
    url = settings.code_webhook
    return Webhook(url, settings.code_webhook_key, clock_s=clocks.wall_s) if url else None


def notice_webhook(settings: Settings, clocks: Clocks = MACHINE) -> WebhookDelivery | None:
    if settings.notices_webhook is None:
        return None
    from sekisho.outbox.by_webhook import WebhookDelivery  # noqa: PLC0415 - only for sites with a webhook

    return WebhookDelivery(settings.notices_webhook, settings.notices_webhook_secret, clock_s=clocks.wall_s)


def site_passkeys(settings: Settings) -> WebAuthn | None:
    """Build and return what makes and verifies passkey requests; None without the factor `webauthn`."""
    if "webauthn" not in settings.factors:
        return None
    from sekisho.stepup.webauthn import WebAuthn  # noqa: PLC0415 - certificates and CBOR, only for passkeys

    # Derived from the oldest secret: decoys that changed with a rotation could be recognised as decoys.
    decoys = blake2b(settings.secrets[-1], digest_size=64, person=b"sekisho.decoys").digest()
    return WebAuthn(settings.rp_id or "", settings.service_name, settings.passkey_origins, decoys)


def oidc_provider() -> type[OidcProvider]:
    from sekisho.stepup.oidc.provider import OidcProvider  # noqa: PLC0415 - JOSE, only for sites with a provider

    return OidcProvider


def identity_provider(settings: Settings, events: Events, clocks: Clocks) -> OidcProvider | None:
    """The provider of the factor `oidc`; None without that factor."""
    if "oidc" not in settings.factors or settings.oidc is None:
        return None
    return oidc_provider()(
        settings.oidc,
        settings.oidc_secret or "",
        f"{settings.pages_url}/oidc/callback",
        report=events.anomaly,
        clock_s=clocks.wall_s,
    )


def passkey_sites(settings: Settings) -> tuple[str, ...]:
    """The origins that `/.well-known/webauthn` lists; () where no other site may use the passkeys."""
    if "webauthn" not in settings.factors or not settings.related_origins:
        return ()
    return tuple(origin for origin in settings.passkey_origins if origin.startswith("http"))
