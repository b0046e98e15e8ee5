"""Shared by these commands: their settings, and the connection to the database."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sekisho.cli.environment import ensure_secret
from sekisho.model import SekishoError
from sekisho.owners.sql import SqlOwners
from sekisho.settings import SettingsErrors, load
from sekisho.settings.extras import missing_extras

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sekisho.settings import Settings

__all__ = ["MAIL", "NoOwners", "opened", "settings"]

MAIL = ("SMTP", "SMTP_PASSWORD", "MAIL_FROM", "SERVICE_NAME", "ACCOUNT_PAGE")
_DATABASE = ("OWNERS", "OWNERS_QUERY")
_DEADLINE_US = 10_000_000  # no log-in waits for these commands


class NoOwners(SekishoError):  # noqa: N818 - a state of the settings, not of the program
    """SEKISHO_OWNERS names no database."""


def settings(*names: str, secret: bool = False) -> Settings:
    """Load the database's settings and the named ones; all others have their defaults.

    Args:
        names: without the prefix.
        secret: whether the service's secret is required.

    Raises:
        SettingsError: a setting is invalid, or a package that it needs is not installed.
        NoOwners: SEKISHO_OWNERS is not set.
    """
    if secret:
        ensure_secret(os.environ)
    listed = (*_DATABASE, *names, *(("SECRET",) if secret else ()))
    wanted = {f"SEKISHO_{name}{file}" for name in listed for file in ("", "_FILE")}
    # An empty variable means "unset": shells can set variables for one command, but not unset them.
    given = {name: text for name, text in os.environ.items() if name in wanted and text}
    found = load(given, {"challenges": "none"}, ephemeral_secret=None if secret else secrets.token_bytes(32))
    if missing := missing_extras(found):
        raise SettingsErrors(missing)
    if found.owners is None:
        raise NoOwners(
            "SEKISHO_OWNERS is not set here: run this with the environment of the service. A Python object in its "
            "place looks after its own tables"
        )
    return found


@asynccontextmanager
async def opened(found: Settings) -> AsyncIterator[SqlOwners]:
    """A context with the owners' database, which is closed at its end.

    Raises `SettingsError` for a URL or a query that cannot work.
    """
    owners = SqlOwners(found.owners or "", found.owners_query or "", deadline_us=_DEADLINE_US, clock_s=time.monotonic)
    try:
        yield owners
    finally:
        await owners.aclose()
