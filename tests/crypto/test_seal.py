"""Sealed data comes back; everything else is refused with the same words."""

from __future__ import annotations

import os
import time
import traceback
from collections import Counter
from hashlib import blake2b

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from sekisho.crypto.seal import DATA_BYTES_MAX, OVERHEAD_BYTES, Sealer, Unsealable, bind
from sekisho.model import SekishoError

OLD, NEW, FOREIGN = b"o" * 32, b"n" * 32, b"f" * 32
SEALER = Sealer([OLD], clock_s=time.time)
FOR, TO = b"escrow", bind(b"challenge", b"browser")


def sealed(data: bytes = b"the app's answer", *, by: Sealer = SEALER) -> bytes:
    return by.seal(FOR, data, bound_to=TO)


def laid_out(data: bytes) -> bytes:
    """Sealed by hand, from the layout alone."""
    master = blake2b(OLD, digest_size=64, person=b"sekisho.seal").digest()
    head = b"\x01" + blake2b(key=master, digest_size=8, person=b"seal key id").digest()
    salt, nonce = b"s" * 12, b"n" * 12
    key = blake2b(salt + FOR, key=master, digest_size=32, person=b"sealed message").digest()
    return head + salt + nonce + AESGCM(key).encrypt(nonce, data, head + TO)


def refused(shown: bytes, *, by: Sealer = SEALER, purpose: bytes = FOR, bound_to: bytes = TO) -> str:
    """All that a caller is told on showing this: the text of the error and of its causes."""
    with pytest.raises(Unsealable) as error:
        by.open(purpose, shown, bound_to=bound_to)
    assert (error.value.args, error.value.__cause__, error.value.__context__) == (("cannot be opened",), None, None)
    return "".join(traceback.format_exception_only(error.value))


THE_WORDS = "sekisho.crypto.seal.Unsealable: cannot be opened\n"


@given(st.binary(max_size=300), st.binary(max_size=40), st.binary(max_size=40))
def test_what_was_sealed_comes_back(data: bytes, purpose: bytes, bound_to: bytes) -> None:
    """Any data comes back, for any purpose and binding; the seal adds a constant length."""
    found = SEALER.seal(purpose, data, bound_to=bound_to)

    assert SEALER.open(purpose, found, bound_to=bound_to) == data
    assert len(found) == len(data) + OVERHEAD_BYTES


@given(st.data())
def test_one_changed_byte_anywhere_spoils_it(data: st.DataObject) -> None:
    """A changed byte in version, key id, salt, nonce, data or tag makes the seal void."""
    whole = sealed(data.draw(st.binary(max_size=100)))
    at = data.draw(st.integers(0, len(whole) - 1))
    change = data.draw(st.integers(1, 255))

    assert refused(whole[:at] + bytes([whole[at] ^ change]) + whole[at + 1 :]) == THE_WORDS


def test_every_bit_is_sealed() -> None:
    """Every single bit is covered by the seal."""
    whole = sealed()
    for at in range(len(whole)):
        for bit in range(8):
            assert refused(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]) == THE_WORDS


@given(st.integers(0, 200))
def test_a_cut_or_extended_seal_is_refused(length: int) -> None:
    """A seal cut or extended at either end is refused like any other."""
    whole = sealed(b"v" * 150)

    for shown in (whole[:length], whole[len(whole) - length :], whole + bytes(length + 1)):
        if shown != whole:
            assert refused(shown) == THE_WORDS


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(shown: bytes) -> None:
    """Random input is refused, also behind the start of a genuine seal."""
    assert refused(shown) == THE_WORDS
    assert refused(sealed()[:9] + shown) == THE_WORDS


def test_a_foreign_key_is_refused_in_the_same_words() -> None:
    """Another service's seal is refused with the same words, even with our key's id."""
    foreign = sealed(by=Sealer([FOREIGN], clock_s=time.time))

    assert refused(foreign) == THE_WORDS
    assert refused(sealed()[:9] + foreign[9:]) == THE_WORDS


@pytest.mark.parametrize("purpose", [b"", b"escro", b"escrow ", b"Escrow", b"totp"])
def test_another_purpose_is_refused_in_the_same_words(purpose: bytes) -> None:
    """Row 82: a seal for another purpose is refused with the same words."""
    assert refused(sealed(), purpose=purpose) == THE_WORDS


@pytest.mark.parametrize(
    "bound_to",
    [b"", TO[:-1], TO + b"\0", bind(b"challenge", b"another"), bind(b"another", b"browser"), bind(b"challengebrowser")],
)
def test_another_binding_is_refused_in_the_same_words(bound_to: bytes) -> None:
    """Row 82: a seal bound to another browser or challenge is refused with the same words."""
    assert refused(sealed(), bound_to=bound_to) == THE_WORDS


def test_purpose_and_binding_do_not_run_into_each_other() -> None:
    """A byte moved from the end of the purpose to the start of the binding makes another seal."""
    found = SEALER.seal(b"ab", b"data", bound_to=b"c")

    assert refused(found, purpose=b"a", bound_to=b"bc") == THE_WORDS


@given(st.lists(st.binary(max_size=5), max_size=4), st.lists(st.binary(max_size=5), max_size=4))
def test_different_parts_bind_differently(parts: list[bytes], others: list[bytes]) -> None:
    """Different lists of parts never bind to the same bytes."""
    assert (bind(*parts) == bind(*others)) == (parts == others)


