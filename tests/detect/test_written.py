"""Outcomes and states survive the way through the store, and foreign bytes are no state."""

from __future__ import annotations

import pytest

from sekisho.detect.written import day_bit, decode_state, encode_state, pack_outcome, unpack_outcome
from sekisho.judge.posture import PostureState, advance
from sekisho.model.posture import StrangerOutcome, Told

DOORS = ["POST /login", "POST /api/login"]
OUTCOME = StrangerOutcome("POST /api/login", Told.PROVED, b"netw", 4, b"acco")


def test_an_outcome_takes_11_bytes_and_comes_back() -> None:
    packed = pack_outcome(OUTCOME, DOORS)
    assert packed == b"p\x01netw\x04acco"
    assert unpack_outcome(packed, DOORS) == OUTCOME


@pytest.mark.parametrize("packed", [b"", b"x" * 11, b"p\x02netw\x04acco", b"p\x01netw\x04accoo"])
def test_foreign_bytes_are_no_outcome(packed: bytes) -> None:
    assert unpack_outcome(packed, DOORS) is None


def test_a_state_comes_back() -> None:
    outcomes = [
        StrangerOutcome("POST /login", Told.FAILED, at.to_bytes(4, "little"), at % 5, at.to_bytes(4, "little"))
        for at in range(300)
    ]
    state = advance(PostureState(), outcomes, 1_700_000_000)
    found = decode_state(encode_state(state))
    assert found.doors["POST /login"].site.posture == 2
    assert found.doors["POST /login"].networks.keys() == state.doors["POST /login"].networks.keys()
    # Rounded once, it stays as it is: workers that read it all have the same state.
    assert decode_state(encode_state(found)) == found


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{}", b'{"v":2,"at":1,"doors":{}}', b'{"v":1,"at":1,"doors":{"a":{}}}', b'{"v":1,"at":1,"doors":7}'],
)
def test_another_text_is_no_state(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the reader tells one from another by nothing else
        decode_state(text)


def test_a_days_accounts_have_one_bit_each() -> None:
    assert day_bit(b"\xff\xff\xff\xff") == 4_194_303
    assert day_bit(b"\x01\x00\x00\x00") == 1
