"""Autonomous systems of addresses, from a file in the MaxMind DB format: the number, and no name."""

from __future__ import annotations

from typing import Final, final

from sekisho.maxmind_db import MaxMindDb

NUMBER_MAX: Final = 0xFFFF_FFFF


@final
class AsnFile:
    """Looks numbers up in one file. Any thread may call.

    Args:
        path: of the file.
        setting: the name in errors.

    Raises:
        SettingsError: see `MaxMindDb`.
    """

    def __init__(self, path: str, setting: str) -> None:
        self._file: Final = MaxMindDb(path, setting)

    def of(self, packed: bytes) -> int:
        """The number of the system that announces a packed address, IPv4 or IPv6; 0 where it is not known."""
        number = self._file.record(packed).get("autonomous_system_number")
        return number if isinstance(number, int) and 0 < number <= NUMBER_MAX else 0

    def close(self) -> None:
        self._file.close()
