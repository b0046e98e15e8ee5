"""Coarse places from a file of cities: the city and the country of an address, and nothing closer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from sekisho.model import SettingsError
from sekisho.stepup.city_file import CityFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OSAKA: dict[str, Any] = {
    "city": {"geoname_id": 1853909, "names": {"en": "Osaka", "ja": "大阪市"}},
    "country": {"iso_code": "JP", "names": {"en": "Japan"}},
    "location": {"latitude": 34.6, "longitude": 135.5},
    "postal": {"code": "543-0062"},
}


def write(path: Path, places: dict[str, Any], ip_version: int = 6) -> None:
    writer = MMDBWriter(ip_version, "Test-City", ipv4_compatible=ip_version == 6)
    for network, place in places.items():
        writer.insert_network(IPSet([network]), place)
    writer.to_db_file(str(path))


@pytest.fixture
def cities(tmp_path: Path) -> Iterator[CityFile]:
    odd = {"city": {"names": {"en": "A\nB"}}, "country": {"iso_code": 7}}
    long = {"city": {"names": {"en": "x" * 99}}}
    write(
        tmp_path / "cities.mmdb",
        {
            "192.0.2.0/25": OSAKA,
            "192.0.2.128/25": {"country": {"iso_code": "JP"}},
            "2001:db8::/48": OSAKA,
            "198.51.100.0/25": odd,
            "198.51.100.128/25": long,
        },
    )
    found = CityFile(str(tmp_path / "cities.mmdb"), "SEKISHO_CITY_FILE")
    yield found
    found.close()


@pytest.mark.parametrize(
    ("address", "language", "place"),
    [
        ("192.0.2.1", "en", "Osaka, JP"),
        ("192.0.2.1", "ja", "大阪市, JP"),
        ("192.0.2.1", "fr", "Osaka, JP"),
        ("2001:db8::1", "en", "Osaka, JP"),
        ("192.0.2.200", "en", "JP"),
        ("203.0.113.1", "en", ""),
        ("198.51.100.1", "en", ""),
        ("198.51.100.200", "en", "x" * 60),
        ("", "en", ""),
        ("no address", "en", ""),
    ],
)
def test_a_place_is_a_city_and_a_country(cities: CityFile, address: str, language: str, place: str) -> None:
    """No coordinates and no postal code; texts of the file stay one short line; the rest is not known."""
    assert cities.of(address, language) == place


def test_a_file_of_another_kind_stops_the_start(tmp_path: Path) -> None:
    """The error names the setting, and neither the path nor the content."""
    (tmp_path / "cities.mmdb").write_bytes(b"Osaka" * 99)
    for path in (tmp_path / "cities.mmdb", tmp_path / "missing.mmdb"):
        with pytest.raises(SettingsError) as caught:
            CityFile(str(path), "SEKISHO_CITY_FILE")
        assert str(caught.value).startswith("SEKISHO_CITY_FILE: names a file that is no readable MaxMind database (")
        assert "mmdb" not in caught.value.problem
        assert "Osaka" not in str(caught.value)


def test_a_file_of_ipv4_knows_no_ipv6(tmp_path: Path) -> None:
    """An address of the other version has no place, and is no error."""
    write(tmp_path / "four.mmdb", {"192.0.2.0/24": OSAKA}, ip_version=4)
    four = CityFile(str(tmp_path / "four.mmdb"), "SEKISHO_CITY_FILE")
    assert (four.of("2001:db8::1", "en"), four.of("192.0.2.9", "en")) == ("", "Osaka, JP")
    four.close()
