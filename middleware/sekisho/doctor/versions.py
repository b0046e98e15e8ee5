"""Versions of stores with known holes. Pure.

CVE-2025-49844 is a use-after-free in the Lua parser of every earlier version (advisory GHSA-4789-qfc9-5f9q). Redis
fixed it on 3 October 2025 in 6.2.20, 7.2.11, 7.4.6, 8.0.4 and 8.2.2 (docker-library/official-images#20011), Valkey on
the same day in 7.2.11, 8.0.6 and 8.1.4 (valkey-io/valkey#2686 and the release notes of 8.1.4). A branch without a fixed
version, such as Redis 7.0, stays open.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.model import hazards

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sekisho.model.diagnosis import Diagnosis

Branch = tuple[int, int]

_FIXED: Final[dict[str, dict[Branch, int]]] = {
    "Redis": {(6, 2): 20, (7, 2): 11, (7, 4): 6, (8, 0): 4, (8, 2): 2},
    "Valkey": {(7, 2): 11, (8, 0): 6, (8, 1): 4},
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
    """The version that `INFO server` names; None for other products that speak the protocol, and for other text."""
    if "dragonfly_version" in facts:
        return None
    product, text = ("Valkey", facts["valkey_version"]) if "valkey_version" in facts else ("Redis", _redis(facts))
    found = _VERSION.match(text)
    return Version(product, (int(found[1]), int(found[2])), int(found[3])) if found else None


def _redis(facts: Mapping[str, str]) -> str:
    return facts.get("redis_version", "")


def is_holed(version: Version) -> bool:
    """Whether this version has the hole CVE-2025-49844, as its makers published it."""
    fixed = _FIXED[version.product]
    if version.branch in fixed:
        return version.patch < fixed[version.branch]
    return version.branch < max(fixed)


def checks_of_version(version: Version) -> Iterator[Diagnosis]:
    """Diagnoses of a store's version."""
    if version.product == "Redis" and version.branch < _OLDEST:
        yield hazards.OUTDATED_STORE.found(f"SEKISHO_STORE: {version} is older than 6.2")
    if is_holed(version):
        # A distribution's package keeps the number and adds the patch, which no command of the server shows.
        yield hazards.HOLED_STORE.found(
            f"SEKISHO_STORE: {version} has a known hole, unless its distribution closed it under the same number "
            "(its package's changelog names CVE-2025-49844)"
        )
