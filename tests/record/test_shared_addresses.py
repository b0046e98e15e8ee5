"""Shared addresses: owners who are refused for others' attempts are found, an attacker's own address is marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sekisho.record import Event, Kind, Subject
from sekisho.record.shared_addresses import RefusedHour, shared_addresses_in
from tests.record.test_campaigns import DOOR, digest, settled, subject

if TYPE_CHECKING:
    from sekisho.record.shared_addresses import FoundShared

HOUR_US = 3_600_000_000
NINE_US = 490_111 * HOUR_US
OFFICE = "203.0.113.9"


def refused(account: str, hours: float = 0, reason: str = "ip_rate", mode: str = "enforce", **more: Any) -> Event:
    at_us = NINE_US + int(hours * HOUR_US)
    who = subject(account, **more)
    return Event(Kind.DECIDED, at_us, DOOR, mode=mode, action="throttle", reasons=(reason,), subject=who)


def unread(times: int, hours: float = 0) -> Event:
    """Refusals that were not read, of one client."""
    event = refused("", hours, reason="shed")
    return event._replace(times=times, subject=Subject(network="203.0.113.0/24", address=digest(OFFICE)))


def office(count: int, **more: Any) -> list[Event]:
    """Owners who log in from the office, each once."""
    return [settled(f"owner {n}", "succeeded", **more) for n in range(count)]


def found(*events: Event) -> FoundShared:
    return shared_addresses_in(lambda: events)


def test_owners_who_are_refused_at_one_address_are_counted_by_the_hour() -> None:
    """Six have logged in from it; four are refused at nine, one of them twice, and three at eleven."""
    at_nine = [refused(f"owner {n}", 0.1 * n) for n in (0, 1, 2, 3, 3)]
    at_eleven = [refused(f"owner {n}", 2.5, reason="network_rate") for n in (0, 1, 4)]
    (one,) = found(*at_nine, *office(6), *at_eleven).addresses

    assert (one.address, one.network) == (digest(OFFICE), "203.0.113.0/24")
    assert (one.owners, one.refused, one.refusals) == (6, 5, 8)
    assert one.reasons == (("ip_rate", 5), ("network_rate", 3))
    assert one.hours == (RefusedHour(NINE_US, 4, 0), RefusedHour(NINE_US + 2 * HOUR_US, 3, 0))
    assert (one.others, one.watched, one.unread) == (0, 0, 0)
    assert not one.has_attacker


def test_an_attempt_that_was_not_read_counts_beside_an_owners() -> None:
    """A worker that has refused an address refuses the next attempts without reading them: nobody knows whose."""
    assert found(*office(5), unread(40)).addresses == ()
    assert found(*office(5), refused("owner 0"), unread(1)).addresses == ()
    (one,) = found(*office(5), refused("owner 0"), unread(2), unread(1, hours=5)).addresses
    assert one.hours == (RefusedHour(NINE_US, 1, 2),)
    assert (one.refusals, one.unread) == (1, 3)


def test_a_family_is_no_shared_address() -> None:
    """Four owners; or three who are refused in three hours."""
    assert found(*office(4), *(refused(f"owner {n}") for n in range(4))).addresses == ()
    assert found(*office(6), *(refused(f"owner {n}", n) for n in range(3))).addresses == ()


def test_only_those_who_have_logged_in_there_are_its_owners() -> None:
    """Victims of a list, and owners elsewhere, are refused at an attacker's address every day."""
    elsewhere = [refused(f"owner {n}", address="198.51.100.1") for n in range(9)]
    withheld = office(9, reasons=("withheld",))
    here = [refused(f"owner {n}") for n in range(9)]

    assert found(*office(9), *elsewhere).addresses == ()
    assert found(*withheld, *here).addresses == ()
    proved = [Event(Kind.STEP_UP_PROVED, NINE_US, DOOR, purpose="login", factor="totp", subject=subject(f"owner {n}"))
              for n in range(9)]  # fmt: skip
    assert found(*withheld, *proved, *here).addresses[0].refused == 9


def test_limits_of_an_account_are_not_those_of_its_address() -> None:
    """`sekisho allow` would not help."""
    assert found(*office(6), *(refused(f"owner {n}", reason="account_rate") for n in range(6))).addresses == ()


def test_an_address_where_most_is_guessed_is_marked() -> None:
    """An operator who allows it lets the guesses through: half is the border."""
    owners = [refused(f"owner {n}") for n in range(5)]
    failed = [settled(f"victim {n}", "failed") for n in (1, 2, 3, 3, 3)]
    asked = [refused(f"victim {n}")._replace(action="challenge") for n in (3, 4, 5)]

    assert found(*office(5), *owners, *failed, *asked, refused("victim 6")).addresses[0].has_attacker
    (one,) = found(*office(5), *owners, *failed, *asked).addresses
    assert (one.others, one.has_attacker) == (5, False)


def test_what_only_would_have_been_refused_is_told_apart() -> None:
    """The first weeks in monitor are for finding such addresses."""
    (one,) = found(*office(5), *(refused(f"owner {n}", mode="monitor") for n in range(4))).addresses

    assert (one.refusals, one.watched) == (4, 4)


def test_sums_and_the_bound_are_told() -> None:
    """A sum of many clients names no address. Memory is bounded: what came more often than `error` was looked at."""
    many = [
        settled(f"guest {n}", "succeeded", address=f"10.{n // 65_536}.{n // 256 % 256}.{n % 256}")
        for n in range(140_000)
    ]
    busy = [event for event in office(6) for _ in range(3)]
    told = found(*many, *busy, unread(40)._replace(subject=Subject()), *(refused(f"owner {n}") for n in range(6)))

    assert found().error == 4
    assert (told.summed, told.error) == (40, 4)
    assert [one.refused for one in told.addresses] == [6]
