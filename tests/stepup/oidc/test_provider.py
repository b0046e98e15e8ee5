"""The client of an identity provider, against a real one that also misbehaves: what it takes for an identity."""

from __future__ import annotations

import json
import secrets
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from sekisho.model import FactorClass
from sekisho.model.oidc import Identity, OidcRegistration
from sekisho.stepup.oidc.login import OidcLogin, OidcReturn
from sekisho.stepup.oidc.provider import OidcProvider, ProviderUnavailable
from tests.stepup.oidc.provider import CLIENT_ID, CLIENT_SECRET, Manner, Provider, provider
from tests.talking import CERTIFICATE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BACK = "https://shop.test/sekisho/oidc/callback"
PATIENCE_S = 30.0  # on a shared machine
ACR = "urn:bank:strong"
OTHER = "https://other.example"


@pytest.fixture(autouse=True)
def _trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))


class Shop:
    """A service that is registered at the provider."""

    def __init__(self, at: Provider, *, acr: tuple[str, ...] = (), secret: str = CLIENT_SECRET) -> None:
        self.at = at
        self.later_s = 0.0
        self.warnings: list[str] = []
        registration = OidcRegistration(at.issuer, CLIENT_ID, acr, FactorClass.APP, 300, "Bank")
        self.provider = OidcProvider(
            registration,
            secret,
            BACK,
            report=self.warnings.append,
            clock_s=lambda: time.time() + self.later_s,
            call_s=PATIENCE_S,
        )
        self.login = OidcLogin("s" * 64, secrets.token_urlsafe(32), secrets.token_urlsafe(32))

    async def returned(self, **more: Any) -> OidcReturn:
        """What a browser brings back after a log-in."""
        said = dict(parse_qsl(self.at.log_in(await self.provider.address(self.login), **more)))
        return OidcReturn(said["state"], said["code"], said.get("iss"))

    async def identity(self, **more: Any) -> Identity | None:
        return await self.provider.identify(await self.returned(**more), self.login)


@asynccontextmanager
async def shop(manner: Manner | None = None, **more: Any) -> AsyncIterator[Shop]:
    async with provider(manner) as at:
        yield Shop(at, **more)


async def test_a_log_in_is_asked_for_as_the_standards_say() -> None:
    """PKCE with S256 (RFC 7636), a nonce, a state, the greatest age and the context; the only scope is `openid`."""
    async with shop(acr=(ACR, "urn:bank:other")) as at:
        asked = dict(parse_qsl(urlsplit(await at.provider.address(at.login)).query))

    assert asked.pop("code_challenge") not in {"", at.login.verifier}
    assert asked == {
        "response_type": "code",
        "scope": "openid",
        "client_id": "shop",
        "redirect_uri": BACK,
        "state": "s" * 64,
        "nonce": at.login.nonce,
        "code_challenge_method": "S256",
        "max_age": "300",
        "acr_values": "urn:bank:strong urn:bank:other",
    }


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_a_right_log_in_is_an_identity(algorithm: str) -> None:
    """The exact issuer and subject, under each of the four algorithms."""
    async with shop(Manner(algorithm)) as at:
        assert await at.identity(subject="someone") == Identity(at.at.issuer, "someone")
        assert at.warnings == []


async def test_a_provider_may_want_the_secret_in_the_body() -> None:
    """`client_secret_post`, where the metadata lists no `client_secret_basic`."""
    async with shop(Manner(metadata={"token_endpoint_auth_methods_supported": ["client_secret_post"]})) as at:
        assert await at.identity() is not None
        assert at.at.exchanges[0]["client_secret"] == CLIENT_SECRET


