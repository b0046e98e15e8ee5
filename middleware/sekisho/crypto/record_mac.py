"""Authenticates records that workers and operators share through the store, to which others may have write access."""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from sekisho.crypto.signers import as_signers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.crypto.signers import Signer

_MAC_BYTES: Final = 32
_HEAD: Final = 2 * _MAC_BYTES + 1


class RecordMac:
    """Signs with the newest secret that signs, and verifies with all.

    Args:
        secrets: the service's, newest first.
        namespace: the service's. Two services that share secret and store do not take each other's records.
        key_of, person: BLAKE2b's person strings of the derived key and of the MAC; one pair for each kind of record.
    """

    def __init__(self, secrets: Sequence[bytes | Signer], namespace: str, *, key_of: bytes, person: bytes) -> None:
        signers = as_signers(secrets)
        keys = [(blake2b(signer.secret, digest_size=64, person=key_of).digest(), signer) for signer in signers]
        self._keys = [key for key, _ in keys]
        self._signing = next((key for key, signer in keys if signer.signs), self._keys[0])
        self._person = person
        # No namespace contains a zero byte, so no two pairs of namespace and payload feed the same bytes.
        self._scope = namespace.encode() + b"\0"

    def sign(self, payload: bytes) -> bytes:
        """The payload behind its MAC, on one line if the payload is."""
        return self._mac(self._signing, payload).hex().encode() + b" " + payload

    def verified(self, signed: bytes) -> bytes | None:
        """The payload; None if it is not by this service."""
        shown, payload = signed[:_HEAD], signed[_HEAD:]
        # All keys are tried, so that the time does not tell which one matched.
        matches = [compare_digest(self._mac(key, payload).hex().encode() + b" ", shown) for key in self._keys]
        return payload if any(matches) else None

    def _mac(self, key: bytes, payload: bytes) -> bytes:
        return blake2b(self._scope + payload, key=key, digest_size=_MAC_BYTES, person=self._person).digest()
