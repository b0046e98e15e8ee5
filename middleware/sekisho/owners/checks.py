"""An owners' database that could find no owner, by its URL and its query alone; it is not asked here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.model import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.settings import Settings


def checks(settings: Settings) -> Iterator[SettingsError]:
    """A database or a query with which no owner could be found, and each would be locked out."""
    if settings.owners is None:
        return
    from sekisho.owners.sql import SqlOwners  # noqa: PLC0415 - a database driver, only for sites with a database

    try:
        SqlOwners(settings.owners, settings.owners_query or "", clock_s=lambda: 0.0)
    except SettingsError as mistake:
        yield mistake
