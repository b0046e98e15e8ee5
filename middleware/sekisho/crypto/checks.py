"""Secrets that are valid, and protect nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, Protocol

from sekisho.model import hazards

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.model.diagnosis import Diagnosis

# Each is so long that a random secret of 64 characters contains one of them once in ten thousand at most.
_PLACEHOLDERS: Final = (
    b"secret", b"change", b"passw", b"example", b"sekisho", b"default", b"qwerty", b"abcdef", b"123456"
)  # fmt: skip
NEIGHBOURS_MAX: Final = 0.6  # of all pairs of bytes; of random digits it is a quarter


class SecretSettings(Protocol):
    """The settings of secrets, which lie in a higher layer."""

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The service's secrets, newest first."""

    @property
    def is_secret_made_up(self) -> bool:
        """Whether the secret was made up for this process."""


def checks(settings: SecretSettings) -> Iterator[Diagnosis]:
    """Yield diagnoses of secrets that an attacker could guess, that end with the process, or that stand in quotes."""
    if settings.is_secret_made_up:
        yield hazards.MADE_UP_SECRET.found(
            "SEKISHO_SECRET: made up for this process; what it signs is worth nothing after a restart"
        )
    elif any(map(is_guessable, settings.secrets)):
        yield hazards.WEAK_SECRET.found("SEKISHO_SECRET: it looks typed rather than random, and could be guessed")
    if any(map(is_quoted, settings.secrets)):
        yield hazards.QUOTED_SECRET.found(
            "SEKISHO_SECRET: its quotation marks are part of it here, and not where a shell reads the same line"
        )


def is_quoted(secret: bytes) -> bool:
    """Whether a secret begins and ends with the same quotation mark, as Docker reads a quoted line of a file."""
    return secret[:1] == secret[-1:] and secret[:1] in {b"'", b'"'}


def is_guessable(secret: bytes) -> bool:
    """Whether a secret is long enough and still no random one: a keyboard row, an alphabet, a placeholder."""
    pairs = list(pairwise(secret))
    neighbours = sum(abs(first - second) <= 1 for first, second in pairs)
    is_placeholder = any(word in secret.lower() for word in _PLACEHOLDERS)
    return is_placeholder or neighbours > NEIGHBOURS_MAX * len(pairs)
