"""Coarse places of addresses, from a file in the MaxMind DB format: a city and its country, and nothing closer.

Needs the package `maxminddb` (the extra `places`). The file is mapped into memory, and read at the start alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import maxminddb

from sekisho.detect.asn_file import opened

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME_CHARS_MAX: Final = 60


class AddressPlaces(Protocol):
    """Where an address is, as far as it is known."""

    def of(self, address: str, language: str) -> str:
        """The place, as in `Osaka, JP`; empty where it is not known. `language`: of the city's name, as `ja`."""
        ...


class CityFile:
    """Looks places up in one file. Any thread may call.

    Args:
        path: of the file.
        setting: the name in errors.

    Raises:
        SettingsError: see `opened`.
    """

    def __init__(self, path: str, setting: str) -> None:
        self._reader: Final = opened(path, setting)

    def of(self, address: str, language: str) -> str:
        try:
            found = self._reader.get(address)
        except (ValueError, maxminddb.InvalidDatabaseError):
            return ""  # no address, one of IPv6 in a file of IPv4, or a damaged record
        return _described(found, language) if isinstance(found, dict) else ""

    def close(self) -> None:
        self._reader.close()


def _described(found: Mapping[str, Any], language: str) -> str:
    names = _part(_part(found, "city"), "names")
    city = _line(names.get(language) or names.get("en"))
    # Two letters that need no translation.
    country = _line(_part(found, "country").get("iso_code"))
    return ", ".join(part for part in (city, country) if part)


def _part(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = found.get(name)
    return part if isinstance(part, dict) else {}


def _line(text: object) -> str:
    """A text of the file as one short line; empty for anything else."""
    return text[:NAME_CHARS_MAX] if isinstance(text, str) and text.isprintable() else ""
