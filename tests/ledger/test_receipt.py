"""A receipt holds all that settling needs, and no other bytes pass for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.ledger import arithmetic as ledger
from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.ledger.receipt import pack_receipt, parted, read_code, unpack_receipt
from sekisho.model import Charge, Charged, Effect, Spread, Tagged, Verdict
from tests.ledger.charges import LIMITS, SECOND, T0, charge

if TYPE_CHECKING:
    from sekisho.ledger.records import Record


def exactly(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


def up_to(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


charges = st.builds(
    Charge,
    network=exactly(16),
    networks=st.lists(exactly(16), max_size=4).map(tuple),
    ip=exactly(16),
    device=exactly(16),
    account=st.just(b"") | exactly(16),
    known_device=st.just(b"") | exactly(8),
    token_generation=up_to(32),  # of a bucket
    secret=st.just(b"") | exactly(4),
    account_tag=exactly(4),
    ip_tag=exactly(4),
    pair_tag=exactly(4),
    member_tag=exactly(4),
    exempt=st.booleans(),
    place=st.just(b"") | st.just(bytes(8)),
).map(lambda charge: charge if charge.known_device else charge._replace(token_generation=0))
verdicts = st.builds(
    Verdict,
    at_us=up_to(64),
    charged=up_to(4),
    ip_wait_us=up_to(64),
    network_wait_us=up_to(64),
    device_wait_us=up_to(64),
    account_wait_us=up_to(64),
    known_device_wait_us=up_to(64),
    token_spent=st.booleans(),
    failures=up_to(16),
    young=st.booleans(),
    counters_lost=st.booleans(),
    spread=st.just(Spread(1, 2, 3, 4, 5)),
    account_at_us=up_to(64),
    own_families=up_to(3),
    tagged=st.sampled_from([0, 64, 128, 192]),
    last=st.booleans(),
    network_at=st.integers(0, 3),
).map(lambda verdict: verdict if verdict.counters_lost else verdict._replace(own_families=0))
VERDICT = UNHINDERED._replace(at_us=T0)
EXTRAS_AT = 20  # behind version, flags, networks, charged and two times
PACKED = pack_receipt(charge(v6=True, known_device=1), VERDICT)


@given(charged=charges, verdict=verdicts)
def test_what_settling_needs_comes_back(charged: Charge, verdict: Verdict) -> None:
    """A receipt returns the charge except tags that stay, and the verdict's time, kind and counters."""
    found, said = unpack_receipt(pack_receipt(charged, verdict))

    pair = charged.pair_tag if verdict.tagged & 64 else bytes(4)
    member = charged.member_tag if verdict.tagged & 128 else bytes(4)
    place = b"" if charged.known_device else charged.place
    assert found == charged._replace(pair_tag=pair, member_tag=member, place=place)
    assert (said.at_us, said.account_at_us) == (verdict.at_us, verdict.account_at_us)
    assert (said.charged, said.counters_lost) == (verdict.charged, verdict.counters_lost)
    assert said.own_families == verdict.own_families


@given(number=st.integers(0, 20), known_device=st.none() | st.integers(0, 3), v6=st.booleans(), proved=st.booleans())
def test_settling_by_receipt_is_settling(number: int, known_device: int | None, v6: bool, proved: bool) -> None:
    """Settling by receipt leaves the ledger as settling by the verdict does."""
    own = charge(number, number, known_device=known_device, v6=v6)
    by_hand: dict[bytes, Record] = {}
    verdict = ledger.apply(by_hand, own, LIMITS, T0)
    by_receipt = dict(by_hand)

    effects = Effect.PROVED if proved else 0
    ledger.undo(by_hand, own, verdict, LIMITS, T0 + SECOND, effects)
    ledger.undo(by_receipt, *unpack_receipt(pack_receipt(own, verdict)), LIMITS, T0 + SECOND, effects)

    assert by_receipt == by_hand