NOW_S = int(time.time())
WRONG = {
    "no signature": Manner("none"),
    "an HMAC by the public key": Manner("HS256"),
    "an algorithm that is not listed": Manner("RS384"),
    "a changed payload": Manner(tampered=True),
    "an unknown critical header": Manner(header={"crit": ["exp2"], "exp2": 1}),
    "another issuer": Manner(claims={"iss": OTHER}),
    "an issuer with one more slash": Manner(claims={"iss": "https://127.0.0.1/"}),
    "another issuer in the callback": Manner(callback={"iss": OTHER}),
    "no issuer in the callback": Manner(callback={"iss": None}),
    "another nonce": Manner(claims={"nonce": "n" * 43}),
    "no nonce": Manner(claims={"nonce": None}),
    "expired": Manner(claims={"exp": NOW_S - 3_600}),
    "no end": Manner(claims={"exp": None}),
    "an end that is no number": Manner(claims={"exp": True}),
    "an end that is no time": Manner(claims={"exp": float("nan")}),
    "issued in the future": Manner(claims={"iat": NOW_S + 86_400}),
    "issued long ago": Manner(claims={"iat": NOW_S - 86_400}),
    "another audience": Manner(claims={"aud": "another shop"}),
    "no audience": Manner(claims={"aud": None}),
    "an audience beside us": Manner(claims={"aud": [CLIENT_ID, "another shop"]}),
    "for another party": Manner(claims={"azp": "another shop"}),
    "no time of the log-in": Manner(claims={"auth_time": None}),
    "a log-in that is too old": Manner(claims={"auth_time": NOW_S - 3_600}),
    "a log-in in the future": Manner(claims={"auth_time": NOW_S + 86_400}),
    "no subject": Manner(claims={"sub": None}),
    "an empty subject": Manner(claims={"sub": ""}),
    "a subject that is no text": Manner(claims={"sub": 7}),
    "no context": Manner(claims={"acr": None}),
    "another context": Manner(claims={"acr": "urn:bank:weak"}),
    "a list of contexts": Manner(claims={"acr": [ACR]}),
}


@pytest.mark.parametrize("manner", WRONG.values(), ids=WRONG)
async def test_a_wrong_token_is_no_identity(manner: Manner) -> None:
    """Each deviation alone is refused, and no error."""
    async with shop(manner, acr=(ACR,)) as at:
        assert await at.identity() is None
        assert at.warnings == []


@pytest.mark.parametrize(
    "manner",
    [
        Manner(claims={"aud": [CLIENT_ID]}),
        Manner(claims={"aud": [CLIENT_ID, "another shop"], "azp": CLIENT_ID}),
        Manner(callback={"iss": None}, metadata={"authorization_response_iss_parameter_supported": None}),
    ],
)
async def test_what_the_standards_allow_is_an_identity(manner: Manner) -> None:
    """Audiences as a list, and no `iss` in the callback of a provider that promises none."""
    async with shop(manner) as at:
        assert await at.identity() is not None


async def test_a_wrong_issuer_in_the_callback_ends_before_the_code_is_sent() -> None:
    """RFC 9207: a code of another provider is not sent to this one, even where this one promises no `iss`."""
    manner = Manner(callback={"iss": OTHER}, metadata={"authorization_response_iss_parameter_supported": None})
    async with shop(manner) as at:
        assert await at.identity() is None
        assert at.at.exchanges == []


async def test_a_code_is_worth_nothing_with_another_verifier() -> None:
    """A stolen code cannot be exchanged by its thief, who lacks the secret of PKCE; and no code is good twice."""
    async with shop() as at:
        stolen = await at.returned()
        assert await at.provider.identify(stolen, at.login._replace(verifier="v" * 43)) is None
        used = await at.returned()
        assert await at.provider.identify(used, at.login) is not None
        assert await at.provider.identify(used, at.login) is None
        assert at.warnings == []


async def test_rotated_keys_are_fetched_anew_once_a_minute() -> None:
    """A token under a new key is accepted after one more look at the keys; an attacker causes no more of them."""
    async with shop() as at:
        assert await at.identity() is not None
        at.at.rotate()
        at.later_s = 59
        assert await at.identity() is None
        assert at.at.seen.count("GET /jwks") == 1
        at.later_s = 61
        at.at.manner.claims = {"iat": time.time() + 61, "auth_time": time.time() + 61}
        assert await at.identity() is not None
        assert at.at.seen.count("GET /jwks") == 2
        at.at.manner.header = {"kid": "unknown"}
        assert await at.identity() is None
        assert at.at.seen.count("GET /jwks") == 2
        assert at.at.seen.count("GET /.well-known/openid-configuration") == 1


