"""A bound on what bots cost that are tried at crowded addresses."""

from __future__ import annotations

from sekisho.ledger.crowded_tries import CrowdedTries

SECOND = 1_000_000
NOW_US = 1_764_401_409 * SECOND
NAT = b"a carrier's NAT."


def tried(tries: CrowdedTries, now_us: int, number: int, address: bytes = NAT) -> int:
    """How many of so many attempts have room."""
    found = 0
    for _ in range(number):
        if tries.has_room(address, now_us):
            tries.take(address, now_us)
            found += 1
    return found


def test_sixty_are_tried_and_then_one_in_ten_seconds() -> None:
    tries = CrowdedTries()

    assert tried(tries, NOW_US, 100) == 60
    assert [tried(tries, NOW_US + n * SECOND, 9) for n in (9, 10, 30)] == [0, 1, 2]


def test_a_bot_behind_one_address_leaves_other_owners_their_room() -> None:
    """Up to three addresses; then the process has none until some comes back."""
    tries = CrowdedTries()

    assert [tried(tries, NOW_US, 100, bytes([n])) for n in range(5)] == [60, 60, 60, 0, 0]
    assert tries.used(b"\x04", NOW_US) == 0.0
    assert tried(tries, NOW_US + 10 * SECOND, 9, b"\x04") == 3


def test_the_room_that_is_used_up_comes_back_within_ten_minutes() -> None:
    tries = CrowdedTries()
    found = [tries.used(NAT, NOW_US)]
    tried(tries, NOW_US, 30)
    found.append(tries.used(NAT, NOW_US))
    tried(tries, NOW_US, 100)
    found += [tries.used(NAT, NOW_US + n * SECOND) for n in (0, 150, 600, 9_999)]
    assert found == [0.0, 0.5, 1.0, 0.75, 0.0, 0.0]


def test_a_clock_that_is_set_back_leaves_room_within_ten_seconds() -> None:
    tries = CrowdedTries()
    tried(tries, NOW_US, 100)

    assert tried(tries, NOW_US - 86_400 * SECOND, 9) == 0
    assert tried(tries, NOW_US - 86_390 * SECOND, 9) == 1


def test_addresses_whose_room_is_back_are_forgotten() -> None:
    """However many have tried, and also after a clock was set back."""
    tries = CrowdedTries()
    tried(tries, NOW_US + 86_400 * SECOND, 9)
    for n in range(5_000):
        tried(tries, NOW_US + n * 4 * SECOND, 1, n.to_bytes(2, "big"))
    assert len(tries._by_address) <= 513
