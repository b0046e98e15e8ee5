"""The NAT benchmark measures real log-ins of owners behind one address, through the guard."""

from __future__ import annotations

import pytest

from benchmarks.nat import Came, come, nat_table


@pytest.mark.parametrize(("owners", "worked"), [(7, 0), (30, 23)])
async def test_owners_of_a_house_all_get_in(owners: int, worked: int) -> None:
    """Row 4.5: all owners of a house get in; from the eighth account on they solve work."""
    assert await come(owners, 600, known=0.0, allowed=False) == Came(owners, owners, worked, 0)


async def test_more_than_an_address_takes_are_told_to_wait() -> None:
    """More owners at one moment than an address allows are told to wait, or the table would be constant."""
    came = await come(400, 3, known=0.0, allowed=False)

    assert came.waited > 100
    assert came.let_in < 400


async def test_devices_that_are_known_and_addresses_that_are_allowed_are_free() -> None:
    """Four hundred known devices or allowed addresses within a minute all pass without waiting."""
    known = await come(400, 60, known=1.0, allowed=False)
    allowed = await come(400, 60, known=0.0, allowed=True)

    assert (known.let_in, known.worked, known.waited) == (400, 0, 0)
    assert (allowed.let_in, allowed.waited) == (400, 0)


def test_the_table_says_how_many_of_a_hundred() -> None:
    """A row for each house, a column for each number of owners."""
    came = [
        {"owners": 10, "let_in": 10, "worked": 2, "waited": 0},
        {"owners": 200, "let_in": 50, "worked": 9, "waited": 151},
    ]
    rows = [{"house": "all known", "within": "an hour", "came": came}]

    assert nat_table({"rows": rows}) == [
        "|  | 10 owners | 200 owners |",
        "|---|---:|---:|",
        "| all known, within an hour | 100% (0%) | 25% (76%) |",
    ]