UNUSABLE = {
    "another issuer": {"issuer": OTHER},
    "no PKCE": {"code_challenge_methods_supported": None},
    "PKCE without S256": {"code_challenge_methods_supported": ["plain"]},
    "no client secret": {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
    "a log-in without TLS": {"authorization_endpoint": "http://127.0.0.1/authorize"},
    "tokens without TLS": {"token_endpoint": "http://127.0.0.1/token"},
    "keys without TLS": {"jwks_uri": "http://127.0.0.1/jwks"},
    "no keys": {"jwks_uri": None},
    "a line's end": {"authorization_endpoint": "https://127.0.0.1/\r\nx: y"},
    "too long": {"x": "x" * 200_000},
}


@pytest.mark.parametrize("metadata", UNUSABLE.values(), ids=UNUSABLE)
async def test_unusable_metadata_is_refused_at_discovery(metadata: dict[str, Any]) -> None:
    """No browser is sent to such a provider; the operator is told, and the next look comes seconds later."""
    async with shop(Manner(metadata=metadata)) as at:
        for _ in range(3):
            with pytest.raises(ProviderUnavailable):
                await at.provider.address(at.login)
        assert len(at.at.seen) == 1
        assert [warning[-8:] for warning in at.warnings] == ["[SEK026]"]
        at.at.manner.metadata = {}
        at.later_s = 6
        assert await at.provider.address(at.login)


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/jwks"])
async def test_silence_is_no_answer(path: str) -> None:
    """A provider that does not answer in time is unavailable, which says nothing about the owner."""
    async with provider(Manner(silent=frozenset({path}))) as at:
        silent = Shop(at)
        back = OidcReturn("s" * 64, "c", at.issuer)
        if path != "/.well-known/openid-configuration":
            back = await silent.returned()
        silent.provider._call_s = 0.2
        with pytest.raises(ProviderUnavailable):
            await silent.provider.identify(back, silent.login)
        assert silent.warnings
        assert "too slow" in silent.warnings[0]


@pytest.mark.parametrize("status", [401, 500, 503])
async def test_a_failure_of_the_provider_is_no_wrong_code(status: int) -> None:
    """An outage, or a client secret that is no longer valid: unavailable, and the operator is told."""
    async with shop(Manner(token_status=status)) as at:
        with pytest.raises(ProviderUnavailable):
            await at.identity()
        assert f"status {status}" in at.warnings[0]


async def test_another_certificate_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on the way gets no code and no client secret."""
    monkeypatch.delenv("SSL_CERT_FILE")
    async with shop() as at:
        with pytest.raises(ProviderUnavailable):
            await at.provider.address(at.login)
        assert at.at.seen == []


@pytest.mark.parametrize(
    ("code", "credential"),
    [
        ("", {"state": "s" * 64}),
        ("a b", {"state": "s" * 64}),
        ("c" * 5_000, {"state": "s" * 64}),
        ("c", {}),
        ("c", {"state": "s" * 63}),
        ("c", {"state": 7}),
        ("c", {"state": "s" * 64, "iss": 7}),
        ("c", {"state": "s" * 64, "more": "x" * 5_000}),
        ("c", [[[["s" * 64]]]]),
    ],
)
def test_other_texts_are_no_return(code: str, credential: object) -> None:
    """A client may send any text: it is a return or none, never an error."""
    assert OidcReturn.of(code, json.dumps(credential).encode()) is None
    assert OidcReturn.of("c", b"[" * 4_000) is None
    returned = OidcReturn("s" * 64, "c", None)
    assert OidcReturn.of("c", returned.credential.encode()) == returned
