"""The stored form of a passkey, as its authenticator reported it at enrolment."""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812 - the name `error` would say nothing
from typing import NamedTuple

TRANSPORTS = ("usb", "nfc", "ble", "smart-card", "internal", "cable", "hybrid")
"""In the order of their bits in the stored form; append new ones (WebAuthn section 5.8.4)."""

ID_BYTES_MAX = 1023
"""WebAuthn section 4, *credential ID*."""

_HEAD = Struct(">BBIHBH")  # version, transports, sign count, lengths of id, user handle and public key
_VERSION = 1


class Credential(NamedTuple):
    """One enrolled passkey.

    Attributes:
        id: chosen by its authenticator; 1 to 1023 bytes.
        public_key: COSE (RFC 9052), as it was registered, and its maker's number if that is well known.
        sign_count: the highest count seen; 0 for synchronised passkeys, which do not count.
        user_handle: the authenticator's name for the account; 32 bytes, derived without a user name or address.
        transports: how the authenticator says it can be reached; hints, sorted.
    """

    id: bytes
    public_key: bytes
    sign_count: int
    user_handle: bytes
    transports: tuple[str, ...] = ()

    def __repr__(self) -> str:
        # An id in a log would link that log to a person's authenticator.
        return "Credential(...)"

    def to_bytes(self) -> bytes:
        """Return the passkey as bytes to store, which `from_bytes` reads. The caller seals them."""
        bits = sum(1 << TRANSPORTS.index(transport) for transport in self.transports)
        lengths = len(self.id), len(self.user_handle), len(self.public_key)
        return _HEAD.pack(_VERSION, bits, self.sign_count, *lengths) + self.id + self.user_handle + self.public_key

    @classmethod
    def from_bytes(cls, stored: bytes) -> Credential:
        """Read the form of `to_bytes`. Raises `ValueError` for other bytes."""
        try:
            version, bits, sign_count, id_bytes, handle_bytes, key_bytes = _HEAD.unpack_from(stored)
        except StructError:
            raise ValueError("not a stored passkey") from None
        handle_at = _HEAD.size + id_bytes
        key_at = handle_at + handle_bytes
        if version != _VERSION or bits >> len(TRANSPORTS) or len(stored) != key_at + key_bytes:
            raise ValueError("not a stored passkey")
        transports = sorted(name for bit, name in enumerate(TRANSPORTS) if bits >> bit & 1)
        return cls(
            stored[_HEAD.size : handle_at], stored[key_at:], sign_count, stored[handle_at:key_at], tuple(transports)
        )
