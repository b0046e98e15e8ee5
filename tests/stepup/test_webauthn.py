"""Passkeys: their holder gets in; every mistake of authenticators, browsers or attackers is refused."""

from __future__ import annotations

import json
import sys
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sekisho.stepup.webauthn import (
    CREDENTIALS_MAX,
    RESPONSE_BYTES_MAX,
    SECONDS,
    Credential,
    ProofFailed,
    WebAuthn,
)
from sekisho.stepup.webauthn.cbor import check_authenticator_data, check_cbor
from tests.stepup.authenticator import (
    BACKED_UP,
    NONE,
    Authenticator,
    Mistakes,
    PrivateKey,
    cose,
    text,
    unpadded,
)

if TYPE_CHECKING:
    from types import FrameType

NOW = 1_700_000_000
ORIGIN = "https://shop.example"
SITE = WebAuthn("shop.example", "Shop", [ORIGIN, "https://www.shop.example"], b"d" * 32)
FRESH, OTHER_FRESH = b"c" * 32, b"C" * 32

ES256 = ec.derive_private_key(0xA11CE, ec.SECP256R1())
OTHER = ec.derive_private_key(0xB0B, ec.SECP256R1())
EDDSA = Ed25519PrivateKey.from_private_bytes(b"e" * 32)
P384 = ec.derive_private_key(0xA11CE, ec.SECP384R1())
RS256 = rsa.generate_private_key(65537, 2048)

REFUSALS = {"ceremony", "challenge", "origin", "cross_origin", "rp_id", "not_present", "not_verified"}


def enrolled(
    key: PrivateKey = ES256, *, account: str = "7", credential_id: bytes = b"i" * 32, counts: bool = True
) -> tuple[Authenticator, Credential]:
    """An authenticator, and the passkey that the site stores."""
    authenticator = Authenticator(ORIGIN, key, credential_id=credential_id, counts=counts)
    options, state = SITE.registration_options(account, "alice", (), fresh=FRESH, now_s=NOW)
    return authenticator, SITE.register(state, authenticator.create(options), now_s=NOW)


def asked(*credentials: Credential, account: str = "alice", fresh: bytes = FRESH) -> tuple[dict[str, Any], bytes]:
    return SITE.authentication_options(account, credentials, fresh=fresh, now_s=NOW)


def refusal_of_registration(mistakes: Mistakes, key: PrivateKey = ES256) -> str:
    options, state = SITE.registration_options("7", "alice", (), fresh=FRESH, now_s=NOW)
    with pytest.raises(ProofFailed) as failed:
        SITE.register(state, Authenticator(ORIGIN, key).create(options, mistakes), now_s=NOW)
    return failed.value.reason


def refusal(mistakes: Mistakes, *, counted: int = 0) -> str:
    """Why an otherwise right assertion is refused."""
    authenticator, credential = enrolled()
    authenticator.sign_count = counted
    credential = credential._replace(sign_count=counted)
    options, state = asked(credential)
    return refusal_of(state, authenticator.get(options, mistakes), credential)


def refusal_of(state: bytes, response: bytes, *credentials: Credential, now_s: int = NOW) -> str:
    with pytest.raises(ProofFailed) as failed:
        SITE.authenticate(state, response, credentials, now_s=now_s)
    return failed.value.reason


@pytest.mark.parametrize("key", [ES256, EDDSA, RS256], ids=["ES256", "EdDSA", "RS256"])
def test_an_enrolled_passkey_works_each_time(key: PrivateKey) -> None:
    """An enrolled passkey works each time, and its count rises."""
    authenticator, credential = enrolled(key)
    for count in (1, 2):
        options, state = asked(credential)
        credential = SITE.authenticate(state, authenticator.get(options), (credential,), now_s=NOW)
        assert credential.sign_count == count
    assert credential.id == authenticator.credential_id


def test_a_passkey_that_attests_itself_is_enrolled() -> None:
    """A passkey with a self attestation is enrolled: browsers may pass one on unasked."""
    options, state = SITE.registration_options("7", "alice", (), fresh=FRESH, now_s=NOW)
    made = Authenticator(ORIGIN, ES256).create_self_attested(options)
    assert SITE.register(state, made, now_s=NOW).public_key == cbor2.dumps(cose(ES256))


