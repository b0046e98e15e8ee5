"""Passwords in argon2id: checked and hashed in a few threads, and no crowd can start more of them.

A hash is made to be expensive, so whoever may ask for one has a lever: thousands of requests a second ask for
gigabytes and minutes. Here a fixed number is computed at once, a fixed number waits, and all others are told at once
to come back. And a check tells who is a member by its answer alone, never by the work that it took.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final


from sekisho.model import SekishoError

if TYPE_CHECKING:
    pass

log = logging.getLogger("sekisho")


@dataclass(frozen=True, slots=True)
class Profile:
    """What one hash costs.

    Attributes:
        passes: over the memory (argon2's `t`).
        memory_kib: KiB that one hash fills (`m`).
        lanes: threads that one hash is computed in (`p`).
        source: where the figures come from.
    """

    passes: int
    memory_kib: int
    lanes: int
    salt_bytes: int = 16
    tag_bytes: int = 32
    source: str = field(default="your own", compare=False)

    @property
    def work_kib(self) -> int:
        """KiB that are filled in all: what a hash's time is proportional to, other things being equal."""
        return self.passes * self.memory_kib


RFC9106_HIGH_MEMORY: Final = Profile(1, 2_097_152, 4, source="RFC 9106, section 4: the first recommended option")
RFC9106_LOW_MEMORY: Final = Profile(3, 65_536, 4, source="RFC 9106, section 4: the second recommended option")
OWASP: Final = Profile(2, 19_456, 1, source="OWASP Password Storage Cheat Sheet: the minimum")


class PasswordsBusy(SekishoError):  # noqa: N818 - a state, not a mistake
    """As many passwords are being checked as may be; nothing was computed. Answer 503 with `Retry-After`.

    Attributes:
        retry_after_s: whole seconds in which those before are done.
    """

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"too many passwords are waiting to be checked; try again in {retry_after_s} s")


class UnusablePassword(SekishoError, ValueError):  # noqa: N818 - says what it is about
    """No account has such a password: refused before anything is computed, whoever is meant."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"a password that cannot be used: {reason}")


class UnusableHash(SekishoError, ValueError):  # noqa: N818 - says what it is about
    """What is stored cannot be checked against. That is not a wrong password, and its owner should not be told so."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"a stored hash that cannot be used: {reason}")
