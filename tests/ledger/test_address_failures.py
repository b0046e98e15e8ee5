"""An address at which nothing but failures is seen, for hours or days: the script, its parts and the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.ledger.receipt import pack_receipt, unpack_receipt
from sekisho.model import Charged
from tests.ledger.charges import HOUR, MINUTE, SECOND, T0, charge
from tests.ledger.ways import crowd, log_in

if TYPE_CHECKING:
    from tests.ledger.ways import Counts

FAILING = 32


def guess(counts: Counts, now_us: int, number: int, *, ip: int = 0, place: int | None = 0) -> bool:
    """One guess at an account of its own; returns whether the address was failing before."""
    verdict = counts.charge(now_us, charge(700 + number, number, ip=ip, place=place))
    return verdict.marks & FAILING != 0


def guess_hourly(counts: Counts, hours: int, *, start_us: int = T0, every_us: int = HOUR) -> list[bool]:
    return [guess(counts, start_us + n * every_us, n) for n in range(hours)]


def test_one_account_an_hour_is_found_after_five(counts: Counts) -> None:
    """It is below every limit. The address stays failing as long as it goes on."""
    assert guess_hourly(counts, 30) == [False] * 5 + [True] * 25


def test_four_at_once_suffice(counts: Counts) -> None:
    assert guess_hourly(counts, 6, every_us=SECOND) == [False] * 4 + [True] * 2


def test_one_in_four_hours_is_never_found(counts: Counts) -> None:
    """Homes where somebody mistypes now and then."""
    assert not any(guess_hourly(counts, 40, every_us=4 * HOUR))


def test_it_is_over_after_fifteen_hours_without_attempts(counts: Counts) -> None:
    guess_hourly(counts, 12)

    assert guess(counts, T0 + 11 * HOUR + 14 * HOUR, 50)
    assert not guess(counts, T0 + 25 * HOUR + 16 * HOUR, 51)


def test_another_address_is_not_failing(counts: Counts) -> None:
    guess_hourly(counts, 12)

    assert not guess(counts, T0 + 12 * HOUR, 50, ip=1)


def test_a_success_takes_its_own_part_back(counts: Counts) -> None:
    """Of a new account, which earns nothing: successes alone make no address failing, and hide no failures."""
    for n in range(12):
        assert not log_in(counts, T0 + n * HOUR, charge(n, n, place=0)).marks & FAILING

    now_us, found = T0 + 12 * HOUR, []
    for n in range(12):
        found.append(log_in(counts, now_us + n * HOUR, charge(n, n, place=0)).marks & FAILING != 0)
        guess(counts, now_us + n * HOUR + MINUTE, n)
    assert found == [False] * 5 + [True] * 7


def test_a_new_account_buys_one_guess(counts: Counts) -> None:
    """With the work for its own log-in, which is as much as the guess would have cost."""
    guess_hourly(counts, 12)
    log_in(counts, T0 + 11 * HOUR, charge(2, 2, place=0, worked=True))

    assert [guess(counts, T0 + 11 * HOUR + n * SECOND, 50 + n) for n in (2, 3, 4)] == [False, True, True]


def test_a_receipt_takes_it_back_as_well(counts: Counts) -> None:
    """A proof that is shown minutes later."""
    for n in range(12):
        own = charge(n, n, place=0)
        verdict = counts.charge(T0 + n * HOUR, own)
        counts.succeed(T0 + n * HOUR + 5 * MINUTE, *unpack_receipt(pack_receipt(own, verdict)), learns=False)
        assert verdict.marks & FAILING == 0


def test_a_success_that_earns_credit_halves_it(counts: Counts) -> None:
    """Of an account that is older than a day, once a day: a pair of a list that is right buys few more guesses."""
    log_in(counts, T0 - 30 * HOUR, charge(1, 1, place=0))
    guess_hourly(counts, 12)
    now_us = T0 + 12 * HOUR

    log_in(counts, now_us, charge(1, 1, place=0))
    assert [guess(counts, now_us + n * MINUTE, 50 + n) for n in range(1, 8)] == [False] * 2 + [True] * 5
    log_in(counts, now_us + HOUR, charge(1, 1, place=0))
    assert [guess(counts, now_us + HOUR + n * MINUTE, 60 + n) for n in range(1, 4)] == [False, True, True]


def test_a_known_device_that_earns_credit_ends_it(counts: Counts) -> None:
    log_in(counts, T0 - 30 * HOUR, charge(1, 1, place=0))
    guess_hourly(counts, 12)

    verdict = log_in(counts, T0 + 12 * HOUR, charge(1, 1, place=0, known_device=5))
    assert verdict.charged == Charged.KNOWN_DEVICE
    assert not guess(counts, T0 + 12 * HOUR + MINUTE, 50)


def test_an_address_of_many_owners_is_never_failing(counts: Counts) -> None:
    """Otherwise one bot in a carrier's network would have all newcomers there work, for days."""
    now_us = crowd(counts, 20)

    assert not any(guess(counts, now_us + n * HOUR, n) for n in range(8))


def test_where_no_history_is_kept_no_address_is_failing(counts: Counts) -> None:
    """Nothing there could say that it is an address of many owners."""
    assert not any(guess(counts, T0 + n * HOUR, n, place=None) for n in range(12))
    assert not guess(counts, T0 + 12 * HOUR, 50)


def test_requests_without_a_secret_do_not_count(counts: Counts) -> None:
    """Resets and codes that are asked for never succeed."""
    for n in range(12):
        counts.charge(T0 + n * HOUR, charge(n, None, place=0))

    assert not guess(counts, T0 + 12 * HOUR, 50)


def test_listed_addresses_do_not_count(counts: Counts) -> None:
    for n in range(12):
        counts.charge(T0 + n * HOUR, charge(n, n, place=0, exempt=True))

    assert not guess(counts, T0 + 12 * HOUR, 50)
