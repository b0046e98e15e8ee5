"""The load and ratios of `benchmarks.refusals`."""

from __future__ import annotations

import time

from benchmarks.known import SECRET, proved
from benchmarks.refusals import FORGED, GARBAGE, LOADS, ratios
from sekisho.devices.token import DeviceTokens


def test_ratios_are_to_the_404_of_the_same_tree() -> None:
    """Ratios are to the 404 of the same tree, or two versions of Starlette would be compared."""
    found = {"404": {"base": 200.0, "here": 100.0}, "shed": {"base": 300.0, "here": 110.0}}

    assert ratios(found)["shed"] == {"base": 1.5, "here": 1.1}


def test_a_shed_flood_comes_from_one_address_and_others_from_many() -> None:
    """A shed flood comes from one address over its limits, others from many."""
    one, many = LOADS["shed"], LOADS["work, JSON"]

    assert one.request(1).count(b"198.51.100.7") == one.request(2).count(b"198.51.100.7") == 1
    assert len({line for n in range(50) for line in many.request(n).split(b"\r\n") if b"Forwarded" in line}) == 50


def test_forged_tokens_begin_as_genuine_ones_and_garbage_does_not() -> None:
    """Forged tokens are those whose signature has to be computed: they are as long as genuine ones and begin alike."""
    genuine, tokens = proved("user1@mail.example"), DeviceTokens((SECRET.encode(),), days=90)

    assert {(len(token), token[:2] == genuine[:2]) for token in FORGED} == {(len(genuine), True)}
    assert {(len(token), token[:2] == genuine[:2]) for token in GARBAGE} == {(len(genuine), False)}
    assert not tokens.has_genuine(".".join(FORGED), int(time.time()))
    assert tokens.has_genuine(genuine, int(time.time()))


def test_the_cookie_of_a_load_carries_its_tokens() -> None:
    """A cookie of five tokens is sent by the two floods that are named after it."""
    assert f"Cookie: __Host-sekisho={'.'.join(FORGED)}\r\n".encode() in LOADS["shed, forged tokens"].request(1)
    assert b"Cookie" not in LOADS["shed"].request(1)
