"""Passkeys (WebAuthn Level 3): a phishing page cannot forward this factor, because it signs the page's origin.

An authenticator signs the challenge, the origin of the page that showed it, and that it verified its owner. A thief who
has the right password, and even talks to the owner on the phone, has nothing to forward. The library `webauthn`
verifies signatures. This module does what the library leaves to its callers: strict reading, required properties,
decoys, and errors that tell the client nothing.

**Decoys.** Every account is shown the same number of passkeys of the same lengths, even an account without passkeys.
`decoys` lists the remaining differences. The caller must equalise the time to read and unseal stored passkeys. No
transports are listed: each list would have to name all of them, and for a browser a missing list means the same. A
response for a decoy's id is verified like any other, against a key that belongs to no account, and is refused with any
result. Its time differs from a real one's only by the algorithm: decoys verify as ES256 (as most passkeys do) in some
165 µs; RSA, which Windows Hello uses, takes about 20 µs less, and Ed25519 20 µs more.

**The caller binds the state.** A state names a challenge, a ceremony and an end, but no account. The caller seals it
bound to the account exactly as the application reads it, to browser and door, stores it, and takes it out once. The
credentials that are passed in must be those of that account alone, so a client that registers another account's id
gains nothing.

Pure: time and randomness arrive as values.
"""

from __future__ import annotations

from hashlib import blake2b, sha256
from re import ASCII
from re import compile as pattern
from struct import Struct
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    bytes_to_base64url,
    parse_attestation_object,
    parse_authenticator_data,
    parse_cbor,
)
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

from sekisho.model.text import utf8
from sekisho.stepup.proof import ProofFailed
from sekisho.stepup.webauthn.cbor import check_authenticator_data, check_cbor
from sekisho.stepup.webauthn.credential import Credential
from sekisho.stepup.webauthn.decoys import LISTED, Decoys
from sekisho.stepup.webauthn.keys import ALGORITHMS, decoy_key_of, is_sound
from sekisho.stepup.webauthn.makers import with_maker
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
    from collections.abc import Callable, Iterable, Sequence

T = TypeVar("T")

__all__ = ["CREDENTIALS_MAX", "RESPONSE_BYTES_MAX", "SECONDS", "Credential", "ProofFailed", "WebAuthn"]

CREDENTIALS_MAX = LISTED
"""Passkeys of one account. One more would not fit into the list, and the list's length would show it."""

SECONDS = 300
"""Time for the owner to find the key and touch it."""

_CHALLENGE_BYTES = 32
_STATE = Struct(">BBQ32s32s")  # version, ceremony, end (Unix s), challenge, user handle (zeros for authentication)
_VERSION = 1
_CREATE, _GET = 1, 2

_ORIGIN = pattern(
    r"https://[a-z0-9.-]+(:[0-9]+)?|http://localhost(:[0-9]+)?|android:apk-key-hash:[A-Za-z0-9_-]{43}", ASCII
)


