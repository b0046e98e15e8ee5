"""The cost of a hash, and the costs that others recommend."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import Final


@dataclass(frozen=True, slots=True)
class Profile:
    """The cost of one hash. Raises `ValueError` for parameters that argon2 does not allow.

    Attributes:
        passes: over the memory; `t` in RFC 9106.
        memory_kib: KiB that are filled, by all lanes together; `m`.
        lanes: threads that compute one hash; `p`.
        salt_bytes, tag_bytes: lengths of the salt and of the hash.
        source: of the recommendation.
    """

    passes: int
    memory_kib: int
    lanes: int
    salt_bytes: int = 16
    tag_bytes: int = 32
    source: str = field(default="your own", compare=False)

    def __post_init__(self) -> None:
        if self.passes < 1 or self.lanes < 1 or self.memory_kib < 8 * self.lanes:
            raise ValueError("argon2 makes at least one pass, in at least one lane, over at least 8 KiB a lane")

    @property
    def work_kib(self) -> int:
        """KiB that are filled in all passes; the time of a hash is proportional to it."""
        return self.passes * self.memory_kib


RFC9106_HIGH_MEMORY: Final = Profile(1, 2_097_152, 4, source="RFC 9106 section 4, first recommended option: 2 GiB")
RFC9106_LOW_MEMORY: Final = Profile(3, 65_536, 4, source="RFC 9106 section 4, second recommended option: 64 MiB")
OWASP_46MIB: Final = Profile(1, 47_104, 1, source="OWASP Password Storage Cheat Sheet, Argon2id")
OWASP_19MIB: Final = Profile(2, 19_456, 1, source="OWASP Password Storage Cheat Sheet, Argon2id")
OWASP_12MIB: Final = Profile(3, 12_288, 1, source="OWASP Password Storage Cheat Sheet, Argon2id")
OWASP_9MIB: Final = Profile(4, 9_216, 1, source="OWASP Password Storage Cheat Sheet, Argon2id")
OWASP_7MIB: Final = Profile(5, 7_168, 1, source="OWASP Password Storage Cheat Sheet, Argon2id")

# The minimum that OWASP names first. The default of argon2-cffi (RFC9106_LOW_MEMORY) would cost a service five times
# the work and four threads an attempt, which an attacker can exploit as much as it protects the owner.
OWASP: Final = OWASP_19MIB

# Hashes that a Python service may have stored by default: argon2-cffi's parameters from 2018 to 2021.
STORED_COSTLIEST: Final = Profile(2, 102_400, 8)


def costs(profile: Profile) -> tuple[int, int, int]:
    """The costs of a profile that must not exceed those a service declared: KiB at once, KiB in all passes, threads."""
    return profile.memory_kib, profile.work_kib, profile.lanes


def rest(whole: Profile, part: Profile) -> Profile | None:
    """Return a profile of the work that `part` lacks to be `whole`, in no more memory; None if that is negligible."""
    least_kib, rest_kib = 8 * whole.lanes, whole.work_kib - part.work_kib
    if rest_kib < least_kib:
        return None
    passes = ceil(rest_kib / whole.memory_kib)
    return Profile(passes, max(rest_kib // passes, least_kib), whole.lanes)