def test_what_is_asked_at_enrolment() -> None:
    """Enrolment requires user verification, prefers a passkey, wants no attestation, and sends no name as the
    handle.
    """
    _, credential = enrolled()
    options, _ = SITE.registration_options("7", "alice", [credential], fresh=FRESH, now_s=NOW)
    expected = {"residentKey": "preferred", "requireResidentKey": False, "userVerification": "required"}
    assert options["authenticatorSelection"] == expected
    assert [options["attestation"], options["timeout"], unpadded(options["challenge"])] == ["none", 300_000, FRESH]
    assert [kind["alg"] for kind in options["pubKeyCredParams"]] == [-7, -8, -257]
    assert options["excludeCredentials"] == [
        {"id": text(b"i" * 32), "type": "public-key", "transports": ["hybrid", "internal"]}
    ]
    assert json.loads(json.dumps(options)) == options


def test_the_handle_is_one_for_an_account_and_another_for_each_other() -> None:
    """The handle is one per account: `Alice` and `alice` differ, and a second passkey keeps the first one's handle."""
    handles = {
        SITE.registration_options(account, "x", (), fresh=FRESH, now_s=NOW)[0]["user"]["id"]
        for account in ("Alice", "alice", "alice", "bob")
    }
    assert len(handles) == 3
    _, credential = enrolled()
    elsewhere = WebAuthn("shop.example", "Shop", [ORIGIN], b"another key that is long enough..")
    options, _ = elsewhere.registration_options("7", "alice", [credential], fresh=FRESH, now_s=NOW)
    assert unpadded(options["user"]["id"]) == credential.user_handle


def test_what_is_asked_at_a_step_up() -> None:
    """A step-up requires user verification, with the drawn challenge and a limit of five minutes."""
    options, _ = asked()
    assert options.keys() == {"challenge", "timeout", "rpId", "allowCredentials", "userVerification"}
    assert [options["userVerification"], options["timeout"], options["rpId"]] == ["required", 300_000, "shop.example"]
    assert unpadded(options["challenge"]) == FRESH


MISTAKES_OF_BOTH = [
    (Mistakes(origin="https://shop.example.evil.example"), "origin"),
    (Mistakes(origin="http://shop.example"), "origin"),
    (Mistakes(origin="https://shop.example/"), "origin"),
    (Mistakes(client_data={"origin": [ORIGIN]}), "malformed"),
    (Mistakes(rp_id="evil.example"), "rp_id"),
    (Mistakes(challenge=OTHER_FRESH), "challenge"),
    (Mistakes(challenge=b""), "challenge"),
    (Mistakes(client_data={"challenge": text(FRESH) + "="}), "challenge"),
    (Mistakes(client_data={"challenge": None}), "malformed"),
    (Mistakes(user_verified=False), "not_verified"),
    (Mistakes(user_present=False), "not_present"),
    (Mistakes(client_data={"crossOrigin": True}), "cross_origin"),
    (Mistakes(client_data={"crossOrigin": "false"}), "cross_origin"),
    (Mistakes(client_data={"crossOrigin": []}), "cross_origin"),
    (Mistakes(client_data={"topOrigin": "https://evil.example"}), "cross_origin"),
    (Mistakes(ceremony="payment.get"), "ceremony"),
    (Mistakes(client_data_raw=b"[]"), "malformed"),
    (Mistakes(client_data_raw=b"[" * 2048), "malformed"),
    (Mistakes(client_data_raw=b'{"type":"webauthn.get","type":"webauthn.get"}'), "malformed"),
    (Mistakes(client_data_raw='{"type":"webauthn.get"}'.encode("utf-16")), "malformed"),
    (Mistakes(client_data={"filler": "x" * 2048}), "malformed"),
]


@pytest.mark.parametrize(("mistakes", "reason"), MISTAKES_OF_BOTH)
def test_no_mistake_passes_a_step_up(mistakes: Mistakes, reason: str) -> None:
    """No mistake passes a step-up, even signed by the owner's passkey: another page or challenge, an idle owner."""
    assert refusal(mistakes) == reason


@pytest.mark.parametrize(("mistakes", "reason"), MISTAKES_OF_BOTH)
def test_no_mistake_passes_an_enrolment(mistakes: Mistakes, reason: str) -> None:
    """The same mistakes enrol no passkey."""
    assert refusal_of_registration(mistakes) == reason


