"""The maker of a passkey is kept in its key, where earlier versions pass it over."""

from __future__ import annotations

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from webauthn.helpers import decode_credential_public_key

from sekisho.stepup.webauthn.makers import maker, with_maker
from tests.stepup.authenticator import cose

KEY = cbor2.dumps(cose(Ed25519PrivateKey.generate()))
GOOGLE = bytes.fromhex("ea9b8d664d011d213ce4b6b48cb575d4")


def test_a_known_maker_is_kept_and_the_key_reads_as_before() -> None:
    """The library of earlier versions reads the same key from both forms."""
    kept = with_maker(KEY, GOOGLE)
    assert (maker(kept), maker(KEY)) == ("Google Password Manager", "")
    assert decode_credential_public_key(kept) == decode_credential_public_key(KEY)


@pytest.mark.parametrize("aaguid", [b"", bytes(16), b"r" * 16, GOOGLE[:-1]])
def test_an_unknown_maker_is_not_kept(aaguid: bytes) -> None:
    """A rare model's number, or none, leaves the key as it was."""
    assert with_maker(KEY, aaguid) == KEY


@pytest.mark.parametrize("said", [b"x", "text", 5, GOOGLE + b"x", b"r" * 16])
def test_what_a_client_writes_into_its_key_names_no_maker(said: object) -> None:
    """A client chooses its own key: another value under the label is no name and no error."""
    assert maker(cbor2.dumps({**cose(Ed25519PrivateKey.generate()), -70_001: said})) == ""
    assert maker(b"\x04" + bytes(64)) == ""