@pytest.mark.parametrize(("parts", "others"), [((b"ab", b"c"), (b"a", b"bc")), ((b"a",), (b"a", b"")), ((), (b"",))])
def test_parts_that_join_alike_bind_differently(parts: tuple[bytes, ...], others: tuple[bytes, ...]) -> None:
    """Account `ab` with browser `c` binds differently from account `a` with browser `bc`."""
    assert b"".join(parts) == b"".join(others)
    assert bind(*parts) != bind(*others)


def test_a_new_secret_seals_and_the_old_one_still_opens() -> None:
    """After a rotation the old secret still opens its seals, which are reported as due for rewrapping."""
    both, new_alone = Sealer([NEW, OLD], clock_s=time.time), Sealer([NEW], clock_s=time.time)
    old, new = sealed(b"old"), sealed(b"new", by=both)

    assert [both.open(FOR, each, bound_to=TO) for each in (old, new)] == [b"old", b"new"]
    assert [both.needs_rewrap(old), both.needs_rewrap(new)] == [True, False]
    assert new_alone.open(FOR, new, bound_to=TO) == b"new"
    assert refused(old, by=new_alone) == THE_WORDS
    assert refused(new) == THE_WORDS


def test_a_rewrapped_seal_needs_the_new_secret_alone() -> None:
    """What `needs_rewrap` names is opened and sealed anew; then the old secret may go."""
    both, new_alone = Sealer([NEW, OLD], clock_s=time.time), Sealer([NEW], clock_s=time.time)
    old = sealed(b"a factor's secret")

    anew = sealed(both.open(FOR, old, bound_to=TO), by=both)

    assert not both.needs_rewrap(anew)
    assert new_alone.open(FOR, anew, bound_to=TO) == b"a factor's secret"


@pytest.mark.parametrize(
    "shown", [b"", b"\x01", b"\x02" + sealed()[1:], sealed(by=Sealer([FOREIGN], clock_s=time.time))]
)
def test_damaged_data_counts_as_sealed_under_an_old_secret(shown: bytes) -> None:
    """Damaged data counts as not under the newest secret: better tried in vain than left behind."""
    assert SEALER.needs_rewrap(shown)


def test_a_thousand_seals_of_one_value_all_differ() -> None:
    """A thousand seals of one value have a thousand nonces and look unrelated."""
    whole = [sealed(b"value") for _ in range(1_000)]

    assert len({w[21:33] for w in whole}) == len({w[33:] for w in whole}) == 1_000


def test_a_derived_key_seals_256_messages_of_one_purpose() -> None:
    """A salt, and the key derived from it, serves 256 messages: GCM allows no key 2^32 of them under random nonces."""
    sealer = Sealer([OLD], clock_s=time.time)
    salts = Counter(sealer.seal(FOR, b"value", bound_to=TO)[9:21] for _ in range(1_000))
    others = Counter(sealer.seal(b"another", b"value", bound_to=TO)[9:21] for _ in range(257))

    assert sorted(salts.values()) == [232, 256, 256, 256]
    assert sorted(others.values()) == [1, 256]
    assert salts.keys().isdisjoint(others)


def test_after_a_fork_no_nonce_is_used_twice() -> None:
    """Two processes go on with one key after a fork: with a common nonce, GCM would reveal both messages."""
    sealer = Sealer([OLD], clock_s=time.time)
    sealer.seal(FOR, b"value", bound_to=TO)
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, b"".join(sealer.seal(FOR, b"value", bound_to=TO)[21:33] for _ in range(100)))
        os._exit(0)
    os.close(writing)
    ours = {sealer.seal(FOR, b"value", bound_to=TO)[21:33] for _ in range(100)}
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)

    assert len(text) == 1_200
    assert len(ours | {text[at : at + 12] for at in range(0, 1_200, 12)}) == 200


def test_the_layout_of_a_seal_does_not_change() -> None:
    """The layout is version, key id, salt, nonce, AES-256-GCM: an update must open what databases hold."""
    assert SEALER.open(FOR, laid_out(b"data"), bound_to=TO) == b"data"


def test_a_seal_of_the_first_version_opens() -> None:
    """A seal written down from the first version still opens."""
    kept = bytes.fromhex(
        "019ce14e35c356b5602c6a651abddacd21c0b548c1d3319b5c989051c9b3e3c2566ebdd89979206095bec24fdaf4f3f29f38"
        "b63b97ce963b0d644dab756969b73bf0a96f24497c46f45be12c94"
    )

    assert SEALER.open(FOR, kept, bound_to=TO) == b"kept since the first version"


def test_lengths_are_bounded() -> None:
    """The longest data is sealed and opened; longer data raises when sealing and is refused when opening."""
    longest = sealed(bytes(DATA_BYTES_MAX))

    assert len(SEALER.open(FOR, longest, bound_to=TO)) == DATA_BYTES_MAX
    assert refused(laid_out(bytes(DATA_BYTES_MAX + 1))) == THE_WORDS
    with pytest.raises(ValueError, match=r"^at most 2097152 bytes can be sealed$"):
        sealed(bytes(DATA_BYTES_MAX + 1))


def test_without_a_secret_nothing_is_sealed() -> None:
    """An empty list of secrets is an error, not a key."""
    with pytest.raises(ValueError, match=r"^a sealer needs at least one secret$"):
        Sealer([], clock_s=time.time)


def test_a_sealer_shows_no_key() -> None:
    """No `repr` shows a key, and errors are our own."""
    sealer = Sealer([b"canary-secret" * 4], clock_s=time.time)

    assert "canary" not in repr(sealer) + str(sealer) + repr(Unsealable())
    assert not hasattr(sealer, "__dict__")
    assert isinstance(Unsealable(), SekishoError)
