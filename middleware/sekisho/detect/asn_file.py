"""Autonomous systems of addresses, from a file in the MaxMind DB format: the number, and no name.

Needs the package `maxminddb` (the extra `places`). The file is mapped into memory, and read at the start alone.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final, final

import maxminddb

from sekisho.model import SettingsError

NUMBER_MAX: Final = 0xFFFF_FFFF


@final
class AsnFile:
    """Looks numbers up in one file. Any thread may call.

    Args:
        path: of the file.
        setting: the name in errors.

    Raises:
        SettingsError: see `opened`.
    """

    def __init__(self, path: str, setting: str) -> None:
        self._reader: Final = opened(path, setting)

    def of(self, packed: bytes) -> int:
        """The number of the system that announces a packed address, IPv4 or IPv6; 0 where it is not known."""
        try:
            found = self._reader.get(ip_address(packed))
        except (ValueError, maxminddb.InvalidDatabaseError):
            return 0  # an address of IPv6 in a file of IPv4, or a damaged record
        number = found.get("autonomous_system_number") if isinstance(found, dict) else None
        return number if isinstance(number, int) and 0 < number <= NUMBER_MAX else 0

    def close(self) -> None:
        self._reader.close()


def opened(path: str, setting: str) -> maxminddb.Reader:
    """Open a file in the MaxMind DB format, and return its reader. `setting`: the name in errors.

    Raises:
        SettingsError: the file cannot be read, or is of another format. Its path and content are not named.
    """
    try:
        return maxminddb.open_database(path)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        problem = f"names a file that is no readable MaxMind database ({type(error).__name__})"
        raise SettingsError(setting, problem) from None
