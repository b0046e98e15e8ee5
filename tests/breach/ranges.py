"""Made-up ranges of the range API: every prefix has rows, the same in every run and on every machine."""

from __future__ import annotations

from hashlib import sha1, shake_128
from typing import NamedTuple

PREFIXES = 16**5
ROWS = 2_000  # approximately those of a real range


class Row(NamedTuple):
    """The 35 hex digits after the prefix, in capitals, and how often the password was seen; 0 is padding."""

    suffix: str
    seen: int

    def __str__(self) -> str:
        return f"{self.suffix}:{self.seen}"


def prefix(number: int) -> str:
    """The five hex digits of range `number`, of `PREFIXES`."""
    return f"{number:05X}"


def digest(password: str) -> bytes:
    """The service's digest: SHA-1 of the password's UTF-8."""
    return sha1(password.encode(), usedforsecurity=False).digest()


class Ranges:
    """All ranges, with `rows` rows each and the planted ones.

    Another `edition` has other rows, as after a new publication of the service.
    """

    def __init__(self, *, rows: int = ROWS, edition: int = 0) -> None:
        self._rows = rows
        self._edition = edition
        self._planted: dict[str, dict[str, int]] = {}

    def plant(self, password: str, count: int) -> bytes:
        """Add `password` with `count` leaks; returns its digest."""
        full = digest(password)
        self.plant_digest(full, count)
        return full

    def plant_digest(self, full: bytes, count: int) -> None:
        text = full.hex().upper()
        self._planted.setdefault(text[:5], {})[text[5:]] = count

    def rows(self, prefix: str, *, padding: int = 0) -> list[Row]:
        """The sorted rows. `padding` rows with a count of 0 are among them, as after `Add-Padding: true`."""
        name = prefix.upper()
        found = dict(_noise(f"{self._edition}:{name}", self._rows)) | self._planted.get(name, {})
        padded = dict.fromkeys((suffix for suffix, _ in _noise(f"padding:{self._edition}:{name}", padding)), 0)
        return sorted(Row(*row) for row in (padded | found).items())

    def body(self, prefix: str, *, padding: int = 0) -> bytes:
        """The service's answer: rows in CRLF, none after the last."""
        return "\r\n".join(map(str, self.rows(prefix, padding=padding))).encode()


def _noise(seed: str, rows: int) -> list[Row]:
    text = shake_128(seed.encode()).hexdigest(20 * rows).upper()  # 35 digits are the suffix, 4 define its rarity
    starts = range(0, 40 * rows, 40)
    return [Row(text[at : at + 35], 65_536 // (1 + int(text[at + 35 : at + 39], 16))) for at in starts]