@pytest.mark.parametrize(
    ("mistakes", "counted", "reason"),
    [
        (Mistakes(signed_by=OTHER), 0, "signature"),
        (Mistakes(signed_by=EDDSA), 0, "signature"),
        (Mistakes(tampered_signature=True), 0, "signature"),
        (Mistakes(flags=BACKED_UP), 0, "signature"),
        (Mistakes(credential_id=b"j" * 32), 0, "unknown_credential"),
        (Mistakes(credential_id=b"i" * 31), 0, "unknown_credential"),
        (Mistakes(user_handle=b"b" * 32), 0, "user"),
        (Mistakes(ceremony="webauthn.create"), 0, "ceremony"),
        (Mistakes(sign_count=4), 5, "cloned"),
        (Mistakes(sign_count=5), 5, "cloned"),
        (Mistakes(sign_count=0), 5, "cloned"),
        (Mistakes(signed_by=OTHER, sign_count=4), 5, "signature"),
    ],
)
def test_no_forgery_passes(mistakes: Mistakes, counted: int, reason: str) -> None:
    """Another's signature, another's passkey or an outdated clone is refused."""
    assert refusal(mistakes, counted=counted) == reason


def test_a_passkey_that_never_counts_is_no_clone() -> None:
    """A passkey that never counts (synchronised ones report 0) is no clone."""
    authenticator, credential = enrolled(counts=False)
    for _ in range(2):
        options, state = asked(credential)
        assert SITE.authenticate(state, authenticator.get(options), (credential,), now_s=NOW) == credential


def test_a_passkey_that_begins_to_count_is_held_to_it() -> None:
    """A raised count is stored, so a later lower one reveals a clone."""
    authenticator, credential = enrolled(counts=False)
    options, state = asked(credential)
    credential = SITE.authenticate(state, authenticator.get(options, Mistakes(sign_count=9)), (credential,), now_s=NOW)
    assert refusal_of(state, authenticator.get(options, Mistakes(sign_count=8)), credential) == "cloned"


def test_an_assertion_without_a_handle_passes() -> None:
    """An assertion without a handle passes: security keys that store no account return none."""
    authenticator, credential = enrolled()
    options, state = asked(credential)
    shown = json.loads(authenticator.get(options))
    for absent in ({"userHandle": None}, {"userHandle": ""}, {}):
        kept = {name: value for name, value in shown["response"].items() if name != "userHandle"}
        response = json.dumps(shown | {"response": kept | absent}).encode()
        assert SITE.authenticate(state, response, (credential,), now_s=NOW).sign_count == 1


def test_a_passkey_of_one_account_proves_nothing_at_another() -> None:
    """Of two accounts with one authenticator each neither opens the other, with answers to the same challenge."""
    alices, alice = enrolled(account="Alice")
    mallorys, mallory = enrolled(OTHER, account="alice", credential_id=b"m" * 32)
    options, state = asked(alice)
    assert refusal_of(state, mallorys.get(options), alice) == "unknown_credential"
    assert refusal_of(state, mallorys.get(options, Mistakes(credential_id=alice.id)), alice) == "signature"
    assert SITE.authenticate(state, alices.get(options), (mallory, alice), now_s=NOW).id == alice.id


def test_a_passkey_removed_meanwhile_proves_nothing() -> None:
    """A passkey removed between question and answer proves nothing."""
    authenticator, credential = enrolled()
    options, state = asked(credential)
    assert refusal_of(state, authenticator.get(options)) == "unknown_credential"


def test_a_challenge_ends_after_five_minutes() -> None:
    """A challenge is valid for five minutes, to the second."""
    authenticator, credential = enrolled()
    options, state = asked(credential)
    shown = authenticator.get(options)
    assert SITE.authenticate(state, shown, (credential,), now_s=NOW + SECONDS - 1).id == credential.id
    assert refusal_of(state, shown, credential, now_s=NOW + SECONDS) == "expired"


def test_a_state_serves_its_own_ceremony_alone() -> None:
    """A state is void in the other ceremony, and when cut, extended or unknown."""
    authenticator, credential = enrolled()
    options, state = asked(credential)
    shown = authenticator.get(options)
    _, state_of_enrolment = SITE.registration_options("7", "alice", (), fresh=FRESH, now_s=NOW)
    for wrong in (state_of_enrolment, state[:-1], state + b"\0", b"", b"\2" + state[1:]):
        assert refusal_of(wrong, shown, credential) == "state"
    with pytest.raises(ProofFailed, match=r"^state$"):
        SITE.register(state, shown, now_s=NOW)


