"""The environment of an operator's command: it has to be that of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.model import SettingsError
from sekisho.settings import SettingsErrors

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SECRETS", "ensure_secret", "has_secret"]

SECRETS: Final = ("SEKISHO_SECRET", "SEKISHO_SECRET_FILE")
_ELSEWHERE: Final = (
    "is not set here. Run this with the environment of the service: as its user, with the same SEKISHO_ variables. A "
    "new secret would reach no worker"
)


def has_secret(environ: Mapping[str, str]) -> bool:
    """Whether the environment has a secret."""
    return any(environ.get(name) for name in SECRETS)


def ensure_secret(environ: Mapping[str, str]) -> None:
    """Raise `SettingsErrors` where the environment has no secret: it is another one than the service's.

    At the start of a service a new secret is the remedy; for a command it would be the next mistake.
    """
    if not has_secret(environ):
        raise SettingsErrors([SettingsError(SECRETS[0], _ELSEWHERE)])
