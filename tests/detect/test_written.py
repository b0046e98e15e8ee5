"""Outcomes and states survive the way through the store, and foreign bytes are no state."""

from __future__ import annotations

import pytest

from sekisho.detect.written import day_bit, decode_state, encode_state, pack_outcome, unpack_outcome
from sekisho.judge.posture import PostureState, advance
from sekisho.model.posture import StrangerOutcome, ToldOutcome

PROVIDERS = [at.to_bytes(4, "little") for at in range(40)]
DOORS = ["POST /login", "POST /api/login"]
OUTCOME = StrangerOutcome("POST /api/login", ToldOutcome.PROVED, b"netw", 4, b"acco")


def test_an_outcome_takes_11_bytes_and_comes_back() -> None:
    packed = pack_outcome(OUTCOME, DOORS)
    assert packed == b"p\x01netw\x04acco"
    assert unpack_outcome(packed, DOORS) == OUTCOME


def test_a_provider_takes_four_bytes_more() -> None:
    """An outcome without one is as before: workers of the version before read it."""
    outcome = OUTCOME._replace(provider=b"prov")
    assert pack_outcome(outcome, DOORS) == b"p\x01netw\x04accoprov"
    assert unpack_outcome(pack_outcome(outcome, DOORS), DOORS) == outcome


def test_a_success_of_a_new_account_is_a_success_for_the_version_before() -> None:
    """That version reads the same 11 bytes, with a browser that it does not know."""
    outcome = OUTCOME._replace(told=ToldOutcome.NEW_SUCCEEDED)
    assert pack_outcome(outcome, DOORS) == b"s\x01netw\x84acco"
    assert unpack_outcome(b"s\x01netw\x84acco", DOORS) == outcome
    assert unpack_outcome(b"p\x01netw\xffacco", DOORS) == OUTCOME._replace(browser=255)


@pytest.mark.parametrize("packed", [b"", b"x" * 11, b"p\x02netw\x04acco", b"p\x01netw\x04accoo"])
def test_foreign_bytes_are_no_outcome(packed: bytes) -> None:
    assert unpack_outcome(packed, DOORS) is None


def test_a_state_comes_back() -> None:
    tags = [at.to_bytes(4, "little") for at in range(300)]
    outcomes = [
        StrangerOutcome("POST /login", ToldOutcome.FAILED, tag, at % 5, tag, PROVIDERS[at % 40])
        for at, tag in enumerate(tags)
    ]
    state = advance(PostureState(), outcomes, 1_700_000_000)
    found = decode_state(encode_state(state))
    assert found.doors["POST /login"].site.posture == 2
    assert found.doors["POST /login"].networks.keys() == state.doors["POST /login"].networks.keys()
    assert found.doors["POST /login"].providers.keys() == set(PROVIDERS)
    # Rounded once, it stays as it is: workers that read it all have the same state.
    assert decode_state(encode_state(found)) == found


def test_a_state_of_the_version_before_has_no_providers() -> None:
    state = encode_state(advance(PostureState(), [OUTCOME], 1_700_000_000))
    assert b'"providers":{},' in state
    assert decode_state(state.replace(b'"providers":{},', b"")) == decode_state(state)


def test_a_state_of_the_version_before_takes_all_accounts_for_new() -> None:
    state = advance(PostureState(), [OUTCOME._replace(told=ToldOutcome.SUCCEEDED)] * 60, 1_700_000_000)
    text = encode_state(advance(state, [], 1_700_086_400))
    assert b',"new":[0.75,0.1488,0]' in text
    assert decode_state(text).doors["POST /api/login"].new == (0.75, 0.1488, 0)
    assert decode_state(text.replace(b',"new":[0.75,0.1488,0]', b"")).doors["POST /api/login"].new == (1, 1, 0)


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
