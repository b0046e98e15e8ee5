"""Autonomous systems from a file: a number, and nothing else of what the file says."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from sekisho.detect.asn_file import AsnFile
from sekisho.model import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def written(path: Path, systems: dict[str, Any], ip_version: int = 6) -> str:
    """A file of systems: by network, the number or any record."""
    writer = MMDBWriter(ip_version, "Test-ASN", ipv4_compatible=ip_version == 6)
    for network, system in systems.items():
        record = system if isinstance(system, dict) else {"autonomous_system_number": system}
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return str(path)


def test_an_address_has_the_number_of_its_system(tmp_path: Path) -> None:
    """IPv4 and IPv6; 0 where the file says nothing, or nothing that is a number."""
    systems = {
        "192.0.2.0/24": 64500,
        "2001:db8::/32": 4_200_000_000,
        "198.51.100.0/25": {"autonomous_system_number": "64501"},
        "198.51.100.128/25": {"autonomous_system_organization": "Example"},
    }
    found = AsnFile(written(tmp_path / "asn.mmdb", systems), "SEKISHO_ASN_FILE")
    addresses = ["192.0.2.9", "2001:db8::1", "198.51.100.1", "198.51.100.200", "203.0.113.1", "2001:db9::1"]
    assert [found.of(ip_address(text).packed) for text in addresses] == [64500, 4_200_000_000, 0, 0, 0, 0]
    assert found.of(b"odd") == 0
    found.close()


def test_a_file_of_ipv4_knows_no_ipv6(tmp_path: Path) -> None:
    found = AsnFile(written(tmp_path / "four.mmdb", {"192.0.2.0/24": 64500}, ip_version=4), "SEKISHO_ASN_FILE")
    assert (found.of(bytes([192, 0, 2, 1])), found.of(ip_address("2001:db8::1").packed)) == (64500, 0)


def test_an_unreadable_file_names_the_setting_only(tmp_path: Path) -> None:
    (tmp_path / "hidden.mmdb").write_bytes(b"AS64500" * 99)
    for path in (tmp_path / "hidden.mmdb", tmp_path / "missing.mmdb"):
        with pytest.raises(SettingsError) as caught:
            AsnFile(str(path), "SEKISHO_ASN_FILE")
        assert caught.value.name == "SEKISHO_ASN_FILE"
        assert "mmdb" not in caught.value.problem
