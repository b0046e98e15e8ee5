"""The load and ratios of `benchmarks.refusals`."""

from __future__ import annotations

from benchmarks.refusals import LOADS, ratios


def test_ratios_are_to_the_404_of_the_same_tree() -> None:
    """Ratios are to the 404 of the same tree, or two versions of Starlette would be compared."""
    found = {"404": {"base": 200.0, "here": 100.0}, "shed": {"base": 300.0, "here": 110.0}}

    assert ratios(found)["shed"] == {"base": 1.5, "here": 1.1}


def test_a_shed_flood_comes_from_one_address_and_others_from_many() -> None:
    """A shed flood comes from one address over its limits, others from many."""
    one, many = LOADS["shed"], LOADS["work, JSON"]

    assert one.request(1).count(b"198.51.100.7") == one.request(2).count(b"198.51.100.7") == 1
    assert len({line for n in range(50) for line in many.request(n).split(b"\r\n") if b"Forwarded" in line}) == 50
