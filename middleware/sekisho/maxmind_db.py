"""Files in the MaxMind DB format: records of addresses.

Needs the package `maxminddb` (the extra `places`). A file is mapped into memory, and read at the start alone.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, final

import maxminddb

from sekisho.model import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping


@final
class MaxMindDb:
    """Looks records up in one file. Any thread may call.

    Args:
        path: of the file.
        setting: the name in errors.

    Raises:
        SettingsError: the file cannot be read, or is of another format. Its path and content are not named.
    """

    def __init__(self, path: str, setting: str) -> None:
        try:
            self._reader: Final = maxminddb.open_database(path)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            problem = f"names a file that is no readable MaxMind database ({type(error).__name__})"
            raise SettingsError(setting, problem) from None

    def record(self, address: str | bytes) -> Mapping[str, Any]:
        """The record of an address, as text or packed; empty where there is none, and for anything but an address."""
        try:
            found = self._reader.get(address if isinstance(address, str) else ip_address(address))
        except (ValueError, maxminddb.InvalidDatabaseError):
            return {}  # no address, one of IPv6 in a file of IPv4, or a damaged record
        return found if isinstance(found, dict) else {}

    def close(self) -> None:
        self._reader.close()
