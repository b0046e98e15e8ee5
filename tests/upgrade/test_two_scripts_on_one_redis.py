"""The ledger scripts of the last landed version and of this one, in turn on the same records."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

import pytest
import redis

from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.ledger.inlined import inlined
from sekisho.ledger.receipt import pack_receipt, unpack_receipt
from sekisho.ledger.records import ENDED
from sekisho.ledger.redis import (
    failed_families,
    pack_charge,
    pack_failure,
    pack_limits,
    pack_settlement,
    unpack_verdict,
)
from sekisho.model import Charge, Charged, Effect, Limit
from tests.ledger.charges import DAY, HOUR, LIMITS, MINUTE, SECOND, T0, charge
from tests.ledger.stores import KEYS, only
from tests.upgrade.versions import landed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sekisho.model import LimitSet, Verdict
    from tests.servers import RedisServer

OLD_VERDICT = Struct("<QBQQQQQI5B")
DEEDS_AT = 5
BEFORE = "97295b2"
"""The last commit whose script differs in its records."""
LEDGER = "sekisho/observe/limiter/ledger.lua"


class Told(NamedTuple):
    """The parts of a verdict that both versions have."""

    charged: int
    account_wait_us: int
    token_spent: bool
    failures: int
    packed: bytes


class Script:
    """One version's script, called for one operation at a time."""

    def __init__(self, client: redis.Redis, source: str, *, is_old: bool) -> None:
        self._run = client.register_script(inlined(source))
        self._is_old = is_old

    def charge(self, now_us: int, each: Charge, limits: LimitSet = LIMITS) -> Told:
        packed = self._call(now_us, self._keys(each, KEYS.of(each)), pack_charge(each), limits)
        if self._is_old:
            _, bits, _, _, _, account, _, failures, *_ = OLD_VERDICT.unpack(packed)
            return Told(bits & 15, account, bits & 32 != 0, failures, packed)
        verdict = unpack_verdict(packed)
        return Told(verdict.charged, verdict.account_wait_us, verdict.token_spent, verdict.failures, packed)

    def succeed(self, now_us: int, each: Charge, told: Told, *, renewed: bool = False) -> None:
        # The earlier version removes every tag and knows no failures of a bucket.
        verdict = self._verdict(now_us, told)
        effects = (Effect.RENEWED if renewed else 0) | (0 if self._is_old else Effect.RIGHT)
        packed = pack_settlement(each, verdict, effects)
        self._call(now_us, self._keys(each, KEYS.of_families(each, packed[2])), packed, LIMITS)

    def change(self, now_us: int, each: Charge) -> None:
        """The account's password is changed."""
        packed = pack_settlement(each, UNHINDERED._replace(at_us=now_us, charged=0), Effect.ENDS)
        self._call(now_us, self._keys(each, KEYS.of_families(each, packed[2])), packed, LIMITS)

    def fail(self, now_us: int, each: Charge, told: Told) -> None:
        verdict = self._verdict(now_us, told)
        if not self._is_old and (families := failed_families(verdict)):
            self._call(now_us, KEYS.of_families(each, families), pack_failure(each, verdict), LIMITS)

    def _verdict(self, now_us: int, told: Told) -> Verdict:
        if self._is_old:
            return UNHINDERED._replace(at_us=now_us, charged=told.charged, tagged=64 | 128)
        return unpack_verdict(told.packed)

    def _keys(self, each: Charge, keys: list[bytes]) -> list[bytes]:
        """Also the account's bucket, which the earlier version is told."""
        at = keys.index(KEYS.account(each))
        return [*keys[:at], KEYS.bucket(each), *keys[at:]] if self._is_old else keys

    def _call(self, now_us: int, keys: list[bytes], operation: bytes, limits: LimitSet) -> bytes:
        if self._is_old:  # it reads the deeds last
            operation = operation[:DEEDS_AT] + operation[DEEDS_AT + 1 :] + operation[DEEDS_AT : DEEDS_AT + 1]
        packed: bytes = self._run(keys, [pack_limits(limits), now_us, operation])
        return packed


