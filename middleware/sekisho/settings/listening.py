"""Where a server of the guard's own listens."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from sekisho.model import SettingsError

_LISTENING = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<four>[0-9.]+)):(?P<port>[1-9][0-9]{0,4})", re.ASCII)


class Listening(NamedTuple):
    """Where a server listens.

    Attributes:
        host: an IP address, without brackets.
        port: from 1 to 65535.
    """

    host: str
    port: int


def listening(text: str, setting: str) -> Listening:
    """Read an IP address and a port on which to listen. Raises `SettingsError`.

    A host's name is refused: the machine's resolver must not choose who can connect.
    """
    found = _LISTENING.fullmatch(text)
    host = (found["six"] or found["four"]) if found else ""
    if (
        found is None
        or not _is_address(host, IPv6Address if found["six"] else IPv4Address)
        or int(found["port"]) > 65_535
    ):
        raise SettingsError(setting, "wants an IP address and a port, such as 127.0.0.1:9464 or [::1]:9464")
    return Listening(host, int(found["port"]))


def _is_address(text: str, kind: type[IPv4Address | IPv6Address]) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True