def test_an_answer_to_one_challenge_is_none_to_another() -> None:
    """An answer to one challenge is void for another."""
    authenticator, credential = enrolled()
    options, _ = asked(credential)
    _, state = asked(credential, fresh=OTHER_FRESH)
    assert refusal_of(state, authenticator.get(options), credential) == "challenge"


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_challenge_has_32_bytes(length: int) -> None:
    """A challenge of fewer than 32 bytes is refused at once."""
    with pytest.raises(ValueError, match=r"^fresh: 32 random bytes$"):
        asked(fresh=b"c" * length)


OFF_THE_CURVE = {1: 2, 3: -7, -1: 1, -2: bytes(32), -3: bytes(32)}


@pytest.mark.parametrize(
    ("mistakes", "reason"),
    [
        (Mistakes(credential_id=b"j" * 32), "key"),
        (Mistakes(cose_key=OFF_THE_CURVE), "key"),
        (Mistakes(cose_key=cose(P384)), "key"),
        (Mistakes(cose_key=cose(ES256) | {3: -8}), "key"),
        (Mistakes(cose_key=cose(EDDSA) | {3: -7}), "key"),
        (Mistakes(cose_key=cose(ES256) | {3: -257}), "key"),
        (Mistakes(cose_key=cose(ES256) | {3: -65535}), "key"),
        (Mistakes(cose_key=cose(RS256) | {-2: b"\x03"}), "key"),
        (Mistakes(cose_key=cose(RS256) | {-1: b"\xff" * 128}), "key"),
        (Mistakes(cose_key=cose(RS256) | {-1: b"\xff" * 1024}), "key"),
        (Mistakes(cose_key=4), "key"),
        (Mistakes(cose_key={1: "2"}), "key"),
        (Mistakes(attestation={"fmt": "tpm"}), "attestation"),
        (Mistakes(attestation={"fmt": ["none"]}), "attestation"),
        (Mistakes(attestation={"fmt": "packed", "attStmt": {"alg": -7, "sig": b"s", "x5c": [b"c"]}}), "attestation"),
        (Mistakes(attestation={"fmt": "packed", "attStmt": {"alg": -7, "sig": b"s"}}), "key"),
        (Mistakes(attestation={"attStmt": {"sig": b"s"}}), "key"),
        (Mistakes(attestation={"attStmt": 7}), "malformed"),
        (Mistakes(attestation={"authData": b""}), "malformed"),
        (Mistakes(attestation={"authData": "text"}), "malformed"),
        (Mistakes(attestation={"filler": b"x" * 4096}), "malformed"),
        (Mistakes(ceremony="webauthn.get"), "ceremony"),
    ],
)
def test_no_passkey_is_enrolled_that_could_not_be_used(mistakes: Mistakes, reason: str) -> None:
    """Keys that verify nothing or too slowly are not enrolled: they would lock out the owner or load the server."""
    assert refusal_of_registration(mistakes) == reason


TAGGED = cbor2.CBORTag(35, "a")  # a regular expression
EXTENSIONS = {"credProtect": 2, "hmac-secret": True, "thirdParty": [{"amount": 1.5}]}


@pytest.mark.parametrize("extensions", [{"x": TAGGED}, {TAGGED: 1}, [[TAGGED]], TAGGED])
def test_tagged_extensions_are_refused_before_they_are_decoded(extensions: object) -> None:
    """A tag in authenticator data is refused: decoding a kilobyte of them would stop a worker for seconds."""
    assert refusal(Mistakes(extensions=extensions)) == "malformed"
    assert refusal_of_registration(Mistakes(extensions=extensions)) == "malformed"


@pytest.mark.parametrize(
    "mistakes",
    [
        Mistakes(cose_key=cose(ES256) | {-4: TAGGED}),
        Mistakes(attestation={"attStmt": {"x": TAGGED}}),
        Mistakes(attestation={"filler": TAGGED}),
        Mistakes(attestation={"authData": TAGGED}),
    ],
)
def test_tags_in_an_attestation_are_refused_before_they_are_decoded(mistakes: Mistakes) -> None:
    """No part of an attestation may hold a tag."""
    assert refusal_of_registration(mistakes) == "malformed"


