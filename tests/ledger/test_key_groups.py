"""A charge in parts: in any order of parts no more attempts pass, and unintended charges are taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.crc import key_slot

from sekisho.ledger import arithmetic as ledger
from sekisho.ledger.arithmetic import TRIED_CAP
from sekisho.ledger.gcra import fitted, one_more
from sekisho.ledger.key_groups import Families, GroupAnswer
from sekisho.ledger.redis import ACCOUNT, NETWORK, SECRET
from sekisho.model import Charge, Charged, Limit, Verdict
from tests.ledger.charges import HOUR, LIMITS, MINUTE, SECOND, T0, charge
from tests.ledger.stores import KEYS, LuaLedger, PartedLedger, let_in, only

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from sekisho.ledger.key_groups import Part
    from sekisho.ledger.records import Record
    from tests.servers import RedisServer

FAMILIES = Families("t")
MINE = charge(0, 1, ip=1)
FULL = only(ip=(Limit(1, HOUR),), account=(Limit(5, HOUR),))  # one attempt from an address, and it is over its limit


@pytest.fixture(scope="module")
def parted(redis_server: RedisServer) -> Iterator[PartedLedger]:
    lua = LuaLedger(redis_server, LIMITS)
    yield PartedLedger(lua)
    lua.close()


@pytest.fixture(autouse=True)
def _anew(parted: PartedLedger) -> None:
    parted.lua.start_anew()
    parted.lua.limit(LIMITS)


class Issuer:
    """An attempt under way: unasked parts, then its compensation, in the order that a test chooses."""

    def __init__(self, parted: PartedLedger, charge: Charge) -> None:
        self._parted = parted
        self.charge = charge
        self.answers: dict[int, GroupAnswer] = {}
        self.waiting = FAMILIES.first(charge)
        self.verdict: Verdict | None = None
        self.compensations: list[Part] = []

    def ask(self, now_us: int, place: int = 0) -> None:
        self._parted.ask(now_us, [self.waiting.pop(place % len(self.waiting))], self.answers)
        if not self.waiting:
            asked = len(self.answers)
            self.waiting = [part for part in FAMILIES.rest(self.charge, self.answers) if asked == 1]
        if not self.waiting:
            self.verdict, self.compensations = FAMILIES.combine(self.charge, self.answers)

    def compensate(self, now_us: int) -> None:
        self._parted.tell_each(now_us, self.compensations)


def account(parted: PartedLedger, each: Charge = MINE) -> Record:
    (record,) = parted.lua.records([KEYS.account(each)])
    return record


# Which families are asked, and when.


@pytest.mark.parametrize("v6", [False, True])
def test_a_strangers_families_are_asked_at_once_each_in_a_slot_of_its_own(v6: bool) -> None:
    """A stranger's families are asked at once, each in one slot: no script touches two nodes."""
    each = charge(3, 4, v6=v6)
    parts = FAMILIES.first(each)

    assert [part.family for part in parts] == [NETWORK, ACCOUNT, SECRET]
    assert [len({key_slot(key) for key in part.keys}) for part in parts] == [1, 1, 1]
    assert [key for part in parts for key in part.keys if key != KEYS.bucket(each)] == KEYS.of(each)
    assert FAMILIES.rest(each, {}) == []


def test_a_device_in_its_bucket_asks_its_account_and_nobody_else(parted: PartedLedger) -> None:
    """A device in its bucket, the commonest log-in, asks its account alone in one operation."""
    known = charge(0, 1, known_device=1)
    answers: dict[int, GroupAnswer] = {}
    first = FAMILIES.first(known)
    parted.ask(T0, first, answers)

    assert [part.family for part in first] == [ACCOUNT]
    assert FAMILIES.rest(known, answers) == []
    assert FAMILIES.combine(known, answers)[0].charged == Charged.KNOWN_DEVICE


def test_a_device_without_room_in_its_bucket_asks_the_others_then(parted: PartedLedger) -> None:
    """A device without room in its bucket then asks the other families, and is charged as a stranger."""
    known = charge(0, 1, known_device=1)
    *_, verdict = (parted.charge(T0, known) for _ in range(4))

    assert verdict.charged == Charged.NETWORK | Charged.ACCOUNT | Charged.FAILURES
    assert verdict.known_device_wait_us > 0


