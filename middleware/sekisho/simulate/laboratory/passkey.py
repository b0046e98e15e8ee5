"""An owner's passkey: a software authenticator that signs what its browser says (WebAuthn Level 3, section 6.3.3)."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from sekisho.model.text import base64url
from sekisho.stepup.webauthn import Credential

if TYPE_CHECKING:
    from collections.abc import Mapping

_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_COSE_X, _COSE_Y = bytes.fromhex("a5010203262001215820"), bytes.fromhex("225820")  # ES256 on P-256 (RFC 9053)
_PRESENT_AND_VERIFIED: Final = 0x05
_COUNT: Final = bytes(4)  # synchronised passkeys count no signatures


class Passkey:
    """A passkey of one account.

    Args:
        seed: 32 bytes; the same seed makes the same passkey.
    """

    def __init__(self, seed: bytes) -> None:
        self._key = ec.derive_private_key(1 + int.from_bytes(seed, "big") % (_P256_ORDER - 1), ec.SECP256R1())
        self._id = sha256(b"id" + seed).digest()
        self._user_handle = sha256(b"user" + seed).digest()

    @property
    def credential(self) -> Credential:
        """The credential that the service stores of this passkey."""
        point = self._key.public_key().public_numbers()
        public = _COSE_X + point.x.to_bytes(32, "big") + _COSE_Y + point.y.to_bytes(32, "big")
        return Credential(self._id, public, 0, self._user_handle)

    def sign(self, options: Mapping[str, Any], origin: str) -> str:
        """Return the passkey's signed answer to `options`, as JSON, for a page of this origin.

        The browser names the page's own origin, so an answer that a phisher's page gets is worth nothing elsewhere.
        """
        client_data = json.dumps(
            {"type": "webauthn.get", "challenge": options["challenge"], "origin": origin, "crossOrigin": False}
        ).encode()
        data = sha256(options["rpId"].encode()).digest() + bytes([_PRESENT_AND_VERIFIED]) + _COUNT
        signature = self._key.sign(data + sha256(client_data).digest(), ec.ECDSA(SHA256()))
        name = base64url(self._id)
        response = {
            "clientDataJSON": base64url(client_data),
            "authenticatorData": base64url(data),
            "signature": base64url(signature),
            "userHandle": base64url(self._user_handle),
        }
        return json.dumps(
            {"id": name, "rawId": name, "type": "public-key", "clientExtensionResults": {}, "response": response}
        )
