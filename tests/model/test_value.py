"""Values are equal by what they hold, and not by what they keep that follows from it."""

from __future__ import annotations

import pytest

from sekisho.ledger.redis import ClusterKeys, Keys
from sekisho.model import Charge
from sekisho.store.batch import packed_keys


def charge() -> Charge:
    networks = (bytes(16), b"\1" * 16)
    tags = (b"secr", b"acct", b"addr", b"pair", b"memb")
    return Charge(networks[-1], networks, b"i" * 16, b"d" * 16, b"a" * 16, b"", 0, *tags)


def test_kept_keys_are_no_part_of_a_charge() -> None:
    """A charge whose keys were made equals one whose keys were not, in comparisons, hashes, texts and copies."""
    kept, fresh = charge(), charge()
    keys = Keys("shop").packed(kept)
    assert kept == fresh
    assert hash(kept) == hash(fresh)
    assert repr(kept) == repr(fresh)
    assert "_kept" not in repr(kept)
    assert Keys("shop").packed(kept._replace(ip=b"j" * 16)) != keys


def test_keys_of_another_namespace_are_made_anew() -> None:
    """A charge that two ledgers count has keys in the namespace of each; with one ledger, the same ones both times."""
    one, first, second = charge(), Keys("first"), Keys("second")
    assert first.packed(one) is first.packed(one)
    assert first.packed(one).words.count(b"first:") == 6
    assert second.packed(one).words.count(b"second:") == 6


@pytest.mark.parametrize("keys", [Keys("t"), Keys("a" * 300), ClusterKeys("t")])
@pytest.mark.parametrize(
    "each",
    [charge(), charge()._replace(account=b""), charge()._replace(secret=b""), charge()._replace(networks=(bytes(16),))],
)
def test_keys_are_sent_as_they_are_made(keys: Keys, each: Charge) -> None:
    """The keys of any charge are sent as they are, with a long namespace as well."""
    assert keys.packed(each) == packed_keys(keys.of(each))._replace(first=keys.packed(each).first)
    assert keys.of(each)[0].startswith(keys.packed(each).first)