def test_doors_without_account_or_secret_ask_for_none() -> None:
    """Doors without an account or a secret ask no family for it."""
    assert [part.family for part in FAMILIES.first(MINE._replace(secret=b""))] == [NETWORK, ACCOUNT]
    assert [part.family for part in FAMILIES.first(MINE._replace(account=b"", secret=b""))] == [NETWORK]


# In any order.


def play(parted: PartedLedger, attempts: list[Charge], chance: Random, lost: set[int]) -> list[Issuer]:
    """Run all parts and compensations in any order; `lost` compensations never arrive."""
    every = [Issuer(parted, each) for each in attempts]
    under_way = list(enumerate(every))
    while under_way:
        number, asking = chance.choice(under_way)
        if asking.waiting:
            asking.ask(T0, chance.randrange(3))
        else:
            under_way.remove((number, asking))
            if number not in lost:
                asking.compensate(T0)
    return every


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    chance=st.randoms(use_true_random=False),
    ips=st.lists(st.integers(0, 3), min_size=1, max_size=24),
    known_devices=st.sets(st.integers(0, 23)),
    lost=st.sets(st.integers(0, 23)),
)
def test_side_by_side_no_more_are_let_in_and_at_rest_the_totals_agree(
    parted: PartedLedger, chance: Random, ips: list[int], known_devices: set[int], lost: set[int]
) -> None:
    """R9, invariant 1: in parallel at most five pass at an account, six at an address, three in a bucket; refused ones
    weigh nothing.
    """
    parted.lua.start_anew()
    attempts = [
        charge(0, number % 7, ip=ip, known_device=number % 2 if number in known_devices else None)
        for number, ip in enumerate(ips)
    ]
    every = play(parted, attempts, chance, lost)
    verdicts = [asking.verdict for asking in every if asking.verdict]
    strangers = [verdict for verdict in verdicts if not verdict.charged & Charged.KNOWN_DEVICE]

    assert let_in(strangers) <= 5
    for ip in set(ips):
        here = [asking.verdict for asking in every if asking.charge.ip == charge(ip=ip).ip]
        assert sum(verdict is not None and verdict.charged & Charged.NETWORK for verdict in here) <= 6
    stand = sum(
        any(part.family == ACCOUNT for part in asking.compensations) and number in lost
        for number, asking in enumerate(every)
    )
    charged = sum(verdict.charged & Charged.FAILURES > 0 for verdict in verdicts)
    taken = sum(verdict.charged & Charged.ACCOUNT > 0 for verdict in verdicts)
    record = account(parted)
    assert charged <= record.failures <= charged + stand
    tat = max((*record.tats, T0))
    interval = LIMITS.account[-1].interval_us
    assert taken * interval <= tat - T0 <= (taken + stand) * interval


steps = st.sampled_from([0, 1, SECOND, MINUTE, 6 * MINUTE])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(moves=st.lists(st.tuples(st.sampled_from(["pay", "refused", "take back"]), steps), max_size=40))
def test_taking_back_never_leaves_less_than_the_others_charged(
    parted: PartedLedger, moves: list[tuple[str, int]]
) -> None:
    """R8: a compensation, however late, leaves no less than others were charged."""
    parted.lua.start_anew()
    parted.lua.limit(FULL)
    over = charge(0, 0, ip=9)
    parted.charge(T0, over._replace(account=b""))
    now_us, others, refused = T0, tuple[int, ...](), list[Issuer]()
    for number, (move, step) in enumerate(moves):
        now_us += step
        if move == "pay":
            verdict = parted.charge(now_us, charge(0, number, network=1 + number))
            if verdict.charged & Charged.ACCOUNT:
                _, others, _ = one_more(others, FULL.account, now_us)
        elif move == "refused":
            asking = Issuer(parted, over)
            while asking.waiting:
                asking.ask(now_us)
            refused.append(asking)
        elif refused:
            refused.pop(0).compensate(now_us)

    found = fitted(account(parted).tats, FULL.account, now_us)
    assert found >= fitted(others, FULL.account, now_us)


# Compensation, case by case.


