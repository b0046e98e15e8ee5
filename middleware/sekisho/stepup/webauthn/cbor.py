"""Walks CBOR before the library decodes it, and refuses tags: no authenticator writes any (CTAP 2.1, section 8).

The library's decoder turns every tag that it knows into a value. A regular expression of a kilobyte (tag 35) would stop
a worker for seconds, and a stranger needs neither a passkey nor a password to send one.
"""

from __future__ import annotations

from typing import Final

from webauthn.helpers import encode_cbor, parse_cbor

from sekisho.stepup.webauthn.reading import refuse

DEPTH_MAX: Final = 8
"""Arrays and maps within each other; authenticators write four at most."""

_ATTESTED, _EXTENSIONS = 0x40, 0x80  # flags of authenticator data (WebAuthn Level 3, section 6.1)
_FLAGS_AT, _DATA_AT = 32, 37
_ID_LENGTH_AT: Final = _DATA_AT + 16
_BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = 2, 3, 4, 5, 6, 7
_LENGTHS: Final = {24: 1, 25: 2, 26: 4, 27: 8}


def check_cbor(data: bytes) -> None:
    """Check that `data` is one item of CBOR without tags. Raises `ProofFailed`."""
    if _end(data, 0, DEPTH_MAX) != len(data):
        refuse("malformed")


def check_authenticator_data(data: bytes) -> None:
    """Check that the CBOR in authenticator data, a public key and extensions, has no tags. Raises `ProofFailed`.

    The key has to be in its only spelling. The library takes the length of the key that it writes anew for that of the
    key it has read: with numbers in more bytes than they need, it would look for the extensions inside the key, and
    find a tag where this walk finds the bytes of a string.
    """
    if len(data) < _DATA_AT:
        refuse("malformed")
    flags, at = data[_FLAGS_AT], _DATA_AT
    if flags & _ATTESTED:
        at = _ID_LENGTH_AT + 2 + int.from_bytes(data[_ID_LENGTH_AT : _ID_LENGTH_AT + 2])
        key = data[at : (end := _end(data, at, DEPTH_MAX))]
        if _rewritten(key) != key:
            refuse("malformed")
        at = end
    if flags & _EXTENSIONS:
        at = _end(data, at, DEPTH_MAX)
    if at != len(data):
        refuse("malformed")


def _rewritten(item: bytes) -> bytes:
    """An item without tags as the library writes it. Raises `ProofFailed`."""
    try:
        return encode_cbor(parse_cbor(item))
    except Exception:  # noqa: BLE001 - parsers raise any error for a client's bytes: each one means refusal
        refuse("malformed")


def _end(data: bytes, at: int, depth: int) -> int:
    """Return where the item that begins at `at` ends. Raises `ProofFailed`."""
    if at >= len(data) or not depth:
        refuse("malformed")
    kind, short = data[at] >> 5, data[at] & 31
    size = _LENGTHS.get(short, 0)
    # Lengths that are left open (31) need a second way to read each item; authenticators write none.
    if kind == _TAG or (short > 23 and not size) or at + 1 + size > len(data):
        refuse("malformed")
    number = int.from_bytes(data[at + 1 : at + 1 + size]) if size else short
    at += 1 + size
    if kind in {_BYTES, _TEXT}:
        at += number
    elif kind in {_ARRAY, _MAP}:
        for _ in range(number * (kind - 3)):  # each item takes a byte at least, so the end of the data ends this
            at = _end(data, at, depth - 1)
    if at > len(data):
        refuse("malformed")
    return at
