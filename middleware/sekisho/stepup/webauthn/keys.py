"""Public keys of passkeys: the algorithms that are asked for, the keys that are taken, and the key of decoys."""

from __future__ import annotations

from hashlib import blake2b

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography, encode_cbor
from webauthn.helpers.cose import COSEAlgorithmIdentifier as Algorithm

ALGORITHMS = [Algorithm.ECDSA_SHA_256, Algorithm.EDDSA, Algorithm.RSASSA_PKCS1_v1_5_SHA_256]
"""In order of preference. The last one serves Windows Hello, whose TPMs may support no other."""


def is_sound(public_key: bytes) -> bool:
    """Whether a COSE key can verify signatures of its algorithm. Another one would lock its owner out later."""
    cose = decode_credential_public_key(public_key)
    key = decoded_public_key_to_cryptography(cose)
    match cose.alg:
        case Algorithm.ECDSA_SHA_256:
            return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
        case Algorithm.EDDSA:
            return isinstance(key, ed25519.Ed25519PublicKey)
        case _:
            # The largest modulus and exponent bound the work that a client's key causes for every signature.
            return (
                isinstance(key, rsa.RSAPublicKey) and 2048 <= key.key_size <= 4096 and key.public_numbers().e == 65537
            )


def decoy_key_of(key: bytes) -> bytes:
    """Return a public ES256 key for decoys, as a COSE key in CBOR.

    Its private part needs no protection, since every response that it verifies is refused.
    """
    seed = blake2b(key, digest_size=32, person=b"passkey nobody").digest()
    point = ec.derive_private_key(int.from_bytes(seed) >> 1 | 1, ec.SECP256R1()).public_key().public_numbers()
    return encode_cbor({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32), -3: point.y.to_bytes(32)})
