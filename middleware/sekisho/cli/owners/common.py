"""What these commands share: their settings, and the database for as long as it is needed."""

from __future__ import annotations

import os
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

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
_DEADLINE_US = 10_000_000  # nobody stands at a door meanwhile


class NoOwners(SekishoError):  # noqa: N818 - a state of the settings, not of the program
    """There is no database to work on."""


def settings(*names: str, secret: bool = False) -> Settings:
    """The database's settings and those named; the defaults of all others.

    Args:
        names: without the prefix.
        secret: whether the service's own is needed. If so, and it is not set, that is an error.

    Raises:
        SettingsError: one of them makes no sense, or a package that it needs is not installed.
        NoOwners: there is no database among them.
    """
    listed = (*_DATABASE, *names, *(("SECRET",) if secret else ()))
    wanted = {f"SEKISHO_{name}{file}" for name in listed for file in ("", "_FILE")}
    # An empty variable is how a shell says "unset" for one command.
    given = {name: text for name, text in os.environ.items() if name in wanted and text}
    found = load(given, {"challenges": "none"}, ephemeral_secret=None if secret else secrets.token_bytes(32))
    if missing := missing_extras(found):
        raise SettingsErrors(missing)
    if found.owners is None:
        raise NoOwners("SEKISHO_OWNERS is not set; a Python object in its place looks after its own tables")
    return found


@asynccontextmanager
async def opened(found: Settings) -> AsyncIterator[SqlOwners]:
    """The database, closed at the end. Raises `SettingsError` for a URL or a query that cannot work."""
    owners = SqlOwners(found.owners or "", found.owners_query or "", deadline_us=_DEADLINE_US)
    try:
        yield owners
    finally:
        await owners.aclose()
