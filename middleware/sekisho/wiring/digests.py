"""The digests of a service, by its settings: workers and commands must name the same counters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.read import Digests

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.settings import Settings


def digests_of(settings: Settings) -> Digests:
    """Return what makes the digests of this service. Raises `SettingsError` if the file of providers cannot be read."""
    return Digests(
        settings.secrets,
        tells_provider=settings.estimates_posture,
        limits_provider=settings.limits_providers,
        asn_of=_asn_of(settings.asn_file) if settings.asn_file is not None else None,
    )


def _asn_of(path: str) -> Callable[[bytes], int]:
    from sekisho.detect.asn_file import AsnFile  # noqa: PLC0415 - a reader of files, only for sites with one

    return AsnFile(path, "SEKISHO_ASN_FILE").of
