"""An account's history, and the credit of its address: the script, its parts and the reference, one claim at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.ledger.memory import MemoryLedger
from sekisho.ledger.receipt import pack_receipt, unpack_receipt
from sekisho.ledger.settlement import learn_as
from sekisho.model import Charged, History, Marked
from sekisho.model.history import OLD
from tests.ledger.charges import DAY, HOUR, MINUTE, SECOND, T0, charge
from tests.ledger.ways import CROWD, LIMITS, crowd, log_in

if TYPE_CHECKING:
    from sekisho.model import Charge
    from tests.ledger.ways import Counts


def fill(counts: Counts, now_us: int, *, ip: int = 0) -> None:
    """Use the address up with guesses at accounts of nobody, without work."""
    for number in range(7):
        counts.charge(now_us, charge(CROWD * 9 + number, number, ip=ip, place=0))


def is_of_many(counts: Counts, now_us: int) -> bool:
    """Whether the address has credit, spent or not, once it refuses."""
    fill(counts, now_us)
    return counts.charge(now_us, charge(1, 1, place=0)).is_of_many


def history_of(counts: Counts, now_us: int, each: Charge) -> History:
    return History.unpacked(counts.charge(now_us, each).history)


def test_an_account_without_successes_has_no_history(counts: Counts) -> None:
    """Failures and successes that were not believed leave none: a guesser makes nothing familiar."""
    counts.charge(T0, charge(0, 1, place=0))
    log_in(counts, T0 + MINUTE, charge(0, 2, place=0), learns=False, earns=False)

    assert counts.charge(T0 + 2 * MINUTE, charge(0, 3, place=0)).history == 0


def test_a_network_is_known_after_a_success(counts: Counts) -> None:
    for hours in range(3):
        log_in(counts, T0 + hours * HOUR, charge(0, 0, place=1, browser=4))
    later_us = T0 + 9 * HOUR

    assert history_of(counts, later_us, charge(0, 1, place=1, browser=4)) == (3, 3, 1, True, False)
    assert history_of(counts, later_us, charge(0, 1, place=2, browser=5)) == (3, 0, 1, False, False)
    assert history_of(counts, T0 + DAY, charge(0, 1, place=1)) == (3, 3, 1, False, True)
    assert history_of(counts, later_us, charge(7, 1, place=1, browser=4)) == (0, 0, 0, False, False)


def test_a_history_ends_sixty_days_after_its_last_success(counts: Counts) -> None:
    log_in(counts, T0, charge(0, 0, place=1))
    ends_us = T0 + SECOND + 60 * DAY

    assert history_of(counts, ends_us - 1, charge(0, 1, place=1)).here == 1
    assert counts.charge(ends_us, charge(0, 2, place=1)).history == 0


def test_an_account_is_old_a_week_after_its_first_success(counts: Counts) -> None:
    """Hours are counted; further successes in between change nothing."""
    found = []
    for day in (0, 6, 7):
        before = counts.charge(T0 + day * DAY, charge(0, 0, place=1))
        found.append(before.history & OLD != 0)
        counts.succeed(T0 + day * DAY + SECOND, charge(0, 0, place=1), before)
    assert found == [False, False, True]
    assert History.unpacked(counts.charge(T0 + 8 * DAY, charge(0, 0, place=1)).history).total == 3


def test_four_networks_are_remembered(counts: Counts) -> None:
    """The one with the oldest success makes room: an owner who travels does not fill the record."""
    for hours, place in enumerate((0, 1, 2, 3, 0, 4)):
        log_in(counts, T0 + hours * HOUR, charge(0, 0, place=place))
    asked = [history_of(counts, T0 + DAY, charge(0, n, place=n)) for n in range(5)]

    assert [found.here for found in asked] == [2, 0, 1, 1, 1]
    assert {found.networks for found in asked} == {4}


def test_three_browsers_are_remembered_for_a_network(counts: Counts) -> None:
    for browser in (1, 2, 3, 4, 4):
        log_in(counts, T0, charge(0, 0, place=0, browser=browser))

    known = [history_of(counts, T0 + MINUTE, charge(0, n, place=0, browser=n)).browser_known for n in range(1, 5)]
    assert known == [False, True, True, True]


def test_eight_accounts_earn_one_attempt(counts: Counts) -> None:
    """On their second day. Seven do not, and one account that logs in eight times does not either."""
    now_us = crowd(counts, 7)
    for hours in range(3):
        log_in(counts, now_us + hours * MINUTE, charge(CROWD, 0, place=0))
    assert not is_of_many(counts, now_us + 5 * MINUTE)
    log_in(counts, now_us + 20 * MINUTE, charge(CROWD + 7, 0, place=0))
    log_in(counts, now_us + 2 * DAY, charge(CROWD + 7, 0, place=0))
    log_in(counts, now_us + 2 * DAY, charge(CROWD + 6, 0, place=0))
    assert not is_of_many(counts, now_us + 2 * DAY)


def test_credit_lets_work_in_and_is_spent(counts: Counts) -> None:
    """Over the limit, an attempt with work spends credit; without work none is spent, and the verdict says so."""
    now_us = crowd(counts, 20) + 30 * MINUTE
    fill(counts, now_us)

    for number in range(5):
        idle = counts.charge(now_us, charge(2, number, place=0))
        assert (idle.ip_wait_us > 0, idle.has_credit, idle.charged) == (True, True, 0)
    worked = [counts.charge(now_us, charge(3 + n, n, place=0, worked=True)) for n in range(4)]
    assert [verdict.ip_wait_us > 0 for verdict in worked] == [False, False, True, True]
    assert [verdict.charged & Charged.CREDIT != 0 for verdict in worked] == [True, True, False, False]


def test_a_success_gives_spent_credit_back(counts: Counts) -> None:
    """Directly, and by a receipt: a proof that is shown later gives it back as well."""
    now_us = crowd(counts, 10) + 30 * MINUTE
    fill(counts, now_us)
    own = charge(3, 0, place=0, worked=True)

    for number in range(4):
        verdict = counts.charge(now_us, own)
        assert verdict.charged & Charged.CREDIT
        if number % 2:
            counts.succeed(now_us, own, verdict, learns=False, earns=False)
        else:
            counts.succeed(now_us, *unpack_receipt(pack_receipt(own, verdict)), learns=False, earns=False)
    assert counts.charge(now_us, own).charged & Charged.CREDIT
    assert not counts.charge(now_us, own).charged & Charged.CREDIT


def attempts_on_credit(counts: Counts, now_us: int) -> int:
    """How many attempts the address has credit for, once it refuses."""
    fill(counts, now_us)
    found = [counts.charge(now_us, charge(5_000 + n, n, place=0, worked=True)) for n in range(40)]
    return sum(verdict.charged & Charged.CREDIT != 0 for verdict in found)


def log_in_for_the_first_time(counts: Counts, now_us: int, numbers: range, *, earns: bool = True) -> None:
    for number in numbers:
        log_in(counts, now_us, charge(2_000 + number, 0, place=0), earns=earns)


def test_two_new_accounts_earn_one_attempt(counts: Counts) -> None:
    """Where eight were tried within the hour: the first seven earn nothing, so a house has no credit to spend."""
    log_in_for_the_first_time(counts, T0, range(7))
    assert attempts_on_credit(counts, T0 + SECOND) == 0
    log_in_for_the_first_time(counts, T0 + 11 * MINUTE, range(7, 7 + 6))

    assert attempts_on_credit(counts, T0 + 11 * MINUTE + SECOND) == 3


def test_a_new_account_earns_once(counts: Counts) -> None:
    """Its next success is not its first; log-ins at the same moment count once at the address."""
    log_in_for_the_first_time(counts, T0, range(10))
    for minutes in range(1, 6):
        log_in_for_the_first_time(counts, T0 + minutes * MINUTE, range(10))
    own = charge(2_010, 0, place=0)
    for verdict in [counts.charge(T0 + 7 * MINUTE, own) for _ in range(3)]:
        counts.succeed(T0 + 7 * MINUTE, own, verdict)

    assert attempts_on_credit(counts, T0 + 7 * MINUTE) == 1  # of the four that earned, as some time has passed


def test_new_accounts_make_no_address_one_of_many_owners(counts: Counts) -> None:
    """Once their credit is spent, nobody is spared there, however many an attacker registers."""
    log_in_for_the_first_time(counts, T0, range(20))
    while counts.charge(T0 + MINUTE, charge(4, 4, place=0, worked=True)).charged:
        pass

    found = counts.charge(T0 + MINUTE, charge(2_019, 3, place=0, worked=True))
    assert (found.ip_wait_us > 0, found.is_spared, found.marks & (Marked.SHARED | Marked.CREDIT)) == (True, False, 0)


def test_what_is_sealed_earns_nothing_before_its_proof(counts: Counts) -> None:
    """A right password behind a seal is settled without credit; the proof's receipt says that it was the first."""
    log_in_for_the_first_time(counts, T0, range(7), earns=False)
    own = [charge(2_100 + n, n, place=0) for n in range(5)]
    sealed = [pack_receipt(each, counts.charge(T0 + MINUTE, each)) for each in own]
    assert attempts_on_credit(counts, T0 + MINUTE) == 0

    for each, receipt in zip(own, sealed, strict=True):
        charged, verdict = unpack_receipt(receipt)
        counts.succeed(T0 + 2 * MINUTE, charged._replace(place=each.place), verdict)
    assert attempts_on_credit(counts, T0 + 2 * MINUTE) == 2