@pytest.mark.parametrize(
    "key",
    [
        # The library writes each eight bytes shorter than it reads it, and begins its extensions at the tag.
        bytes.fromhex("a1 1b0000000000000001 48 d8236161616161ff"),
        bytes.fromhex("a1 01 5b0000000000000008 d8236161616161ff"),
        # Six bytes longer: inside the extensions.
        bytes.fromhex("a1 01 f93e00"),
        bytes.fromhex("a1 01 fa3fc00000"),
        bytes.fromhex("a1 01 f814"),  # false in two bytes
        bytes.fromhex("a2 01 01 01 02"),  # no map with a key twice is decoded
    ],
)
def test_a_public_key_that_the_library_would_write_otherwise_is_refused(key: bytes) -> None:
    """The library looks for extensions behind the key as it writes it: elsewhere, a tag would escape the walk."""
    tagged = bytes.fromhex("49 0000000000 d8236161")
    with pytest.raises(ProofFailed):
        check_authenticator_data(bytes(32) + b"\xc5" + bytes(4) + bytes(18) + key + tagged)
    right = cbor2.dumps(cose(ES256))
    check_authenticator_data(bytes(32) + b"\xc5" + bytes(4) + bytes(18) + right + tagged)


def test_extensions_that_authenticators_write_pass() -> None:
    """Extensions that were not asked for, as some authenticators add them, do not matter."""
    authenticator = Authenticator(ORIGIN, ES256)
    options, state = SITE.registration_options("7", "alice", (), fresh=FRESH, now_s=NOW)
    extended = Mistakes(extensions=EXTENSIONS)
    credential = SITE.register(state, authenticator.create(options, extended), now_s=NOW)
    options, state = asked(credential)
    assert SITE.authenticate(state, authenticator.get(options, extended), [credential], now_s=NOW).id == credential.id


def test_no_passkey_is_enrolled_twice_and_no_ninth() -> None:
    """No passkey is enrolled twice, and no ninth: lists have room for eight, and a ninth would show."""
    authenticator, credential = enrolled()
    options, state = SITE.registration_options("7", "alice", (), fresh=FRESH, now_s=NOW)
    made = authenticator.create(options)
    with pytest.raises(ProofFailed, match=r"^enrolled$"):
        SITE.register(state, made, [credential], now_s=NOW)
    others = [credential._replace(id=bytes([number]) * 16) for number in range(CREDENTIALS_MAX)]
    with pytest.raises(ProofFailed, match=r"^full$"):
        SITE.register(state, made, others, now_s=NOW)
    assert SITE.register(state, made, others[1:], now_s=NOW) == credential


def test_responses_are_bounded_and_read_strictly() -> None:
    """Responses are bounded and strict: no padding, other alphabets, spare bits, missing or doubled members."""
    authenticator, credential = enrolled()
    options, state = asked(credential)
    shown = json.loads(authenticator.get(options))
    fields = shown["response"]
    spare = fields["authenticatorData"][:-1] + chr(ord(fields["authenticatorData"][-1]) + 1)
    assert unpadded(spare) == unpadded(fields["authenticatorData"])
    replaced: list[dict[str, Any]] = [
        {"id": text(b"x")},
        {"rawId": None, "id": None},
        {"rawId": "", "id": ""},
        {"rawId": "AAAAA", "id": "AAAAA"},
        {"rawId": text(b"i" * 1024), "id": text(b"i" * 1024)},
        {"type": "password"},
        {"response": []},
        {"response": fields | {"authenticatorData": spare}},
        {"response": fields | {"signature": fields["signature"] + "="}},
        {"response": fields | {"signature": "+" + fields["signature"][1:]}},
        {"response": fields | {"signature": fields["signature"] + "\n"}},
        {"response": fields | {"signature": fields["signature"] + "é"}},
        {"response": fields | {"signature": fields["signature"] + "\ud800"}},
        {"response": fields | {"signature": text(b"s" * 513)}},
        {"response": fields | {"authenticatorData": text(b"a" * 36)}},
        {"response": fields | {"authenticatorData": text(b"a" * 1025)}},
        {"response": fields | {"userHandle": text(b"u" * 65)}},
        {"response": fields | {"userHandle": 7}},
    ]
    for malformed in replaced:
        assert refusal_of(state, json.dumps(shown | malformed).encode(), credential) == "malformed"
    whole = json.dumps(shown).encode()
    for malformed_bytes in (
        b"",
        b"[]",
        b"\xff",
        b"[" * 9999,
        whole[:-1] + b',"id":"x"}',
        b" " * RESPONSE_BYTES_MAX + whole,
    ):
        assert refusal_of(state, malformed_bytes, credential) == "malformed"
    assert SITE.authenticate(state, whole, (credential,), now_s=NOW).id == credential.id


