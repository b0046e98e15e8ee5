"""ID tokens: OpenID Connect Core 1.0, section 3.1.3.7, and RFC 8725. Pure: keys and time are arguments."""

from __future__ import annotations

import json
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from joserfc import jwk, jws
from joserfc.errors import JoseError

from sekisho.model.oidc import Identity
from sekisho.model.text import utf8
from sekisho.stepup.proof import ProofFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sekisho.model.oidc import OidcRegistration

TOKEN_CHARS_MAX: Final = 16_384
KEYS_MAX: Final = 32
SKEW_S: Final = 60
AGE_S_MAX: Final = 600
"""The oldest token that is accepted, in seconds: as long as a step-up lives."""

SUBJECT_CHARS_MAX: Final = 255  # Core, section 2
RSA_BITS_MIN: Final = 2_048  # RFC 7518, section 3.3

# Never `none`, and never an HMAC: with one, anybody could sign with the provider's public key (RFC 8725, section 2.1).
_KEY_TYPES: Final = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
_FAULTS: Final = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


class UnknownKey(ProofFailed):
    """The token names a key that is not among the known ones: the provider may have changed its keys."""

    def __init__(self) -> None:
        super().__init__("unknown_key")


class Expected(NamedTuple):
    """What a token must say.

    Attributes:
        registration: ours at the provider.
        nonce: the one that was sent with the redirect.
    """

    registration: OidcRegistration
    nonce: str

    def __repr__(self) -> str:
        return "Expected(...)"


class SigningKey(NamedTuple):
    """Attributes:
    id: its `kid`; empty if it has none.
    algorithm: the only one that it may be used with; empty if the provider does not say.
    key: the public key.
    """

    id: str
    algorithm: str
    key: jwk.Key


class _Allowed(jws.JWSRegistry):
    """The algorithms of `_KEY_TYPES` alone. Bounds a token's parts; unknown critical headers are refused."""

    max_header_length = 4_096
    max_payload_length = TOKEN_CHARS_MAX

    def get_alg(self, name: str) -> Any:
        if name not in _KEY_TYPES:
            raise ProofFailed("algorithm")
        return self.algorithms[name]


_ALLOWED: Final = _Allowed(strict_check_header=False)


def signing_keys(key_set: object) -> tuple[SigningKey, ...]:
    """The usable keys of a JWK Set (RFC 7517); others are left out.

    Raises:
        ValueError: it is no JWK Set, or has more than `KEYS_MAX` keys.
    """
    listed = key_set.get("keys") if isinstance(key_set, dict) else None
    if not isinstance(listed, list) or len(listed) > KEYS_MAX:
        raise ValueError("no JWK Set")
    return tuple(found for one in listed if (found := _signing_key(one)) is not None)


def verified(token: str, keys: Iterable[SigningKey], expected: Expected, now_s: int) -> Identity:
    """Verify an ID token, and return the identity that it states.

    Args:
        token: the ID token in compact form.
        keys: of the provider.
        expected: the values that the token must have.
        now_s: Unix time in seconds.

    Raises:
        UnknownKey: the token names a key that is not among `keys`.
        ProofFailed: the token is not genuine, not for this service, not for this log-in, or too old.
    """
    if len(token) > TOKEN_CHARS_MAX:
        raise ProofFailed("token")
    claims = _claims(token, tuple(keys))
    registration = expected.registration
    _ensure("iss", claims.get("iss") == registration.issuer)
    _ensure("aud", _is_for(claims, registration.client_id))
    _ensure("exp", _time(claims, "exp") > now_s - SKEW_S)
    _ensure("iat", now_s - SKEW_S - AGE_S_MAX <= _time(claims, "iat") <= now_s + SKEW_S)
    _ensure("nonce", compare_digest(utf8(_text(claims, "nonce")), utf8(expected.nonce)))
    oldest_s = now_s - SKEW_S - registration.max_age_s
    _ensure("auth_time", oldest_s <= _time(claims, "auth_time") <= now_s + SKEW_S)
    _ensure("acr", not registration.acr or _text(claims, "acr") in registration.acr)
    subject = _text(claims, "sub")
    _ensure("sub", 0 < len(subject) <= SUBJECT_CHARS_MAX)
    return Identity(registration.issuer, subject)


def _claims(token: str, keys: tuple[SigningKey, ...]) -> dict[str, Any]:
    """The claims under a valid signature."""
    try:
        unverified = jws.extract_compact(token.encode(), registry=_ALLOWED)
        key = _chosen(unverified.headers(), keys)
        signed = jws.deserialize_compact(token, key, registry=_ALLOWED)
        claims = json.loads(signed.payload)
    except _FAULTS:
        raise ProofFailed("token") from None
    if not isinstance(claims, dict):
        raise ProofFailed("token")
    return claims


def _chosen(header: Mapping[str, Any], keys: tuple[SigningKey, ...]) -> jwk.Key:
    """The key that a header names. Without a name only where one key is possible (Core, section 10.1)."""
    algorithm, name = header.get("alg"), header.get("kid", "")
    if algorithm not in _KEY_TYPES:
        raise ProofFailed("algorithm")
    fit = [
        one
        for one in keys
        if one.key.key_type == _KEY_TYPES[algorithm] and one.algorithm in {"", algorithm} and name in {"", one.id}
    ]
    if not fit:
        raise UnknownKey
    if len(fit) > 1:
        raise ProofFailed("several_keys")
    return fit[0].key


def _signing_key(member: object) -> SigningKey | None:
    if not isinstance(member, dict) or member.get("use", "sig") != "sig":
        return None
    # A symmetric key in a public document is no secret.
    if member.get("kty") not in {"RSA", "EC", "OKP"}:
        return None
    try:
        key = jwk.import_key(member)
        key_id, algorithm = member.get("kid", ""), member.get("alg", "")
        is_weak = isinstance(key, jwk.RSAKey) and key.public_key.key_size < RSA_BITS_MIN
    except _FAULTS:
        return None
    if is_weak or not isinstance(key_id, str) or not isinstance(algorithm, str):
        return None
    return SigningKey(key_id, algorithm, key)


def _is_for(claims: Mapping[str, Any], client_id: str) -> bool:
    """Whether the token was issued to this client, and, if to others as well, for this one."""
    audience, party = claims.get("aud"), claims.get("azp")
    if party is not None and party != client_id:
        return False
    if isinstance(audience, list):
        return client_id in audience and (len(audience) == 1 or party == client_id)
    return bool(audience == client_id)


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    # `true` is a number in Python, and NaN is no time: every comparison with it is false.
    _ensure(name, isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12)
    return value or 0


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    _ensure(name, isinstance(value, str))
    return str(value)


def _ensure(name: str, holds: bool) -> None:
    if not holds:
        raise ProofFailed(name)