def test_an_account_of_which_nothing_is_known_is_not_new(counts: Counts) -> None:
    """While the store is away, each account seems to be new: its success earns nothing."""
    log_in_for_the_first_time(counts, T0, range(8))
    for number in range(8, 12):
        own = charge(2_000 + number, 0, place=0)
        counts.succeed(T0, own, counts.charge(T0, own)._replace(counters_lost=True))

    assert attempts_on_credit(counts, T0 + SECOND) == 0


def test_parallel_log_ins_of_one_account_earn_once(counts: Counts) -> None:
    """All were charged before the first was settled, so all may earn; the address counts the account once."""
    crowd(counts, 1, days=1)
    own, later_us = charge(CROWD, 0, place=0), T0 + 2 * DAY
    verdicts = [counts.charge(later_us, own) for _ in range(5)]
    assert all(verdict.marks for verdict in verdicts)
    for verdict in verdicts * 4:
        counts.succeed(later_us, own, verdict)

    assert not is_of_many(counts, later_us)


def test_an_account_known_at_a_shared_address_is_spared(counts: Counts) -> None:
    """Without credit, others' guesses at the address do not bind it. Its own limit does, and is charged."""
    now_us = crowd(counts, 20) + 30 * MINUTE
    fill(counts, now_us)
    while counts.charge(now_us, charge(4, 4, place=0, worked=True)).charged & Charged.CREDIT:
        pass
    known, unknown = charge(CROWD + 1, 7, place=0), charge(8, 7, place=0)

    verdict = counts.charge(now_us, known)
    assert (verdict.is_spared, verdict.ip_wait_us > 0) == (True, True)
    assert verdict.charged == Charged.ACCOUNT | Charged.FAILURES
    assert not counts.charge(now_us, unknown).is_spared
    elsewhere = charge(CROWD + 1, 7, place=5)
    assert not counts.charge(now_us, elsewhere).is_spared
    guesses = [counts.charge(now_us + 3 * SECOND, charge(CROWD + 1, n, place=0)).is_spared for n in range(10)]
    assert guesses == [True] * 4 + [False] * 6


