"""From a scope and a body to a charge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.micro.sample import ACCOUNTS, ADDRESSES, DIGESTS, DOORS, FORM, JSON, attempt, scope
from sekisho.model import Credentials, Outcome
from sekisho.read import from_start, read_credentials

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

FORM_SCOPE = scope(b"application/x-www-form-urlencoded")


def test_find_the_door(benchmark: BenchmarkFixture) -> None:
    """A request at a guarded path is matched with its door."""
    assert benchmark(DOORS.find, FORM_SCOPE)


def test_find_no_door(benchmark: BenchmarkFixture) -> None:
    """Every other request pays this, and should hardly notice."""
    assert benchmark(DOORS.find, {**FORM_SCOPE, "path": "/articles/12", "method": "GET"}) is None


@pytest.mark.parametrize("address", [b"198.51.100.7", b"2001:db8:7::1", b"10.0.0.9, 198.51.100.7"])
def test_read_the_origin(benchmark: BenchmarkFixture, address: bytes) -> None:
    """Address behind one trusted proxy, its prefixes, and the device's headers."""
    assert benchmark(ADDRESSES.read, scope(b"", address=address)).address in {"198.51.100.7", "2001:db8:7::1"}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [(b"application/x-www-form-urlencoded", FORM), (b"application/json", JSON)],
    ids=["form", "json"],
)
def test_read_the_credentials(benchmark: BenchmarkFixture, content_type: bytes, body: bytes) -> None:
    """Account and secret from a strictly read body."""
    here: dict[str, Any] = scope(content_type)

    found = benchmark(read_credentials, DOORS.find(here), here, body)

    assert found == Credentials("user0000001@mail.example", "wrong0000001", "")


@pytest.mark.parametrize("account", ["user0000001@mail.example", "Ｕｓｅｒ@mail.example"], ids=["plain", "full-width"])
def test_canonical_account(benchmark: BenchmarkFixture, account: str) -> None:
    """What an account is counted under."""
    assert benchmark(ACCOUNTS.canonical, account)


def test_origin_digests(benchmark: BenchmarkFixture) -> None:
    """Address, device and network: all that shedding needs."""
    assert len(benchmark(DIGESTS.origin_digests, attempt().origin).ids) == 3


def test_charge(benchmark: BenchmarkFixture) -> None:
    """The other digests and tags, where those of the origin are known."""
    one = attempt()
    known = DIGESTS.origin_digests(one.origin)

    assert benchmark(DIGESTS.charge, one, origin=known).ip == known.ip


def test_outcome_of_a_failure(benchmark: BenchmarkFixture) -> None:
    """Status and headers of a 401, at a door without rules."""
    door = attempt().door

    assert (
        benchmark(from_start, door, 401, [(b"content-type", b"application/json")], {"path": "/login"}) is Outcome.FAILED
    )
