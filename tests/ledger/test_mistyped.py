"""Typing errors that a success forgives at the address: which are noted, for how long, and for whom."""

from __future__ import annotations

import pytest

from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.ledger.memory import MemoryLedger
from sekisho.ledger.mistyped import Mistyped
from sekisho.ledger.receipt import pack_receipt
from sekisho.ledger.settlement import forgive
from sekisho.model import Charge, Charged, Limit, Verdict
from tests.ledger.charges import HOUR
from tests.ledger.stores import only

NOW_US = 1_764_401_409_000_000
SECOND = 1_000_000
OFFICE, HOME = b"the office addr.", b"an owner's home."
HANA, BOB = b"hana at\x01", b"bob at \x01"
EVERYTHING = Charged.NETWORK | Charged.ACCOUNT | Charged.FAILURES


def charge(place: bytes = HANA, ip: bytes = OFFICE, device: bytes = b"a fingerprint  .") -> Charge:
    tag = b"tag."
    return Charge(b"n" * 16, (b"n" * 16,), ip, device, b"a" * 16, b"", 0, tag, tag, tag, tag, tag, place=place)


def place(n: int) -> bytes:
    return n.to_bytes(7) + b"\1"


def verdict(charged: int = EVERYTHING, at_us: int = NOW_US) -> Verdict:
    return UNHINDERED._replace(at_us=at_us, charged=charged, tagged=64)


def test_a_success_forgives_what_was_mistyped_at_its_address_once() -> None:
    """What the account was charged, and its tags, stay."""
    mistyped = Mistyped()
    mistyped.note(charge(), verdict(), b"", is_wrong=True)
    mistyped.note(charge(), verdict(Charged.CREDIT | Charged.ACCOUNT), b"receipt", is_wrong=True)

    found = mistyped.forgiven(charge(), HANA)

    assert [(each.verdict.charged, each.verdict.tagged, each.work_receipt) for each in found] == [
        (1, 0, b""),
        (16, 0, b"receipt"),
    ]
    assert mistyped.forgiven(charge(), HANA) == ()


@pytest.mark.parametrize(
    ("success", "place"),
    [(charge(ip=HOME), HANA), (charge(), BOB), (charge(device=b"another finger. "), HANA), (charge(), b"")],
)
def test_nothing_is_forgiven_for_another_account_address_or_fingerprint(success: Charge, place: bytes) -> None:
    mistyped = Mistyped()
    mistyped.note(charge(), verdict(), b"", is_wrong=True)

    assert mistyped.forgiven(success, place) == ()
    assert len(mistyped.forgiven(charge(), HANA)) == 1


def test_a_right_secret_is_not_forgiven_twice() -> None:
    """Its own proof gives its charge back."""
    mistyped = Mistyped()
    mistyped.note(charge(), verdict(), b"", is_wrong=False)

    assert mistyped.forgiven(charge(), HANA) == ()


@pytest.mark.parametrize("charged", [0, Charged.ACCOUNT | Charged.FAILURES, Charged.KNOWN_DEVICE])
def test_only_what_the_address_was_charged_is_noted(charged: int) -> None:
    mistyped = Mistyped()
    mistyped.note(charge(), verdict(charged), b"", is_wrong=True)
    mistyped.note(charge(place=b""), verdict(), b"", is_wrong=True)

    assert mistyped.forgiven(charge(), HANA) == mistyped.forgiven(charge(), b"") == ()


def test_of_one_place_the_last_five_are_kept() -> None:
    mistyped = Mistyped()
    for n in range(9):
        mistyped.note(charge(), verdict(at_us=NOW_US + n), b"", is_wrong=True)

    assert [each.verdict.at_us - NOW_US for each in mistyped.forgiven(charge(), HANA)] == [4, 5, 6, 7, 8]


@pytest.mark.parametrize(("after_s", "found"), [(1_799, 1), (1_801, 1), (3_602, 0)])
def test_what_was_mistyped_half_an_hour_ago_is_kept_and_an_hour_ago_is_not(after_s: int, found: int) -> None:
    mistyped = Mistyped()
    mistyped.note(charge(), verdict(), b"", is_wrong=True)
    for part in (1, 2):
        later_us = NOW_US + after_s * SECOND * part // 2
        mistyped.note(charge(BOB), verdict(at_us=later_us), b"", is_wrong=True)

    assert len(mistyped.forgiven(charge(), HANA)) == found


def test_a_clock_that_is_set_back_forgets_nothing_at_once() -> None:
    mistyped = Mistyped()
    mistyped.note(charge(), verdict(), b"", is_wrong=True)
    mistyped.note(charge(BOB), verdict(at_us=NOW_US - 86_400 * SECOND), b"", is_wrong=True)

    assert len(mistyped.forgiven(charge(), HANA)) == len(mistyped.forgiven(charge(), BOB)) == 1


def test_attempts_that_end_out_of_order_forget_nothing() -> None:
    """Two that were charged just before the turn of the half hour end after it; so do nodes with clocks apart."""
    mistyped = Mistyped()
    mistyped.note(charge(), verdict(), b"", is_wrong=True)
    for after_us in (1_800 * SECOND, 1_799 * SECOND, 1_798 * SECOND):
        mistyped.note(charge(BOB), verdict(at_us=NOW_US + after_us), b"", is_wrong=True)

    assert len(mistyped.forgiven(charge(), HANA)) == 1


def test_what_was_sealed_is_forgiven_to_the_same_browser_alone() -> None:
    """A mistake that was answered at once is forgiven to any browser with the fingerprint."""
    mistyped = Mistyped()
    for browser_key in ("hers", "a neighbour's", ""):
        mistyped.note(charge(), verdict(), b"", browser_key, is_wrong=True)

    found = [len(mistyped.forgiven(charge(), HANA, key)) for key in ("hers", "hers", "", "a neighbour's")]
    assert found == [2, 0, 0, 1]


def test_the_question_before_a_mistake_is_given_back_at_the_address_alone() -> None:
    """The guess stands at the account: its owner's log-ins from that address would pay for guesses of a neighbour."""
    three, now_us = (Limit(3, HOUR),), [NOW_US]
    ledger = MemoryLedger(only(ip=three, account=three), entries_max=99, clock_us=lambda: now_us[0])
    mistyped = Mistyped()
    asked = ledger.charge_now(charge())
    now_us[0] += 3 * SECOND
    mistyped.note(charge(), ledger.charge_now(charge()), pack_receipt(charge(), asked), is_wrong=True)

    forgive(ledger, mistyped, charge(), HANA)

    elsewhere = [ledger.charge_now(charge(ip=HOME)._replace(pair_tag=b"%04d" % n)) for n in range(3)]
    assert [each.account_wait_us > 0 for each in elsewhere] == [False, False, True]
    others = [ledger.charge_now(charge()._replace(account=b"a neighbour's ac")) for _ in range(4)]
    assert [each.ip_wait_us > 0 for each in others] == [False, False, False, True]


def test_a_flood_displaces_the_oldest() -> None:
    """Two thousand places are kept at most, and a thousand at least."""
    mistyped = Mistyped()
    for n in range(5_000):
        mistyped.note(charge(place(n)), verdict(), b"", is_wrong=True)

    kept = sum(len(mistyped.forgiven(charge(), place(n))) for n in range(5_000))
    assert 1_024 <= kept <= 2_048
    assert mistyped.forgiven(charge(), place(0)) == ()