def test_an_unknown_account_is_tried_there_within_its_own_limit(counts: Counts) -> None:
    """Where a proof will be asked for: its owner comes there for the first time, or a bot guesses."""
    now_us = crowd(counts, 20) + 30 * MINUTE
    fill(counts, now_us)
    while counts.charge(now_us, charge(4, 4, place=0, worked=True)).charged & Charged.CREDIT:
        pass

    verdict = counts.charge(now_us, charge(8, 7, place=0, tries=True))
    assert (verdict.is_spared, verdict.ip_wait_us > 0) == (True, True)
    assert verdict.charged == Charged.ACCOUNT | Charged.FAILURES
    guesses = [counts.charge(now_us + 3 * SECOND, charge(8, n, place=0, tries=True)).is_spared for n in range(10)]
    assert guesses == [True] * 4 + [False] * 6


def test_a_success_is_learned_under_another_name_without_anything_else() -> None:
    """Of strangers' attempts there, or of devices' own: no charge is given back, and no credit earned."""
    now_us = [T0]
    counts = MemoryLedger(LIMITS, entries_max=100, clock_us=lambda: now_us[0])
    stranger = charge(5, 0, place=2)
    own = stranger._replace(account=charge(6).account)
    before = counts.charge_now(own)
    now_us[0] += SECOND
    learn_as(counts, own.account, stranger, counts.charge_now(stranger))

    now_us[0] += 4 * SECOND
    found = counts.charge_now(own)
    assert (before.history, History.unpacked(found.history)) == (0, History(1, 1, 1, False, True))
    assert found.failures == before.failures
    assert counts.charge_now(stranger).history == 0


def test_an_address_of_few_tries_no_unknown_account(counts: Counts) -> None:
    now_us = crowd(counts, 3) + 30 * MINUTE
    fill(counts, now_us)

    verdict = counts.charge(now_us, charge(8, 7, place=0, tries=True))
    assert (verdict.marks & 11, verdict.charged, verdict.ip_wait_us > 0) == (0, 0, True)


def test_an_address_of_few_spares_nobody(counts: Counts) -> None:
    """At a home, a guesser behind the same address is refused as before, at every account."""
    now_us = crowd(counts, 3) + 30 * MINUTE
    fill(counts, now_us)

    verdict = counts.charge(now_us, charge(CROWD + 1, 7, place=0))
    assert (verdict.marks & 11, verdict.charged, verdict.ip_wait_us > 0) == (0, 0, True)


def test_credit_decays(counts: Counts) -> None:
    now_us = crowd(counts, 10)

    assert is_of_many(counts, now_us)
    assert is_of_many(counts, now_us + 11 * HOUR)
    assert not is_of_many(counts, now_us + 13 * HOUR)


def test_attempts_without_a_place_see_no_credit(counts: Counts) -> None:
    """Where no history is kept, an address has its limits alone."""
    now_us = crowd(counts, 20)
    fill(counts, now_us)

    assert counts.charge(now_us, charge(CROWD, 1)).marks == 0


def test_a_known_device_has_the_same_history(counts: Counts) -> None:
    """A device with a bucket of its own may be judged by its account's history, like a stranger."""
    now_us = T0
    log_in(counts, now_us, charge(1, 0, place=0))
    for known_device in (None, 7):
        now_us += MINUTE
        verdict = counts.charge(now_us, charge(1, 0, known_device=known_device, place=0))
        assert (verdict.charged == Charged.KNOWN_DEVICE) is (known_device is not None)
        here = History.unpacked(verdict.history)
        away = History.unpacked(counts.charge(now_us, charge(1, 0, known_device=known_device, place=1)).history)
        assert (here.total, here.here, away.total, away.here) == (1, 1, 1, 0)
