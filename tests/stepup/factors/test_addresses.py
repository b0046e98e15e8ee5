"""A new address is held back for 72 hours, and an earlier one hears of everything for 30 days."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sekisho.stepup.factors.addresses import FiledAddress, earlier_of, filed, is_held

HOUR, DAY = 3_600, 86_400
NOW = 1_750_000_000


def test_the_first_look_up_finds_no_change() -> None:
    """Addresses that are on file at the first look count at once: otherwise no site could begin."""
    known = filed(None, ["hana@mail.example"], NOW)
    assert not is_held(known, "hana@mail.example", NOW)
    assert earlier_of(known) == ()


def test_a_changed_address_waits_and_the_earlier_one_is_told() -> None:
    """A thief's address proves nothing for 72 hours; the owner's receives notices for 30 days."""
    known = filed(filed(None, ["hana@mail.example"], NOW), ["thief@mail.example"], NOW)
    assert is_held(known, "THIEF@mail.example", NOW + 72 * HOUR - 1)
    assert not is_held(known, "thief@mail.example", NOW + 72 * HOUR)
    for days, told in ((29, ("hana@mail.example",)), (30, ())):
        assert earlier_of(filed(known, ["thief@mail.example"], NOW + days * DAY)) == told


def test_a_thiefs_address_that_folds_to_the_owners_waits() -> None:
    """`ß` folds to `ss`, and is another domain: as a change that goes unseen it would have the next code sent there."""
    known = filed(filed(None, ["hana@gross.example"], NOW), ["hana@groß.example"], NOW)
    assert is_held(known, "hana@groß.example", NOW)
    assert earlier_of(known) == ("hana@gross.example",)


def test_an_address_that_is_added_later_waits() -> None:
    """An account without an address that gets one waits as well: the thief may have added it."""
    known = filed(filed(None, [], NOW), ["thief@mail.example"], NOW)
    assert is_held(known, "thief@mail.example", NOW)


def test_the_owners_address_counts_at_once_when_it_comes_back() -> None:
    """Support restores the owner's address: it was on file for long. A thief's that comes back waits anew."""
    known = filed(None, ["hana@mail.example"], NOW)
    known = filed(known, ["thief@mail.example"], NOW + HOUR)
    known = filed(known, ["hana@mail.example"], NOW + 2 * HOUR)
    assert not is_held(known, "hana@mail.example", NOW + 2 * HOUR)
    known = filed(known, ["thief@mail.example"], NOW + 20 * DAY)
    assert is_held(known, "thief@mail.example", NOW + 20 * DAY)


@given(st.lists(st.integers(1, DAY), min_size=1, max_size=60))
def test_many_changes_push_the_owner_out_of_nothing(pauses: list[int]) -> None:
    """A thief who changes the address again and again cannot keep the owner from hearing of it within 30 days."""
    known, now_s = filed(None, ["hana@mail.example"], NOW), NOW
    for number, pause_s in enumerate(pauses):
        known = filed(known, [f"thief{number}@mail.example"], now_s)
        now_s = min(now_s + pause_s, NOW + 29 * DAY)
    assert "hana@mail.example" in earlier_of(known)
    assert len(known) <= 13


def test_nothing_prints_an_address() -> None:
    """Error reporters print local variables."""
    assert "@" not in repr(FiledAddress("hana@mail.example", 0, 0))
