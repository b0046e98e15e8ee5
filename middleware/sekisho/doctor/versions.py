"""Versions of stores with known holes. Pure.

CVE-2025-49844 is a use-after-free in the Lua parser of every earlier version (advisory GHSA-4789-qfc9-5f9q). Redis
fixed it on 3 October 2025 in 6.2.20, 7.2.11, 7.4.6, 8.0.4 and 8.2.2 (docker-library/official-images#20011), Valkey on
the same day in 7.2.11, 8.0.6 and 8.1.4 (valkey-io/valkey#2686 and the release notes of 8.1.4). A branch without a fixed
version, such as Redis 7.0, stays open.

CVE-2025-62507 is an overflow of the stack by XACKDEL, which came with Redis 8.2, and was fixed in 8.2.3 (advisory
GHSA-jhjx-x4cf-4vm8, docker-library/official-images#20204).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.model import hazards

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sekisho.model.diagnosis import Diagnosis

Branch = tuple[int, int]


class Hole(NamedTuple):
    """A known hole.

    Attributes:
        name: of the advisory.
        since: the first branch that has it.
        fixed: by branch, the first patch without it. Branches after the last of them never had it.
    """

    name: str
    since: Branch
    fixed: dict[Branch, int]


_EVERY: Final = (0, 0)
_HOLES: Final = {
    "Redis": (
        Hole("CVE-2025-49844", _EVERY, {(6, 2): 20, (7, 2): 11, (7, 4): 6, (8, 0): 4, (8, 2): 2}),
        Hole("CVE-2025-62507", (8, 2), {(8, 2): 3}),
    ),
    "Valkey": (Hole("CVE-2025-49844", _EVERY, {(7, 2): 11, (8, 0): 6, (8, 1): 4}),),
}
_OLDEST: Final = (6, 2)  # GETDEL
_VERSION: Final = re.compile(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})")


class Version(NamedTuple):
    """A store's product and its version."""

    product: str
    branch: Branch
    patch: int

    def __str__(self) -> str:
        return f"{self.product} {self.branch[0]}.{self.branch[1]}.{self.patch}"


def version_of(facts: Mapping[str, str]) -> Version | None:
    """The store's product and version by `INFO server`; None for Dragonfly, and for text without a version."""
    if "dragonfly_version" in facts:
        return None
    product, text = ("Valkey", facts["valkey_version"]) if "valkey_version" in facts else ("Redis", _redis(facts))
    found = _VERSION.match(text)
    return Version(product, (int(found[1]), int(found[2])), int(found[3])) if found else None


def _redis(facts: Mapping[str, str]) -> str:
    return facts.get("redis_version", "")


def holes_of(version: Version) -> list[str]:
    """The names (CVE numbers) of the known holes that this version has, as its makers published them."""
    return [hole.name for hole in _HOLES[version.product] if _has(version, hole)]


def _has(version: Version, hole: Hole) -> bool:
    if version.branch in hole.fixed:
        return version.patch < hole.fixed[version.branch]
    return hole.since <= version.branch < max(hole.fixed)


def checks_of_version(version: Version) -> Iterator[Diagnosis]:
    """Yield a diagnosis if a store's version is older than Redis 6.2, and one if it has a known hole."""
    if version.product == "Redis" and version.branch < _OLDEST:
        yield hazards.OUTDATED_STORE.found(f"SEKISHO_STORE: {version} is older than 6.2")
    if holes := holes_of(version):
        # A distribution's package keeps the number and adds the patch, which no command of the server shows.
        yield hazards.HOLED_STORE.found(
            f"SEKISHO_STORE: {version} has a known hole, unless its distribution closed it under the same number "
            f"(its package's changelog names {' and '.join(holes)})"
        )