class Both(NamedTuple):
    old: Script
    new: Script

    def in_turn(self, number: int) -> Script:
        return self[number % 2]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The earlier package."""
    return landed(tmp_path_factory.mktemp("landed"), BEFORE)


@pytest.fixture
def both(before: Path, redis_server: RedisServer) -> Iterator[Both]:
    redis_server.cli("FLUSHALL")
    new = resources.files("sekisho.ledger").joinpath("ledger.lua").read_text()
    with redis.Redis(unix_socket_path=str(redis_server.socket_path)) as client:
        yield Both(Script(client, (before / LEDGER).read_text(), is_old=True), Script(client, new, is_old=False))


@pytest.mark.parametrize("first", [0, 1])
def test_an_account_has_one_limit(both: Both, first: int) -> None:
    """Five guesses pass in all, by either script, and failures add up."""
    told = [both.in_turn(first + n).charge(T0, charge(0, n, network=n)) for n in range(9)]

    assert [each.failures for each in told] == [1, 2, 3, 4, 5, 5, 5, 5, 5]
    assert [each.account_wait_us > 0 for each in told] == [False] * 5 + [True] * 4


@pytest.mark.parametrize("first", [0, 1])
def test_a_device_keeps_its_bucket_and_the_bucket_its_limit(both: Both, first: int) -> None:
    """A device has three failures an hour over both versions; at the fourth it is a stranger."""
    told = []
    for n in range(4):
        script, own = both.in_turn(first + n), charge(0, n, known_device=1)
        told.append(script.charge(T0, own))
        script.fail(T0, own, told[-1])

    assert [each.charged & Charged.KNOWN_DEVICE for each in told] == [8, 8, 8, 0]


def test_failures_of_a_device_outlive_what_the_old_script_writes(both: Both) -> None:
    """A device's failures, kept up to 90 days, survive log-ins, failures and a stranger's guesses under the old
    script.
    """
    roomy = only(known_device=(Limit(10, HOUR),))
    own = charge(0, 1, known_device=1)
    now_us = T0
    for _ in range(4):
        told = both.new.charge(now_us, own, roomy)
        both.new.fail(now_us, own, told)
        now_us += HOUR
    at_old = both.old.charge(now_us, charge(0, 2, known_device=1), roomy)
    both.old.succeed(now_us, charge(0, 2, known_device=1), at_old)
    both.old.charge(now_us + 80 * DAY, charge(0, 3, network=1), roomy)

    last = both.new.charge(now_us + 80 * DAY, own, roomy)

    assert (at_old.charged & Charged.KNOWN_DEVICE, at_old.token_spent) == (Charged.KNOWN_DEVICE, False)
    assert last.failures == 5


def test_a_change_of_password_outlives_what_the_old_script_writes(both: Both) -> None:
    """Tokens from before a change stay void, a year later, though the old script has let a device in meanwhile."""
    both.new.change(T0, charge(0, 1, known_device=1))
    now_us = T0 + DAY
    young = charge(0, 2, known_device=2, issued_us=T0 + SECOND)
    told = both.old.charge(now_us, young)
    both.old.succeed(now_us, young, told, renewed=True)
    both.old.charge(now_us + 80 * DAY, charge(0, 3, network=1))

    last = [both.new.charge(T0 + 390 * DAY, charge(0, 1, known_device=3, issued_us=T0 + n * SECOND)) for n in (0, 1)]

    assert [each.token_spent for each in last] == [True, False]


def test_an_ended_device_is_remembered_where_the_old_script_forgets_it(both: Both, redis_server: RedisServer) -> None:
    """The old script keeps a record of an ended device for a day; the next attempt makes it 400 days again."""
    own, stranger = charge(0, 1, known_device=1, generation=ENDED - 1), charge(0, 2, network=1)
    both.new.charge(T0, charge(0, 1, known_device=2))
    both.new.succeed(T0, own, both.new.charge(T0, own), renewed=True)
    days = [_days_left(redis_server)]
    both.old.succeed(T0, stranger, both.old.charge(T0, stranger))
    days.append(_days_left(redis_server))
    both.new.charge(T0, stranger)

    assert [*days, _days_left(redis_server)] == [400, 1, 400]


def _days_left(server: RedisServer) -> int:
    return round(int(server.cli("PTTL", KEYS.account(charge()))) * 1_000 / DAY)


def test_a_token_renewed_by_one_is_known_to_the_other(both: Both) -> None:
    """A token renewed by one is known to the other, also beside a device's failures, which the old script reads as a
    bucket.
    """
    now_us = T0
    for generation in range(6):
        script, own = both.in_turn(generation), charge(0, 1, known_device=1, generation=generation)
        failed = both.new.charge(now_us, own)
        both.new.fail(now_us, own, failed)
        told = script.charge(now_us, own)
        script.succeed(now_us, own, told, renewed=True)
        assert (told.charged & Charged.KNOWN_DEVICE, told.token_spent) == (Charged.KNOWN_DEVICE, False)
        now_us += HOUR

    stale = [script.charge(now_us, charge(0, 1, known_device=1, generation=4)) for script in both]
    assert [each.token_spent for each in stale] == [True, True]


def test_failures_from_before_count_for_strangers_and_bind_no_device(both: Both) -> None:
    """An owner's typing errors of a year, counted by the old script, do not lock the known device out."""
    for n in range(101):
        both.old.charge(T0 + n * DAY // 2, charge(0, n % 30, known_device=1))
    now_us = T0 + 51 * DAY

    assert both.new.charge(now_us, charge(0, 1, known_device=1)).failures == 1
    assert both.new.charge(now_us, charge(0, 1, network=2)).failures == 102


def test_a_receipt_is_read_by_both(before: Path) -> None:
    """A step-up that begins at one version and ends at the other settles by its receipt exactly what it should."""
    receipts = [
        pack_receipt(charge(v6=True), UNHINDERED._replace(at_us=T0, charged=charged, tagged=tagged))
        for charged in (7, 8)
        for tagged in (0, 64, 128, 192)
    ]
    program = (
        "import sys\n"
        "from sekisho.observe.limiter.receipt import pack_receipt, unpack_receipt\n"
        "for line in sys.stdin:\n"
        "    charge, verdict = unpack_receipt(bytes.fromhex(line))\n"
        "    tagged = charge._replace(pair_tag=b'pair', member_tag=b'memb')\n"
        "    print(charge.pair_tag.hex(), charge.member_tag.hex(), pack_receipt(tagged, verdict).hex())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        input="\n".join(receipt.hex() for receipt in receipts),
        env={"PYTHONPATH": str(before)},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split() for line in ran.stdout.splitlines()]

    mine = charge(v6=True)
    none = bytes(4).hex()
    assert [line[:2] for line in lines] == [
        [none, none],
        [mine.pair_tag.hex(), none],
        [none, mine.member_tag.hex()],
        [mine.pair_tag.hex(), mine.member_tag.hex()],
    ] * 2
    assert {unpack_receipt(bytes.fromhex(line[2]))[1].tagged for line in lines} == {192}


def test_what_the_new_script_refuses_is_no_surprise_to_the_old_one(both: Both) -> None:
    """The new script's refusal leaves no trace, and the old one counts on."""
    tight = only(ip=(Limit(2, HOUR),), account=(Limit(5, HOUR),))
    told = [both.in_turn(n).charge(T0 + n * SECOND, charge(n, n, device=n), tight) for n in range(6)]

    assert [each.charged & Charged.NETWORK for each in told] == [1, 1, 0, 0, 0, 0]
    assert both.old.charge(T0 + MINUTE, charge(4, 4, network=1), tight).failures == 1
