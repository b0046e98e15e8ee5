"""Values are equal by what they hold, and not by what they keep that follows from it."""

from __future__ import annotations

from sekisho.ledger.redis import Keys
from sekisho.model import Charge


def charge() -> Charge:
    networks = (bytes(16), b"\1" * 16)
    tags = (b"secr", b"acct", b"addr", b"pair", b"memb")
    return Charge(networks[-1], networks, b"i" * 16, b"d" * 16, b"a" * 16, b"", 0, *tags)


def test_kept_keys_are_no_part_of_a_charge() -> None:
    """A charge whose keys were made equals one whose keys were not, in comparisons, hashes, texts and copies."""
    kept, fresh = charge(), charge()
    keys = Keys("shop").of(kept)
    assert kept == fresh
    assert hash(kept) == hash(fresh)
    assert repr(kept) == repr(fresh)
    assert "_keys" not in repr(kept)
    assert Keys("shop").of(kept._replace(ip=b"j" * 16)) != keys


def test_keys_of_another_namespace_are_made_anew() -> None:
    """A charge that two ledgers count has keys in the namespace of each; with one ledger, the same list both times."""
    one, first, second = charge(), Keys("first"), Keys("second")
    assert first.of(one) is first.of(one)
    assert {key[:6] for key in first.of(one)} == {b"first:"}
    assert {key[:7] for key in second.of(one)} == {b"second:"}