@given(data=st.data())
def test_no_tampered_assertion_passes(data: st.DataObject) -> None:
    """A signed assertion with any bit flipped is refused."""
    authenticator, credential = enrolled(EDDSA)
    options, state = asked(credential)
    shown = json.loads(authenticator.get(options))
    part = data.draw(st.sampled_from(["clientDataJSON", "authenticatorData", "signature"]))
    raw = bytearray(unpadded(shown["response"][part]))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    shown["response"][part] = text(bytes(raw))
    assert refusal_of(state, json.dumps(shown).encode(), credential) in REFUSALS | {"malformed", "signature"}


@given(data=st.data())
def test_no_tampered_passkey_is_enrolled(data: st.DataObject) -> None:
    """A self attestation with any bit flipped is refused."""
    options, state = SITE.registration_options("7", "alice", (), fresh=FRESH, now_s=NOW)
    made = json.loads(Authenticator(ORIGIN, EDDSA).create_self_attested(options))
    raw = bytearray(unpadded(made["response"]["attestationObject"]))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    made["response"]["attestationObject"] = text(bytes(raw))
    with pytest.raises(ProofFailed):
        SITE.register(state, json.dumps(made).encode(), now_s=NOW)


@given(st.lists(st.integers(0, 9) | st.integers(0, 2**32 - 1), min_size=1, max_size=8))
@example([0, 0, 1, 1, 2])
@example([5, 0, 6])
def test_counts_only_rise(counts: list[int]) -> None:
    """Counts only rise: each is accepted above all before it, zeros until the first other one."""
    authenticator, credential = enrolled(EDDSA)
    options, state = asked(credential)
    highest = 0
    for count in counts:
        shown = authenticator.get(options, Mistakes(sign_count=count))
        if count > highest or count == highest == 0:
            credential = SITE.authenticate(state, shown, (credential,), now_s=NOW)
            highest = count
        else:
            assert refusal_of(state, shown, credential) == "cloned"
        assert credential.sign_count == highest


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=99).map(text),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
NAMES = ["id", "rawId", "type", "response", "clientDataJSON", "authenticatorData", "signature", "attestationObject"]


@given(st.sampled_from(NAMES), json_values)
def test_any_json_as_a_response_is_refused_without_another_error(name: str, value: object) -> None:
    """Any JSON as a response is one `ProofFailed` at both ceremonies, and no other error."""
    authenticator, credential = enrolled(EDDSA)
    options, state = asked(credential)
    shown = json.loads(authenticator.get(options))
    place = shown if name in shown else shown["response"]
    if name == "attestationObject" or place[name] == value:
        return
    place[name] = value
    refusal_of(state, json.dumps(shown).encode(), credential)


