"""Passkeys (WebAuthn Level 3): the factor that a phishing page cannot pass on, for it names the page that asked.

An authenticator signs the challenge, the origin that showed it and that it verified its owner. A thief with the right
password, and even with the owner's ear on the phone, has nothing to relay. The library `webauthn` verifies; here stand
what it leaves to its callers: strict reading, what is demanded, decoys, and errors that tell the client nothing.

**Decoys.** Every account is shown the same number of passkeys of the same lengths, those without any too; what still
differs is told in `decoys`, and the time to fetch and unseal what is kept is the caller's. No transports are listed:
every list would have to name them all, and that is what leaving them out means to a browser. An assertion for a
decoy's id is verified like any other, against a key that belongs to nobody, and fails whatever comes of it. Its time
differs from a real one's by the algorithm alone: decoys verify as ES256 (most passkeys), in some 165 µs; RSA, which
Windows Hello uses, takes about 20 µs less, and Ed25519 20 more.

**Bindings are the caller's.** A state names a challenge, a ceremony and an end, but no account: the caller seals it
bound to the account exactly as the application reads it, to browser and door, stores it, and takes it out once. The
credentials passed in are those of that account alone; so a client that registers somebody else's id gains nothing.

Pure: time and randomness arrive as values.
"""

from __future__ import annotations

from hashlib import blake2b, sha256
from re import ASCII
from re import compile as pattern
from struct import Struct
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    bytes_to_base64url,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    encode_cbor,
    parse_attestation_object,
    parse_authenticator_data,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier as Algorithm