def refuse(parted: PartedLedger, each: Charge, now_us: int = T0) -> Issuer:
    """An attempt from an address over its limit, asked and not yet compensated."""
    parted.lua.limit(FULL)
    parted.charge(now_us, each._replace(account=b"", secret=b""))
    asking = Issuer(parted, each)
    while asking.waiting:
        asking.ask(now_us)
    assert asking.compensations
    return asking


def test_what_nobody_touched_since_is_as_it_was(parted: PartedLedger) -> None:
    """A compensated record without later changes is as before, even a full set of pairs that had dropped its oldest."""
    parted.lua.limit(only(account=(Limit(20, HOUR),)))
    for number in range(TRIED_CAP):
        parted.charge(T0, charge(0, 10 + number, network=number + 1))
    before = account(parted)

    refuse(parted, MINE, T0 + SECOND).compensate(T0 + MINUTE)

    after = account(parted)
    assert (after.tats, after.at_us, after.failures, after.tried) == (
        before.tats,
        before.at_us,
        before.failures,
        before.tried,
    )


def test_lost_the_charge_stands(parted: PartedLedger) -> None:
    """A lost compensation leaves the account's charge, as any failure does; the refused address is not charged."""
    asking = refuse(parted, MINE)

    assert asking.verdict is not None
    assert asking.verdict.charged == 0
    assert account(parted).failures == 1


def test_what_a_success_took_out_does_not_come_back(parted: PartedLedger) -> None:
    """R12: a pair removed by a success does not return with a compensation that had displaced it."""
    parted.lua.limit(only(account=(Limit(20, HOUR),)))
    owners = charge(0, 99, network=3)
    verdict = parted.charge(T0, owners)
    for number in range(TRIED_CAP - 1):
        parted.charge(T0, charge(0, 10 + number, network=number + 5))
    asking = refuse(parted, MINE)
    parted.settle(T0, owners, verdict)

    asking.compensate(T0)

    assert owners.pair_tag not in account(parted).tried.young
    assert account(parted).failures == TRIED_CAP - 1


def test_a_pair_that_is_being_tried_stays_young(parted: PartedLedger) -> None:
    """A pair under way stays young, or compensating one attempt would make another's repeats free."""
    asking = refuse(parted, MINE)
    under_way = charge(0, 2, network=1)
    parted.charge(T0, under_way)
    asking.compensate(T0)

    repeated = parted.charge(T0 + SECOND, charge(0, 2, network=2))

    assert repeated.charged & Charged.ACCOUNT


def test_each_family_is_settled_by_its_own_clock(parted: PartedLedger) -> None:
    """Each family is settled by the clock that it was charged by, even an hour apart."""
    ahead = HOUR
    answers: dict[int, GroupAnswer] = {}
    for part in FAMILIES.first(MINE):
        parted.ask(T0 + (ahead if part.family == ACCOUNT else 0), [part], answers)
    verdict, _ = FAMILIES.combine(MINE, answers)

    for part in FAMILIES.settlements(MINE, verdict):
        parted.tell(T0 + (ahead if part.family == ACCOUNT else 0), [part])

    assert (verdict.at_us, verdict.account_at_us) == (T0, T0 + ahead)
    assert parted.lua.records(KEYS.network(MINE)) == [
        record._replace(tats=(T0,) * len(record.tats)) for record in parted.lua.records(KEYS.network(MINE))
    ]
    assert account(parted).tats == (T0 + ahead,) * len(LIMITS.account)


def test_a_family_judged_elsewhere_is_believed_and_not_told(parted: PartedLedger) -> None:
    """A family judged by local counters, as its node is gone, is not compensated in Redis."""
    answers: dict[int, GroupAnswer] = {}
    parted.ask(T0, [part for part in FAMILIES.first(MINE) if part.family != ACCOUNT], answers)
    network = answers[NETWORK].verdict._replace(ip_wait_us=SECOND, charged=0)
    local = ledger.UNHINDERED._replace(at_us=T0, charged=Charged.ACCOUNT, counters_lost=True)

    verdict, compensations = FAMILIES.combine(
        MINE, answers | {NETWORK: answers[NETWORK]._replace(verdict=network), ACCOUNT: GroupAnswer(local)}
    )

    assert (verdict.ip_wait_us, verdict.charged, verdict.counters_lost) == (SECOND, 0, True)
    assert [part.family for part in compensations] == [SECRET]
