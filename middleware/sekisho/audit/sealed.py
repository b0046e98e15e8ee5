"""Names and keys that only the holder of a private key reads, which the service does not have.

By HPKE (RFC 9180) with X25519, HKDF-SHA-256 and AES-256-GCM, as the package `cryptography` does it. A support desk is
given the private key; an attacker who copies the audit file and the service's secret reads no name.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from typing import Final, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from sekisho.files import AS_IT_IS
from sekisho.model.text import from_base64url

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
NAME: Final = "sekisho audit name "
KEY: Final = "sekisho audit key "
SEALED_CHARS_MAX: Final = 1_024


@final
class RecipientSealer:
    """Seals for one recipient. `public`: the 32 bytes of its key."""

    def __init__(self, public: bytes) -> None:
        self._public: Final = X25519PublicKey.from_public_bytes(public)

    def name(self, name: str, account: str) -> str:
        """Seal a name for the recipient, bound to the account's pseudonym: it opens on no other account's line."""
        return self._sealed(name.encode("utf-8", "surrogatepass"), NAME + account)

    def key(self, key: bytes, place: str) -> str:
        """Seal a chain's key for the recipient, bound to `place`, the name of its line: it opens for no other line."""
        return self._sealed(key, KEY + place)

    def _sealed(self, data: bytes, info: str) -> str:
        return urlsafe_b64encode(_SUITE.encrypt(data, self._public, info.encode())).decode().rstrip("=")


@final
class RecipientOpener:
    """Opens what was sealed for a private key. Every method returns None for a text that is not."""

    def __init__(self, private: X25519PrivateKey) -> None:
        self._private: Final = private

    def name(self, sealed: str, account: str) -> str | None:
        opened = self._opened(sealed, NAME + account)
        return None if opened is None else opened.decode("utf-8", "replace")

    def key(self, sealed: str, place: str) -> bytes | None:
        return self._opened(sealed, KEY + place)

    def _opened(self, sealed: str, info: str) -> bytes | None:
        if len(sealed) > SEALED_CHARS_MAX:
            return None
        try:
            data = from_base64url(sealed)
            return _SUITE.decrypt(data, self._private, info.encode())
        except (ValueError, InvalidTag):
            return None


def new_private_key(path: str) -> str:
    """Write a new private key (PEM, readable by its owner only), and return its public key for the setting.

    Raises `OSError`: also where the file exists.
    """
    private = X25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | AS_IT_IS, 0o600), "wb", 0) as file:
        try:
            file.write(pem)
        except OSError as error:
            os.unlink(path)  # noqa: PTH108 - `path` is a text
            raise OSError(error.errno, error.strerror, path) from None
    return urlsafe_b64encode(private.public_key().public_bytes_raw()).decode().rstrip("=")


def private_key(pem: bytes) -> X25519PrivateKey | None:
    """The private key of a PEM file; None if it is of another kind, or none."""
    try:
        found = load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        return None
    return found if isinstance(found, X25519PrivateKey) else None