def test_a_first_success_is_kept() -> None:
    """In a form that workers of versions before read too: they restore no place, and learn no such success."""
    own = charge(place=1)
    first = VERDICT._replace(charged=Charged.NETWORK | Charged.CREDIT, spread=Spread(accounts_per_ip=8))
    known = first._replace(history=1)

    assert [unpack_receipt(pack_receipt(own, each))[1].is_first_of_many for each in (first, known)] == [True, False]
    assert unpack_receipt(pack_receipt(own, first))[1].charged == Charged.NETWORK | Charged.CREDIT
    assert pack_receipt(own, first)[EXTRAS_AT:][:4] == bytes([8 | 2, 0, 0, 0])
    with pytest.raises(ValueError, match=r"^not a receipt$"):
        unpack_receipt(
            pack_receipt(own, first)[:EXTRAS_AT] + bytes([8 | 1, 0, 0, 0]) + pack_receipt(own, first)[EXTRAS_AT + 4 :]
        )


@given(packed=st.binary(max_size=400))
def test_foreign_bytes_are_refused(packed: bytes) -> None:
    """Foreign bytes raise a `ValueError` and nothing else; bytes that unpack are the one form of their content."""
    try:
        found = unpack_receipt(packed)
    except ValueError:
        return
    assert pack_receipt(*found) == packed


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        PACKED[:-1],
        PACKED + b"\0",
        PACKED + bytes(16),
        b"\1" + PACKED[1:],
        PACKED[:1] + bytes([PACKED[1] | 32]) + PACKED[2:],
        PACKED[:1] + bytes([PACKED[1] & ~1]) + PACKED[2:],
        PACKED[:2] + b"\1" + PACKED[3:],
        PACKED[:3] + b"\x10" + PACKED[4:],
    ],
    ids=["empty", "short", "long", "a network more", "version", "flag", "flag off", "networks", "charged"],
)
def test_no_bit_that_nothing_reads(packed: bytes) -> None:
    """Every bit is read: another length, version or flag, or bytes of an absent part, are refused."""
    with pytest.raises(ValueError, match=r"^not a receipt$"):
        unpack_receipt(packed)


@pytest.mark.parametrize(
    "wrong",
    [
        charge()._replace(ip=b"short"),
        charge()._replace(network=b"short"),
        charge()._replace(device=b"short"),
        charge()._replace(account=b"short"),
        charge()._replace(known_device=b"short"),
        charge()._replace(account_tag=b"tag"),
        charge()._replace(ip_tag=b"tag"),
        charge()._replace(pair_tag=b"longer"),
        charge()._replace(member_tag=b"longer"),
        charge()._replace(secret=b"too long for it"),
        charge()._replace(networks=(b"short",)),
        charge()._replace(networks=(bytes(16),) * 5),
        charge()._replace(networks=(bytes(16),) * 256),
        charge()._replace(token_generation=2**32),
        charge()._replace(token_generation=-1),
    ],
)
def test_what_could_not_come_back_is_not_packed(wrong: Charge) -> None:
    """A charge that cannot be restored is not packed: cut digests would settle another's counters."""
    with pytest.raises(ValueError, match=r"receipt|charge"):
        pack_receipt(wrong, VERDICT)


def test_a_receipt_is_parted_into_the_address_and_the_rest() -> None:
    """Nothing is refunded twice: one part has the charge of the address, the other the account's and the tags."""
    whole = UNHINDERED._replace(at_us=T0, charged=Charged.NETWORK | Charged.ACCOUNT, tagged=Tagged.PAIR)

    found, at_address, rest = parted(pack_receipt(charge(1), whole))
    assert found.account == charge(1).account
    assert (at_address.charged, at_address.tagged, at_address.at_us) == (Charged.NETWORK, 0, T0)
    left = unpack_receipt(rest)[1]
    assert (left.charged, left.tagged, left.at_us) == (Charged.ACCOUNT, Tagged.PAIR, T0)


def test_the_address_alone_leaves_no_rest() -> None:
    """Where nothing but the address was charged, no receipt is left that could be presented again."""
    packed = pack_receipt(charge(1), UNHINDERED._replace(at_us=T0, charged=Charged.NETWORK, tagged=0))

    assert parted(packed)[2] == b""


def test_a_code_that_takes_its_time_counts_from_when_it_was_read() -> None:
    """Two minutes of a proof are no time in which a charge expires; a clock that is not the account's own stays 0."""
    late = read_code(UNHINDERED._replace(at_us=T0, account_at_us=0))

    assert (late.at_us, late.account_at_us) == (T0 + 120 * SECOND, 0)
    assert read_code(UNHINDERED._replace(at_us=T0, account_at_us=T0)).account_at_us == T0 + 120 * SECOND
