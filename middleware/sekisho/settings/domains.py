"""A file of mail domains, such as lists of disposable ones."""

from __future__ import annotations

import re

from sekisho.model import SettingsError
from sekisho.model.mail_domain import domain_key
from sekisho.settings.files import NotReadable, read_file

BYTES_MAX = 16 << 20  # a million domains; the longest public list has a tenth of that

_DOMAIN = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}")


def domains_of(path: str, setting: str) -> frozenset[str]:
    """Read a file of mail domains, one a line; blank lines, `#` comments and a leading `@` or `*.` are skipped.

    Raises `SettingsError`, without path or content, for any other line, or a file that is unreadable or too large.
    """
    try:
        content = read_file(path, bytes_max=BYTES_MAX)
        lines = content.decode("utf-8").splitlines() if len(content) <= BYTES_MAX else None
    except (OSError, NotReadable, ValueError) as error:
        raise SettingsError(setting, f"names a file that cannot be read ({type(error).__name__})") from None
    if lines is None:
        raise SettingsError(setting, f"names a file of more than {BYTES_MAX} bytes")
    return frozenset(
        _domain(line, number, setting)
        for number, full in enumerate(lines, 1)
        if (line := full.partition("#")[0].strip())
    )


def _domain(line: str, number: int, setting: str) -> str:
    domain = domain_key(line.removeprefix("@").removeprefix("*."))
    if not _DOMAIN.fullmatch(domain):
        raise SettingsError(setting, f"names a file whose line {number} is no domain such as mail.example")
    return domain