class WebAuthn:
    """Makes the options for a browser, and verifies its response.

    Args:
        rp_id: the domain that passkeys are bound to. A change makes all enrolled passkeys useless.
        rp_name: the name that owners read on their devices.
        origins: the pages that may ask, exactly as browsers write them: `https://shop.example`.
        decoy_key: at least 32 secret bytes that outlive the rotation of secrets.

    Raises:
        ValueError: an argument is empty, too short, or no origin.
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
        self._decoy_public_key = decoy_key_of(self._key)

    def registration_options(
        self, account_id: str, account_name: str, existing: Sequence[Credential], *, fresh: bytes, now_s: int
    ) -> tuple[dict[str, Any], bytes]:
        """Return the options for a browser in which an owner enrols a passkey.

        Args:
            account_id: the account exactly as the application knows it; leaves this module only as a keyed digest.
            account_name: the name that the owner's device shows.
            existing: the account's passkeys; an authenticator that holds one of them declines.
            fresh: 32 random bytes.
            now_s: Unix time in seconds.

        Returns:
            `PublicKeyCredentialCreationOptionsJSON`, and the state. The caller seals and stores the state, and takes it
            once.
        """
        # A second handle would make a second entry in the owner's password manager, and one of the two would be
        # useless.
        handle = existing[0].user_handle if existing else self.user_handle(account_id)
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
        """Verify a registration, and return the new passkey. Raises `ProofFailed`.

        Args:
            state: the state from `registration_options`, taken from the store.
            response: the JSON of the browser's `PublicKeyCredential.toJSON()`.
            existing: the account's passkeys as they are now.
            now_s: Unix time in seconds.
        """
        challenge, handle = _opened(state, _CREATE, now_s)
        made = read_attestation(response)
        check_client_data(made.client_data, ceremony="webauthn.create", challenge=challenge, origins=self._origins)
        self._check_attestation(_attestation(made.attestation_object))
        credential = self._registered(made, challenge, handle)
        if any(credential.id == other.id for other in existing):
            refuse("enrolled")
        if len(existing) >= CREDENTIALS_MAX:
            refuse("full")
        return credential

    def authentication_options(
        self, account_digest: str, credentials: Sequence[Credential], *, fresh: bytes, now_s: int
    ) -> tuple[dict[str, Any], bytes]:
        """Return the options for a browser in which a client must prove that it is an account's owner.

        Args:
            account_digest: selects the decoys. It is the same for all spellings of an account, known or not.
            credentials: the account's passkeys; empty if it has none or does not exist.
            fresh: 32 random bytes.
            now_s: Unix time in seconds.

        Returns:
            `PublicKeyCredentialRequestOptionsJSON`, and the state. The caller seals and stores the state, and takes it
            once.
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
        """Return the passkey that was shown, with its new count, to store by compare-and-set. Raises `ProofFailed`.

        Args:
            state: the state from `authentication_options`, taken from the store.
            response: the JSON of the browser's `PublicKeyCredential.toJSON()`.
            credentials: the account's passkeys as they are now. A passkey that was removed meanwhile proves nothing.
            now_s: Unix time in seconds.
        """
        challenge, _ = _opened(state, _GET, now_s)
        return self._authenticated(read_assertion(response), challenge, credentials)

    def login_options(self, challenge: bytes, *, seconds: int) -> dict[str, Any]:
        """Return the options for a browser whose user has named no account: the authenticator names it.

        Args:
            challenge: at least 16 bytes that nobody can guess; the caller recognises it and accepts it once.
            seconds: how long it is valid.
        """
        options = generate_authentication_options(
            rp_id=self._rp_id,
            challenge=challenge,
            timeout=seconds * 1000,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json_dict(options)

    def authenticate_owner(self, shown: Assertion, challenge: bytes, credentials: Sequence[Credential]) -> Credential:
        """As `authenticate`, where the passkey itself named the account. Raises `ProofFailed`.

        Args:
            shown: names the account by its user handle (section 7.2, step 6).
            challenge: the challenge that was sent, used for the first time.
            credentials: of the account with this user handle.
        """
        if not shown.user_handle:
            refuse("user")
        return self._authenticated(shown, challenge, credentials)

    def _authenticated(self, shown: Assertion, challenge: bytes, credentials: Sequence[Credential]) -> Credential:
        check_client_data(shown.client_data, ceremony="webauthn.get", challenge=challenge, origins=self._origins)
        check_authenticator_data(shown.authenticator_data)
        data = _parsed(parse_authenticator_data, shown.authenticator_data)
        self._check_authenticator(data)
        credential = {one.id: one for one in credentials}.get(shown.id)
        # Verified in any case, or the time would distinguish decoys from passkeys.
        holds = self._signature_holds(shown, challenge, credential.public_key if credential else self._decoy_public_key)
        if credential is None:
            refuse("unknown_credential")
        if not holds:
            refuse("signature")
        return _with_count(credential, shown.user_handle, data.sign_count)

    def accepted(self, account_id: str, credentials: Sequence[Credential]) -> dict[str, Any]:
        """The account's passkeys for the Signal API: the owner's device hides those that were removed here.

        Only for an owner who has shown a proof: the list names real passkeys without decoys.
        """
        handle = credentials[0].user_handle if credentials else self.user_handle(account_id)
        return {
            "rpId": self._rp_id,
            "userId": bytes_to_base64url(handle),
            "allAcceptedCredentialIds": [bytes_to_base64url(credential.id) for credential in credentials],
        }

    def user_handle(self, account_id: str) -> bytes:
        """The handle that a first passkey of an account gets: a keyed digest of 32 bytes."""
        name = utf8(account_id)
        return blake2b(name, key=self._key, digest_size=32, person=b"passkey user").digest()

    def _check_authenticator(self, data: AuthenticatorData) -> None:
        if data.rp_id_hash != self._rp_id_hash:
            refuse("rp_id")
        if not data.flags.up:
            refuse("not_present")
        # Without user verification, a passkey proves only possession of the device, which a thief has too.
        if not data.flags.uv:
            refuse("not_verified")

    def _check_attestation(self, attestation: AttestationObject) -> None:
        # The options ask for no attestation, and browsers strip the others. A chain of certificates would feed a
        # client's bytes to six more parsers, and would prove only the maker of the device.
        said: object = attestation.fmt  # any type that CBOR can hold
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
            sound = is_sound(verified.credential_public_key)
            public_key = with_maker(verified.credential_public_key, UUID(verified.aaguid).bytes)
        except Exception:  # noqa: BLE001 - parsers raise any error for a client's bytes: each one means refusal
            refuse("key")
        # The outer id comes from the browser, the inner one from the authenticator.
        if verified.credential_id != made.id or not sound:
            refuse("key")
        return Credential(made.id, public_key, verified.sign_count, handle, made.transports)

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
                # The library compares the count before the signature: it would refuse a low count sooner for a passkey
                # than for a decoy, and so distinguish them. `_with_count` compares it afterwards.
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        except Exception:  # noqa: BLE001 - parsers raise any error for a client's bytes: each one means refusal
            return False
        return True


def _state(ceremony: int, challenge: bytes, now_s: int, handle: bytes = bytes(32)) -> bytes:
    if len(challenge) != _CHALLENGE_BYTES:
        raise ValueError("fresh: 32 random bytes")
    return _STATE.pack(_VERSION, ceremony, now_s + SECONDS, challenge, handle)


def _opened(state: bytes, ceremony: int, now_s: int) -> tuple[bytes, bytes]:
    """Return challenge and user handle of a valid state. Raises `ProofFailed`."""
    if len(state) != _STATE.size:
        refuse("state")
    version, was_for, end_s, challenge, handle = _STATE.unpack(state)
    if (version, was_for) != (_VERSION, ceremony):
        refuse("state")
    if now_s >= end_s:
        refuse("expired")
    return challenge, handle


def _with_count(credential: Credential, user_handle: bytes, sign_count: int) -> Credential:
    if user_handle and user_handle != credential.user_handle:
        refuse("user")
    # A count that does not rise means that two devices hold one key (WebAuthn section 6.1.1). Synchronised passkeys
    # send 0.
    if (sign_count or credential.sign_count) and sign_count <= credential.sign_count:
        refuse("cloned")
    return credential._replace(sign_count=sign_count)


def _attestation(raw: bytes) -> AttestationObject:
    """Read an attestation. Its authenticator data are checked first: the library decodes both at once."""
    check_cbor(raw)
    said = _parsed(parse_cbor, raw)
    data = said.get("authData") if type(said) is dict else None
    if type(data) is not bytes:
        refuse("malformed")
    check_authenticator_data(data)
    return _parsed(parse_attestation_object, raw)


def _described(credential: Credential) -> PublicKeyCredentialDescriptor:
    transports = [AuthenticatorTransport(name) for name in credential.transports]
    return PublicKeyCredentialDescriptor(id=credential.id, transports=transports or None)


def _parsed(parse: Callable[[bytes], T], raw: bytes) -> T:
    try:
        return parse(raw)
    except Exception:  # noqa: BLE001 - parsers raise any error for a client's bytes: each one means refusal
        refuse("malformed")
