"""Any request of 64 KiB is read within two milliseconds, counted in instructions, which other load does not change."""

from __future__ import annotations

from benchmarks import measure
from benchmarks.hostile import Reader, cases, chosen, counted, mixtures


def test_no_request_costs_more_than_two_milliseconds_to_read() -> None:
    """Reading takes six million instructions at most, for any repeated part of query, form, JSON, multipart, headers or
    path.
    """
    measure.require("valgrind")
    found = counted()
    assert len(found) == 30
    assert {name: total for name, total in found.items() if total > 6_000_000} == {}


def test_whatever_is_sent_is_read_or_refused() -> None:
    """Random texts are read or refused, and raise nothing else."""
    reader = Reader()
    assert {reader.read(case) for case in cases(mixtures(30))} > {"read", "json_malformed", "account_missing"}


def test_the_same_requests_are_counted_each_time() -> None:
    """The same requests are counted each time: the random seed is fixed."""
    assert [case.name for case in chosen()] == [case.name for case in chosen()]
