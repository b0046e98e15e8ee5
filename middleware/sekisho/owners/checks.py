"""An owners' database that could find no owner, by its URL and its query alone; it is not asked here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.model import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.settings import Settings


def checks(settings: Settings) -> Iterator[SettingsError]:
    """Yield the mistake in the settings of the owners' database or query, by which no owner would be found."""
    if settings.owners is None:
        return
    from sekisho.owners.sql import SqlOwners  # noqa: PLC0415 - a database driver, only for sites with a database

    try:
        SqlOwners(settings.owners, settings.owners_query or "", clock_s=lambda: 0.0)
    except SettingsError as mistake:
        yield mistake
