"""Which versions of a store have known holes, by their makers' announcements."""

from __future__ import annotations

import pytest

from sekisho.doctor.versions import checks_of_version, version_of


@pytest.mark.parametrize(
    ("field", "text", "numbers"),
    [
        ("redis_version", "6.2.19", ["SEK030"]),
        ("redis_version", "6.2.20", []),
        ("redis_version", "7.0.15", ["SEK030"]),
        ("redis_version", "7.2.10", ["SEK030"]),
        ("redis_version", "7.2.11", []),
        ("redis_version", "7.4.5", ["SEK030"]),
        ("redis_version", "7.4.6", []),
        ("redis_version", "8.0.3", ["SEK030"]),
        ("redis_version", "8.0.4", []),
        ("redis_version", "8.2.1", ["SEK030"]),
        ("redis_version", "8.2.2", ["SEK030"]),
        ("redis_version", "8.2.3", []),
        ("redis_version", "8.4.0", []),
        ("redis_version", "9.0.0", []),
        ("redis_version", "6.0.16", ["SEK031", "SEK030"]),
        ("valkey_version", "7.2.10", ["SEK030"]),
        ("valkey_version", "7.2.11", []),
        ("valkey_version", "8.0.5", ["SEK030"]),
        ("valkey_version", "8.0.6", []),
        ("valkey_version", "8.1.3", ["SEK030"]),
        ("valkey_version", "8.1.4", []),
        ("valkey_version", "9.0.0", []),
    ],
)
def test_a_version_without_the_fix_is_found(field: str, text: str, numbers: list[str]) -> None:
    """A Valkey also names the version of Redis that it is compatible with, which says nothing of its holes."""
    version = version_of({"redis_version": "7.2.4", field: text})

    assert version is not None
    found = list(checks_of_version(version))
    assert [each.hazard.number for each in found] == numbers
    assert all(text in each.what for each in found)


@pytest.mark.parametrize("facts", [{}, {"redis_version": "?"}, {"redis_version": "7.4.0", "dragonfly_version": "df-1"}])
def test_another_product_has_no_version(facts: dict[str, str]) -> None:
    """Another product that answers like a Redis has its own holes, which its number does not tell."""
    assert version_of(facts) is None


@pytest.mark.parametrize(
    ("text", "holes"),
    [("7.0.15", "CVE-2025-49844"), ("8.2.1", "CVE-2025-49844 and CVE-2025-62507"), ("8.2.2", "CVE-2025-62507")],
)
def test_the_holes_are_named(text: str, holes: str) -> None:
    """By them an operator finds the line in a package's changelog. XACKDEL came with 8.2."""
    version = version_of({"redis_version": text})

    assert version is not None
    (found,) = checks_of_version(version)
    assert found.what.endswith(f"(its package's changelog names {holes})")
