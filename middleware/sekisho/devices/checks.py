"""Finds a device cookie that other hosts can set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.model import hazards

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.model.diagnosis import Diagnosis
    from sekisho.settings import Settings


def checks(settings: Settings) -> Iterator[Diagnosis]:
    """Yield a diagnosis if the device cookie's name lacks the `__Host-` prefix.

    Another host of the domain can replace such a cookie, which makes its owner a stranger.
    """
    if not settings.device_cookie.startswith("__Host-"):
        yield hazards.PLANTED_COOKIE.found(
            "SEKISHO_DEVICE_COOKIE: without __Host- in front, any neighbouring subdomain can plant this cookie"
        )
