"""Coarse places of addresses, from a file in the MaxMind DB format: a city and its country, and nothing closer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from sekisho.maxmind_db import MaxMindDb

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
        SettingsError: see `MaxMindDb`.
    """

    def __init__(self, path: str, setting: str) -> None:
        self._file: Final = MaxMindDb(path, setting)

    def of(self, address: str, language: str) -> str:
        return _described(self._file.record(address), language)

    def close(self) -> None:
        self._file.close()


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
