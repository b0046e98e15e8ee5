"""A software authenticator: it creates passkeys, signs with them, and makes any mistake on demand.

Written from WebAuthn Level 3 (sections 5.8.1, 6.1, 6.5) and not from the library under test, so that both must agree.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

PrivateKey = ec.EllipticCurvePrivateKey | Ed25519PrivateKey | rsa.RSAPrivateKey

PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, ATTESTED, EXTENDED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80


@dataclass(frozen=True)
class Mistakes:
    """The mistakes to make; by default none."""

    origin: str | None = None
    rp_id: str | None = None
    challenge: bytes | None = None
    ceremony: str | None = None
    client_data: dict[str, Any] = field(default_factory=dict)
    client_data_raw: bytes | None = None
    user_verified: bool = True
    user_present: bool = True
    flags: int = 0
    sign_count: int | None = None
    credential_id: bytes | None = None
    user_handle: bytes | None = None
    signed_by: PrivateKey | None = None
    tampered_signature: bool = False
    cose_key: object = None
    attestation: dict[str, Any] = field(default_factory=dict)
    extensions: object = None


NONE = Mistakes()


class Authenticator:
    """One passkey at one site.

    Args:
        origin: the page that the browser stands on.
        key: ES256 (P-256), EdDSA (Ed25519) or RS256.
        credential_id: how it names its passkey.
        counts: whether it counts signatures; synchronised passkeys don't.
        aaguid: its model.
    """

    def __init__(
        self,
        origin: str,
        key: PrivateKey,
        *,
        credential_id: bytes = b"i" * 32,
        counts: bool = True,
        aaguid: bytes = bytes(16),
    ) -> None:
        self.origin = origin
        self.key = key
        self.credential_id = credential_id
        self.counts = counts
        self.aaguid = aaguid
        self.sign_count = 0
        self.user_handle = b""

    def create(self, options: dict[str, Any], mistakes: Mistakes = NONE) -> bytes:
        """The result of `navigator.credentials.create()`, as JSON."""
        self.user_handle = unpadded(options["user"]["id"])
        client_data = self._client_data("webauthn.create", options["challenge"], mistakes)
        credential_id = mistakes.credential_id or self.credential_id
        attested = self.aaguid + len(credential_id).to_bytes(2) + credential_id
        key = cbor2.dumps(mistakes.cose_key or cose(self.key))
        data = self._data(options["rp"]["id"], mistakes, flags=ATTESTED) + attested + key + extensions(mistakes)
        attestation = {"fmt": "none", "attStmt": {}, "authData": data} | mistakes.attestation
        response = {
            "clientDataJSON": text(client_data),
            "attestationObject": text(cbor2.dumps(attestation)),
            "transports": ["internal", "hybrid", "telepathy"],
        }
        return self._credential(self.credential_id, response)

    def create_self_attested(self, options: dict[str, Any]) -> bytes:
        """The same with a self attestation, which browsers may pass on unasked."""
        made = json.loads(self.create(options))
        attestation = cbor2.loads(unpadded(made["response"]["attestationObject"]))
        signed = attestation["authData"] + sha256(unpadded(made["response"]["clientDataJSON"])).digest()
        attestation |= {"fmt": "packed", "attStmt": {"alg": cose(self.key)[3], "sig": sign(self.key, signed)}}
        made["response"]["attestationObject"] = text(cbor2.dumps(attestation))
        return json.dumps(made).encode()

    def get(self, options: dict[str, Any], mistakes: Mistakes = NONE) -> bytes:
        """The result of `navigator.credentials.get()`, as JSON."""
        self.sign_count += self.counts
        client_data = self._client_data("webauthn.get", options["challenge"], mistakes)
        data = self._data(options["rpId"], mistakes) + extensions(mistakes)
        signature = sign(mistakes.signed_by or self.key, data + sha256(client_data).digest())
        if mistakes.tampered_signature:
            signature = signature[:-1] + bytes([signature[-1] ^ 1])
        response = {
            "clientDataJSON": text(client_data),
            "authenticatorData": text(data),
            "signature": text(signature),
            "userHandle": text(mistakes.user_handle or self.user_handle) or None,
        }
        return self._credential(mistakes.credential_id or self.credential_id, response)

    def _client_data(self, ceremony: str, challenge: str, mistakes: Mistakes) -> bytes:
        said = {
            "type": mistakes.ceremony or ceremony,
            "challenge": challenge if mistakes.challenge is None else text(mistakes.challenge),
            "origin": mistakes.origin or self.origin,
            "crossOrigin": False,
        }
        return mistakes.client_data_raw or json.dumps(said | mistakes.client_data).encode()

    def _data(self, rp_id: str, mistakes: Mistakes, flags: int = 0) -> bytes:
        flags |= mistakes.flags | PRESENT * mistakes.user_present | VERIFIED * mistakes.user_verified
        flags |= EXTENDED * (mistakes.extensions is not None)
        if not self.counts:
            flags |= ELIGIBLE | BACKED_UP
        count = self.sign_count if mistakes.sign_count is None else mistakes.sign_count
        return sha256((mistakes.rp_id or rp_id).encode()).digest() + bytes([flags]) + count.to_bytes(4)

    @staticmethod
    def _credential(credential_id: bytes, response: dict[str, Any]) -> bytes:
        credential = {
            "id": text(credential_id),
            "rawId": text(credential_id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        }
        return json.dumps(credential).encode()


def extensions(mistakes: Mistakes) -> bytes:
    return b"" if mistakes.extensions is None else cbor2.dumps(mistakes.extensions)


def sign(key: PrivateKey, data: bytes) -> bytes:
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(data)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), SHA256())
    return key.sign(data, ec.ECDSA(SHA256()))


def cose(key: PrivateKey) -> dict[int, Any]:
    """The public key in the form of RFC 9052 and 9053."""
    if isinstance(key, Ed25519PrivateKey):
        return {1: 1, 3: -8, -1: 6, -2: key.public_key().public_bytes_raw()}
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {1: 3, 3: -257, -1: numbers.n.to_bytes(key.key_size // 8), -2: numbers.e.to_bytes(3)}
    point = key.public_key().public_numbers()
    size = (key.key_size + 7) // 8
    return {1: 2, 3: -7, -1: 1 if size == 32 else 2, -2: point.x.to_bytes(size), -3: point.y.to_bytes(size)}


def text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def unpadded(encoded: str) -> bytes:
    return urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
