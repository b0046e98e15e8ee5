"""Reads a browser's response strictly: each field once, of its type, in its only spelling, within its bound.

The library below is lenient (base64 with foreign characters, client data in UTF-16, any attestation). Each leniency
feeds a client's bytes to one more parser.
"""

from __future__ import annotations

from hmac import compare_digest
from json import JSONDecoder
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from sekisho.model.text import base64url, from_base64url, utf8
from sekisho.stepup.proof import ProofFailed
from sekisho.stepup.webauthn.credential import ID_BYTES_MAX, TRANSPORTS

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

RESPONSE_BYTES_MAX = 16_384
_CLIENT_DATA_BYTES_MAX = 2_048  # Chromium's is about 200; an origin may be long
_AUTHENTICATOR_DATA_BYTES_MAX = 1_024  # 37, and extensions that the options did not ask for
_SIGNATURE_BYTES_MAX = 512  # RSA of 4096 bits
_ATTESTATION_BYTES_MAX = 4_096  # an id of 1023 bytes, an RSA key, and the attestation's own signature
_CHALLENGE_BYTES_MAX = 128  # sealed ones have 57
_USER_HANDLE_BYTES_MAX = 64  # WebAuthn section 5.4.3


class Attestation(NamedTuple):
    """A new passkey as the browser reports it; no field has been verified."""

    id: bytes
    client_data: bytes
    attestation_object: bytes
    transports: tuple[str, ...]


class Assertion(NamedTuple):
    """A passkey's signature as the browser reports it; no field has been verified."""

    id: bytes
    client_data: bytes
    authenticator_data: bytes
    signature: bytes
    user_handle: bytes


def read_attestation(response: bytes) -> Attestation:
    """Read a `RegistrationResponseJSON` (WebAuthn Level 3, section 5.1). Raises `ProofFailed`."""
    credential_id, fields = _read(response)
    return Attestation(
        credential_id,
        _bytes(fields, "clientDataJSON", _CLIENT_DATA_BYTES_MAX),
        _bytes(fields, "attestationObject", _ATTESTATION_BYTES_MAX),
        _transports(fields.get("transports")),
    )


def read_assertion(response: bytes) -> Assertion:
    """Read an `AuthenticationResponseJSON` (WebAuthn Level 3, section 5.1). Raises `ProofFailed`."""
    credential_id, fields = _read(response)
    without_handle = fields.get("userHandle") in (None, "")  # from toJSON(), and from older scripts
    return Assertion(
        credential_id,
        _bytes(fields, "clientDataJSON", _CLIENT_DATA_BYTES_MAX),
        _bytes(fields, "authenticatorData", _AUTHENTICATOR_DATA_BYTES_MAX),
        _bytes(fields, "signature", _SIGNATURE_BYTES_MAX),
        b"" if without_handle else _bytes(fields, "userHandle", _USER_HANDLE_BYTES_MAX),
    )


def challenge_of(raw: bytes) -> bytes:
    """The challenge that client data name; nothing is verified. Raises `ProofFailed`."""
    return _bytes(_json_object(raw), "challenge", _CHALLENGE_BYTES_MAX)


def check_client_data(raw: bytes, *, ceremony: str, challenge: bytes, origins: AbstractSet[str]) -> None:
    """Check what the browser reports about its page. Raises `ProofFailed`.

    Args:
        raw: the bytes that the authenticator signed.
        ceremony: `webauthn.create` or `webauthn.get`; a signature for one is not valid for the other.
        challenge: the challenge that was sent.
        origins: the allowed origins of the page.
    """
    said = _json_object(raw)
    if said.get("type") != ceremony:
        refuse("ceremony")
    if not compare_digest(utf8(_text(said, "challenge")), base64url(challenge).encode()):
        refuse("challenge")
    if _text(said, "origin") not in origins:
        refuse("origin")
    # A frame in a foreign page: the owner would touch the key for a page that covers ours.
    if said.get("crossOrigin", False) is not False or "topOrigin" in said:
        refuse("cross_origin")


def refuse(reason: str) -> NoReturn:
    # Without the cause, which may quote what the client sent.
    raise ProofFailed(reason) from None


def _read(response: bytes) -> tuple[bytes, dict[str, Any]]:
    if len(response) > RESPONSE_BYTES_MAX:
        refuse("malformed")
    credential = _json_object(response)
    fields = credential.get("response")
    if type(fields) is not dict or credential.get("type") != "public-key":
        refuse("malformed")
    # Two fields with one meaning: a parser that reads the other field must find the same id.
    if credential.get("id") != credential.get("rawId"):
        refuse("malformed")
    return _bytes(credential, "rawId", ID_BYTES_MAX), fields


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        tree = _DECODER.decode(raw.decode())
    except (ValueError, RecursionError):
        refuse("malformed")
    if type(tree) is not dict:
        refuse("malformed")
    return tree


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    # The library reads client data once more. Of two equal keys it must not use the other one.
    if len(found) != len(pairs):
        refuse("malformed")
    return found


_DECODER = JSONDecoder(object_pairs_hook=_distinct)


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if type(value) is not str:
        refuse("malformed")
    return value


def _bytes(fields: dict[str, Any], name: str, bytes_max: int) -> bytes:
    text = _text(fields, name)
    if not text or len(text) > -(-bytes_max * 4 // 3):
        refuse("malformed")
    try:
        value = from_base64url(text)
    except ValueError:  # a wrong length, or a character that is not ASCII
        refuse("malformed")
    # The decoder skips foreign characters, and the last character has spare bits: an id would have many spellings.
    if base64url(value) != text:
        refuse("malformed")
    return value


def _transports(listed: object) -> tuple[str, ...]:
    # Hints. Browsers keep adding new ones; unknown ones are left out, not refused.
    known = set(TRANSPORTS) & {name for name in listed if type(name) is str} if type(listed) is list else ()
    return tuple(sorted(known))