plain_values = st.recursive(
    # Greater integers are written with a tag.
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.floats() | st.text(max_size=99) | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(plain_values)
def test_cbor_without_tags_is_read_to_its_end(value: object) -> None:
    """What an encoder writes without tags is one whole item; with less or more than that it is refused."""
    written = cbor2.dumps(value)
    check_cbor(written)
    for other in (written[:-1], written + b"\x00"):
        with pytest.raises(ProofFailed):
            check_cbor(other)


@given(st.binary(max_size=200) | json_values.map(lambda value: cbor2.dumps({"fmt": "none", "authData": value})))
@example(b"\x81" * 3000)
@example(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": bytes(37)}))
def test_any_cbor_as_an_attestation_is_refused_without_another_error(attestation: bytes) -> None:
    """Any CBOR as an attestation is one `ProofFailed`, and no other error."""
    options, state = SITE.registration_options("7", "alice", (), fresh=FRESH, now_s=NOW)
    made = json.loads(Authenticator(ORIGIN, ES256).create(options))
    made["response"]["attestationObject"] = text(attestation)
    with pytest.raises(ProofFailed):
        SITE.register(state, json.dumps(made).encode(), now_s=NOW)


@given(
    st.builds(
        Credential,
        st.binary(min_size=1, max_size=1023),
        st.binary(max_size=600),
        st.integers(0, 2**32 - 1),
        st.binary(max_size=64),
        st.sets(st.sampled_from(["usb", "nfc", "ble", "smart-card", "internal", "cable", "hybrid"])).map(
            lambda names: tuple(sorted(names))
        ),
    )
)
def test_what_is_kept_comes_back(credential: Credential) -> None:
    """The stored form loses nothing, and a cut or an addition is noticed."""
    stored = credential.to_bytes()
    assert Credential.from_bytes(stored) == credential
    for wrong in (stored[:-1], stored + b"\0", b"\2" + stored[1:], stored[:1] + b"\x80" + stored[2:], b"\1", b""):
        with pytest.raises(ValueError, match=r"^not a stored passkey$"):
            Credential.from_bytes(wrong)


def test_nothing_of_a_passkey_is_printed() -> None:
    """Neither a passkey's nor a refusal's `repr` names an account."""
    _, credential = enrolled()
    assert repr(credential) == "Credential(...)"
    options, state = asked(credential)
    foreign = Authenticator("https://evil.example", ES256).get(options)
    with pytest.raises(ProofFailed) as failed:
        SITE.authenticate(state, foreign, (credential,), now_s=NOW)
    assert [str(failed.value), failed.value.__cause__, failed.value.__suppress_context__] == ["origin", None, True]


# Decoys


def listed(account: str, *credentials: Credential, site: WebAuthn = SITE) -> list[bytes]:
    options, _ = site.authentication_options(account, credentials, fresh=FRESH, now_s=NOW)
    return [unpadded(entry["id"]) for entry in options["allowCredentials"]]


def passkeys(*lengths: int) -> list[Credential]:
    return [Credential(bytes([number + 1]) * length, b"k", 0, b"h" * 32) for number, length in enumerate(lengths)]


def shape(value: object) -> object:
    """The structure of JSON without its string contents."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return sorted((shape(inner) for inner in value), key=repr)
    return (type(value), len(value)) if isinstance(value, str) else value


@pytest.mark.parametrize(
    "lengths", [(), (16,), (20,), (32,), (48,), (64,), (20, 20), (16, 32), (16, 16, 20, 20, 32, 32, 48, 64)]
)
def test_the_options_are_alike_for_accounts_with_passkeys_and_without(lengths: tuple[int, ...]) -> None:
    """The options have the same members, types and lengths with none, one or all passkeys enrolled."""
    with_some, _ = asked(*passkeys(*lengths))
    with_none, _ = asked(account="nobody")
    assert shape(with_some) == shape(with_none)
    assert len(json.dumps(with_some)) == len(json.dumps(with_none))


@given(st.text(max_size=50), st.lists(st.integers(1, 1023), max_size=CREDENTIALS_MAX))
@settings(deadline=None)
def test_every_passkey_is_listed_among_eight(account: str, lengths: list[int]) -> None:
    """Every passkey of any length is among the eight listed: decoys make room."""
    real = passkeys(*lengths)
    found = listed(account, *real)
    assert {credential.id for credential in real} <= set(found)
    assert len(found) == CREDENTIALS_MAX == len(set(found))


def test_accounts_with_more_passkeys_than_there_is_room_for_can_use_them_all() -> None:
    """With more passkeys than places the list grows, so that no owner is locked out."""
    real = passkeys(*[20] * 11)
    assert sorted(listed("alice", *real)) == sorted(credential.id for credential in real)


def test_decoys_are_the_same_on_every_visit_and_others_for_every_account() -> None:
    """Decoys are stable per account and differ per account and site, so asking twice reveals nothing."""
    elsewhere = WebAuthn("shop.example", "Shop", [ORIGIN], b"D" * 32)
    assert listed("alice") == listed("alice")
    every = [*listed("alice"), *listed("bob"), *listed(""), *listed("alice", site=elsewhere)]
    assert len(set(every)) == len(every)


def test_decoys_look_like_nothing() -> None:
    """Decoys look random: over 200 accounts no value at any position is much too common."""
    for place in range(16):
        seen = Counter(entry[place] for number in range(200) for entry in listed(f"user{number}"))
        assert max(seen.values()) < 30  # 1,600 draws of 256 values: 6 each, 30 once in 10^10


def test_the_order_of_a_list_does_not_tell_which_are_real() -> None:
    """A real passkey is found at each of the eight places over many accounts, so order reveals nothing."""
    (real,) = passkeys(20)
    places = Counter(listed(f"user{number}", real).index(real.id) for number in range(400))
    assert len(places) == CREDENTIALS_MAX
    assert max(places.values()) < 100


def test_a_new_passkey_takes_the_place_of_one_decoy_and_leaves_the_others() -> None:
    """A new passkey replaces one decoy and keeps the others, or an enrolment would show which ids are real."""
    lists = [set(listed("alice", *passkeys(*[20, 32, 16][:number]))) for number in range(4)]
    assert [len(before - after) for before, after in pairwise(lists)] == [1, 1, 1]


@pytest.mark.parametrize("mistakes", [NONE, Mistakes(sign_count=0), Mistakes(tampered_signature=True)])
def test_an_assertion_for_a_decoy_fails(mistakes: Mistakes) -> None:
    """An assertion for any decoy fails, with or without own passkeys."""
    _, credential = enrolled()
    thief = Authenticator(ORIGIN, OTHER)
    for real in ((), (credential,)):
        options, state = asked(*real)
        for entry in set(listed("alice", *real)) - {credential.id}:
            thief.credential_id = entry
            assert refusal_of(state, thief.get(options, mistakes), *real) == "unknown_credential"


def steps(state: bytes, response: bytes, *credentials: Credential) -> list[str]:
    """Every function, ours and the library's, called on the way to a refusal."""
    called: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_globals["__name__"].startswith(("sekisho.", "webauthn.")):
            called.append(frame.f_code.co_qualname)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        refusal_of(state, response, *credentials)
    finally:
        sys.setprofile(before)
    return called


def test_a_decoy_is_verified_as_a_passkey_is() -> None:
    """Verifying a decoy makes the same calls as a passkey, also with a low count."""
    _, credential = enrolled()
    credential = credential._replace(sign_count=9)
    thief = Authenticator(ORIGIN, OTHER, credential_id=credential.id)
    options, state = asked(credential)
    shown = thief.get(options, Mistakes(sign_count=5))
    of_passkey = steps(state, shown, credential)
    assert "decoded_public_key_to_cryptography" in of_passkey
    assert steps(state, shown) == of_passkey
    thief.credential_id = next(entry for entry in listed("alice", credential) if entry != credential.id)
    assert steps(state, thief.get(options, Mistakes(sign_count=5)), credential) == of_passkey


def test_not_even_the_key_of_decoys_opens_anything() -> None:
    """Even the decoys' own key opens nothing: it verifies, for equal time, and is refused."""
    known = SITE._decoy_public_key
    seeded = Authenticator(ORIGIN, OTHER, credential_id=listed("alice")[0])
    options, state = asked()
    imitation = WebAuthn("shop.example", "Shop", [ORIGIN], b"d" * 32)
    imitation._decoy_public_key = cbor2.dumps(cose(OTHER))
    with pytest.raises(ProofFailed, match=r"^unknown_credential$"):
        imitation.authenticate(state, seeded.get(options), (), now_s=NOW)
    assert cbor2.loads(known).keys() == cose(OTHER).keys()


@pytest.mark.parametrize(
    "origins",
    [[], ["https://shop.example/"], ["shop.example"], ["http://shop.example"], ["https://Shop.example"], ["*"], [""]],
)
def test_origins_are_written_as_browsers_write_them(origins: list[str]) -> None:
    """Origins must be spelled as browsers spell them; any other would never match."""
    with pytest.raises(ValueError, match=r"^origins: "):
        WebAuthn("shop.example", "Shop", origins, b"d" * 32)


def test_the_key_of_decoys_is_long_enough_not_to_be_guessed() -> None:
    """A short decoy key is refused: knowing it tells decoys from passkeys."""
    with pytest.raises(ValueError, match=r"at least 32 bytes$"):
        WebAuthn("shop.example", "Shop", [ORIGIN], b"d" * 31)