from webauthn.helpers.options_to_json_dict import options_to_json_dict
from webauthn.helpers.structs import (
    AttestationObject,
    AuthenticationCredential,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    AuthenticatorData,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    RegistrationCredential,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from sekisho.stepup.proof import ProofFailed
from sekisho.stepup.webauthn.credential import Credential
from sekisho.stepup.webauthn.decoys import LISTED, Decoys
from sekisho.stepup.webauthn.reading import (
    RESPONSE_BYTES_MAX,
    Assertion,
    Attestation,
    check_client_data,
    read_assertion,
    read_attestation,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["CREDENTIALS_MAX", "RESPONSE_BYTES_MAX", "SECONDS", "Credential", "ProofFailed", "WebAuthn"]

CREDENTIALS_MAX = LISTED
"""Passkeys of one account. One more than a list has room for would show in its length."""

SECONDS = 300
"""How long an owner has to find the key and touch it."""

ALGORITHMS = [Algorithm.ECDSA_SHA_256, Algorithm.EDDSA, Algorithm.RSASSA_PKCS1_v1_5_SHA_256]
"""In order of preference. The last for Windows Hello, whose TPMs may know nothing else."""

_CHALLENGE_BYTES = 32
_STATE = Struct(">BBQ32s32s")  # version, ceremony, end (Unix s), challenge, user handle (zeros where none is made)
_VERSION = 1
_CREATE, _GET = 1, 2

_ORIGIN = pattern(
    r"https://[a-z0-9.-]+(:[0-9]+)?|http://localhost(:[0-9]+)?|android:apk-key-hash:[A-Za-z0-9_-]{43}", ASCII
)


class WebAuthn:
    """Asks for passkeys and verifies what comes back.

    Args:
        rp_id: the domain passkeys are bound to, for ever: a change strands all that were enrolled.
        rp_name: what owners read on their devices.
        origins: the pages that may ask: `https://shop.example`, exactly as browsers write them.
        decoy_key: 32+ secret bytes that outlive the rotation of secrets.
    """

    def __init__(self, rp_id: str, rp_name: str, origins: Iterable[str], decoy_key: bytes) -> None:
        self._rp_id = rp_id
        self._rp_name = rp_name
        self._origins = frozenset(origins)
        if not self._origins or not all(_ORIGIN.fullmatch(origin) for origin in self._origins):
            raise ValueError("origins: one or more, as browsers write them: https://host, without a path")
        if not rp_id or not rp_name or len(decoy_key) < 32:
            raise ValueError("rp_id and rp_name: not empty; decoy_key: at least 32 bytes")
        self._rp_id_hash = sha256(rp_id.encode()).digest()
        self._key = blake2b(decoy_key, digest_size=64, person=b"sekisho.passkey").digest()
        self._decoys = Decoys(self._key)
        self._nobodys_key = _key_of_nobody(self._key)

    def registration_options(
        self, account_id: str, account_name: str, existing: Sequence[Credential], *, fresh: bytes, now_s: int
    ) -> tuple[dict[str, Any], bytes]:
        """What to ask a browser for when an owner enrols a passkey.

        Args:
            account_id: the account exactly as the application knows it; leaves here only as a keyed digest.
            account_name: what the owner's device will call it.
            existing: the account's passkeys; authenticators that hold one of them are told to decline.
            fresh: 32 random bytes.
            now_s: Unix time.

        Returns:
            `PublicKeyCredentialCreationOptionsJSON`, and the state, to be sealed, stored and taken once.
        """
        # A second handle would make a second entry in the owner's password manager, and one of them useless.
        handle = existing[0].user_handle if existing else self._user_handle(account_id)
        options = generate_registration_options(
            rp_id=self._rp_id,
            rp_name=self._rp_name,
            user_id=handle,
            user_name=account_name,
            challenge=fresh,
            timeout=SECONDS * 1000,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[_described(credential) for credential in existing],
            supported_pub_key_algs=ALGORITHMS,
        )
        return options_to_json_dict(options), _state(_CREATE, fresh, now_s, handle)

    def register(self, state: bytes, response: bytes, existing: Sequence[Credential] = (), *, now_s: int) -> Credential:
        """The passkey that was made. Raises `ProofFailed`.

        Args:
            state: what `registration_options` returned, taken from the store.
            response: the JSON of the browser's `PublicKeyCredential.toJSON()`.
            existing: the account's passkeys as they are now.
            now_s: Unix time.
        """
        challenge, handle = _opened(state, _CREATE, now_s)
        made = read_attestation(response)
        check_client_data(made.client_data, ceremony="webauthn.create", challenge=challenge, origins=self._origins)
        self._check_attestation(_attestation_object(made.attestation_object))
        credential = self._registered(made, challenge, handle)
        if any(credential.id == other.id for other in existing):
            refuse("enrolled")
        if len(existing) >= CREDENTIALS_MAX:
            refuse("full")
        return credential

    def authentication_options(
        self, account_digest: str, credentials: Sequence[Credential], *, fresh: bytes, now_s: int
    ) -> tuple[dict[str, Any], bytes]:
        """What to ask a browser for when somebody must prove to be an account's owner.

        Args:
            account_digest: chooses the decoys. It is the same for all spellings of an account, known or not.
            credentials: the account's passkeys; empty where there are none, or no such account.
            fresh: 32 random bytes.
            now_s: Unix time.

        Returns:
            `PublicKeyCredentialRequestOptionsJSON`, and the state, to be sealed, stored and taken once.
        """
        listed = self._decoys.fill(account_digest, [credential.id for credential in credentials])
        options = generate_authentication_options(
            rp_id=self._rp_id,
            challenge=fresh,
            timeout=SECONDS * 1000,
            allow_credentials=[PublicKeyCredentialDescriptor(id=one) for one in listed],
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json_dict(options), _state(_GET, fresh, now_s)

    def authenticate(
        self, state: bytes, response: bytes, credentials: Sequence[Credential], *, now_s: int
    ) -> Credential:
        """The passkey that was shown, with its new count, to be kept by compare-and-set. Raises `ProofFailed`.

        Args:
            state: what `authentication_options` returned, taken from the store.
            response: the JSON of the browser's `PublicKeyCredential.toJSON()`.
            credentials: the account's passkeys as they are now: one removed meanwhile proves nothing.
            now_s: Unix time.
        """
        challenge, _ = _opened(state, _GET, now_s)
        shown = read_assertion(response)
        check_client_data(shown.client_data, ceremony="webauthn.get", challenge=challenge, origins=self._origins)
        data = _authenticator_data(shown.authenticator_data)
        self._check_authenticator(data)
        credential = {one.id: one for one in credentials}.get(shown.id)
        # Verified in any case, or the time would tell decoys from passkeys.
        holds = self._signature_holds(shown, challenge, credential.public_key if credential else self._nobodys_key)
        if credential is None:
            refuse("unknown_credential")
        if not holds:
            refuse("signature")
        return _account_digest(credential, shown.user_handle, data.sign_count)

    def _user_handle(self, account_id: str) -> bytes:
        name = account_id.encode("utf-8", "surrogatepass")
        return blake2b(name, key=self._key, digest_size=32, person=b"passkey user").digest()

    def _check_authenticator(self, data: AuthenticatorData) -> None:
        if data.rp_id_hash != self._rp_id_hash:
            refuse("rp_id")
        if not data.flags.up:
            refuse("not_present")
        # Without it a passkey proves that somebody holds the device, which a thief does too.
        if not data.flags.uv:
            refuse("not_verified")

    def _check_attestation(self, attestation: AttestationObject) -> None:
        # None is asked for, and browsers strip the others; a chain of certificates would be a stranger's
        # bytes in six more parsers, and prove the maker of a device, which nobody here asks.
        said: object = attestation.fmt  # whatever stood in the CBOR
        if type(said) is not str or said not in {"none", "packed"} or attestation.att_stmt.x5c:
            refuse("attestation")
        self._check_authenticator(attestation.auth_data)

    def _registered(self, made: Attestation, challenge: bytes, handle: bytes) -> Credential:
        try:
            verified = verify_registration_response(
                credential=RegistrationCredential(
                    id=bytes_to_base64url(made.id),
                    raw_id=made.id,
                    response=AuthenticatorAttestationResponse(made.client_data, made.attestation_object),
                ),
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=list(self._origins),
                require_user_verification=True,
                supported_pub_key_algs=ALGORITHMS,
            )
            sound = _is_sound(verified.credential_public_key)
        except Exception:  # noqa: BLE001 - parsers of a stranger's bytes raise what they like: all of it means no
            refuse("key")
        # The id outside is the browser's word, the one inside the authenticator's.
        if verified.credential_id != made.id or not sound:
            refuse("key")
        return Credential(made.id, verified.credential_public_key, verified.sign_count, handle, made.transports)

    def _signature_holds(self, shown: Assertion, challenge: bytes, public_key: bytes) -> bool:
        try:
            verify_authentication_response(
                credential=AuthenticationCredential(
                    id=bytes_to_base64url(shown.id),
                    raw_id=shown.id,
                    response=AuthenticatorAssertionResponse(
                        shown.client_data, shown.authenticator_data, shown.signature
                    ),
                ),
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=list(self._origins),
                credential_public_key=public_key,
                # The library looks at the count before the signature: a low one would be refused sooner for
                # a passkey than for a decoy, and so tell them apart. `_counted` looks afterwards.
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        except Exception:  # noqa: BLE001 - parsers of a stranger's bytes raise what they like: all of it means no
            return False
        return True


def _state(ceremony: int, challenge: bytes, now_s: int, handle: bytes = bytes(32)) -> bytes:
    if len(challenge) != _CHALLENGE_BYTES:
        raise ValueError("fresh: 32 random bytes")
    return _STATE.pack(_VERSION, ceremony, now_s + SECONDS, challenge, handle)


def _opened(state: bytes, ceremony: int, now_s: int) -> tuple[bytes, bytes]:
    """Challenge and user handle of a state that is in force."""
    if len(state) != _STATE.size:
        refuse("state")
    version, was_for, end_s, challenge, handle = _STATE.unpack(state)
    if (version, was_for) != (_VERSION, ceremony):
        refuse("state")
    if now_s >= end_s:
        refuse("expired")
    return challenge, handle


def _account_digest(credential: Credential, user_handle: bytes, sign_count: int) -> Credential:
    if user_handle and user_handle != credential.user_handle:
        refuse("user")
    # Two that count apart are two that hold one key (WebAuthn section 6.1.1). Synchronised passkeys never count.
    if (sign_count or credential.sign_count) and sign_count <= credential.sign_count:
        refuse("cloned")
    return credential._replace(sign_count=sign_count)


def _described(credential: Credential) -> PublicKeyCredentialDescriptor:
    transports = [AuthenticatorTransport(name) for name in credential.transports]
    return PublicKeyCredentialDescriptor(id=credential.id, transports=transports or None)


def _attestation_object(raw: bytes) -> AttestationObject:
    try:
        return parse_attestation_object(raw)
    except Exception:  # noqa: BLE001 - as above
        refuse("malformed")


def _authenticator_data(raw: bytes) -> AuthenticatorData:
    try:
        return parse_authenticator_data(raw)
    except Exception:  # noqa: BLE001 - as above
        refuse("malformed")


def _is_sound(public_key: bytes) -> bool:
    """Whether the key can verify what its algorithm says: one that can't would lock its owner out later."""
    cose = decode_credential_public_key(public_key)
    key = decoded_public_key_to_cryptography(cose)
    match cose.alg:
        case Algorithm.ECDSA_SHA_256:
            return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
        case Algorithm.EDDSA:
            return isinstance(key, ed25519.Ed25519PublicKey)
        case _:
            # The largest modulus and exponent set how much work a stranger's key makes for every signature.
            return (
                isinstance(key, rsa.RSAPublicKey) and 2048 <= key.key_size <= 4096 and key.public_numbers().e == 65537
            )


def _key_of_nobody(key: bytes) -> bytes:
    """An ES256 key for decoys, made in no time and of no worth: what it verifies is refused all the same."""
    seed = blake2b(key, digest_size=32, person=b"passkey nobody").digest()
    point = ec.derive_private_key(int.from_bytes(seed) >> 1 | 1, ec.SECP256R1()).public_key().public_numbers()
    return encode_cbor({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32), -3: point.y.to_bytes(32)})
