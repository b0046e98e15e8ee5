"""One OpenID Connect provider: its metadata and keys, the address of a log-in there, and what a code stands for.

Metadata and keys are fetched when they are first needed, kept for an hour, and bounded in bytes and time. After a
failure nothing is fetched for some seconds, or a flood of strangers would become a flood at the provider.
"""

from __future__ import annotations

import asyncio
import json
import logging
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote_plus, urlencode, urlsplit

from sekisho.https_post import FORM, HttpsGet, HttpsPost, PostFault
from sekisho.model import SekishoError
from sekisho.model.text import base64url
from sekisho.stepup.oidc.id_token import Expected, UnknownKey, signing_keys, verified
from sekisho.stepup.proof import ProofFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.model.oidc import Identity, OidcRegistration
    from sekisho.stepup.oidc.id_token import SigningKey
    from sekisho.stepup.oidc.login import OidcLogin, OidcReturn

log = logging.getLogger("sekisho.challenge")

UNREACHABLE = (
    "the provider of SEKISHO_OIDC cannot be used ({}), so the factor oidc answers 503: look at the provider's "
    "metadata and at this machine's way to it [SEK026]"
)

CALL_S: Final = 5.0
"""Limit for one request to the provider, in seconds."""

DOCUMENT_BYTES_MAX: Final = 131_072
TOKEN_BYTES_MAX: Final = 65_536
FRESH_S: Final = 3_600  # how long metadata and keys are kept
KEYS_AGAIN_S: Final = 60  # an unknown key makes the keys be fetched anew; at most so often
PAUSE_S: Final = 5  # after a failure
CALLS_MAX: Final = 16  # exchanges under way at once
URL_CHARS_MAX: Final = 2_048
_REFUSED: Final = 400  # RFC 6749, section 5.2: `invalid_grant`


class ProviderUnavailable(SekishoError):  # noqa: N818 - a state, not a mistake
    """The provider did not answer, or not as its metadata says. Nothing is known about the owner."""


class _Metadata(NamedTuple):
    """Attributes:
    authorization: the URL of log-ins.
    token: exchanges codes.
    keys: has the JWK Set.
    names_issuer: whether every answer has the parameter `iss`.
    by_header: whether the client secret is shown in a header; otherwise in the body.
    """

    authorization: str
    token: HttpsPost
    keys: HttpsGet
    names_issuer: bool
    by_header: bool


class OidcProvider:
    """The provider, as one event loop sees it.

    Args:
        registration: ours there.
        secret: the client secret.
        redirect_uri: the page that browsers come back to.
        report: receives a warning for the operator.
        clock_s: Unix time in seconds.
        call_s: limit for one request to the provider, in seconds.
    """

    def __init__(
        self,
        registration: OidcRegistration,
        secret: str,
        redirect_uri: str,
        *,
        report: Callable[[str], None],
        clock_s: Callable[[], float],
        call_s: float = CALL_S,
    ) -> None:
        self.registration: Final = registration
        self._secret = secret
        self._redirect_uri = redirect_uri
        self._report = report
        self._clock_s = clock_s
        self._call_s = call_s
        self._discovery = HttpsGet(
            registration.issuer.removesuffix("/") + "/.well-known/openid-configuration",
            answer_bytes_max=DOCUMENT_BYTES_MAX,
        )
        self._lock = asyncio.Lock()
        self._calls = asyncio.Semaphore(CALLS_MAX)
        self._metadata: _Metadata | None = None
        self._found_s = self._keys_s = self._failed_s = -float(FRESH_S)
        self._keys: tuple[SigningKey, ...] = ()

    async def address(self, login: OidcLogin) -> str:
        """The URL of a log-in at the provider, for a redirect. Raises `ProviderUnavailable`."""
        metadata, ours = await self._ready(), self.registration
        asked = {
            "response_type": "code",
            "scope": "openid",
            "client_id": ours.client_id,
            "redirect_uri": self._redirect_uri,
            "state": login.state,
            "nonce": login.nonce,
            "code_challenge": base64url(sha256(login.verifier.encode()).digest()),
            "code_challenge_method": "S256",
            "max_age": str(ours.max_age_s),
        }
        if ours.acr:
            asked["acr_values"] = " ".join(ours.acr)
        separator = "&" if urlsplit(metadata.authorization).query else "?"
        return f"{metadata.authorization}{separator}{urlencode(asked)}"

    async def ensure_ready(self) -> None:
        """Fetch the provider's metadata and keys if they are missing or old, before a code is spent.

        Raises `ProviderUnavailable`.
        """
        await self._current_keys()

    async def identify(self, returned: OidcReturn, login: OidcLogin) -> Identity | None:
        """Exchange a code, and return the verified identity; None if the code or the token proves nothing.

        Raises:
            ProviderUnavailable: the code may be spent.
        """
        metadata = await self._ready()
        try:
            self._ensure_by(returned.issuer, metadata)
            token = await self._exchanged(returned.code, login.verifier, metadata)
            return await self._verified(token, Expected(self.registration, login.nonce))
        except ProofFailed as error:
            log.info("a log-in at the identity provider proved nothing: %s", error.reason)
            return None

    def _ensure_by(self, issuer: str | None, metadata: _Metadata) -> None:
        # Mix-up: a code of another provider must not be sent to this one (RFC 9207).
        if (issuer is None and metadata.names_issuer) or issuer not in {None, self.registration.issuer}:
            raise ProofFailed("callback_iss")

    async def _exchanged(self, code: str, verifier: str, metadata: _Metadata) -> str:
        """The ID token for a code. Raises `ProofFailed` and `ProviderUnavailable`."""
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        headers = {}
        if metadata.by_header:
            headers["Authorization"] = _basic(self.registration.client_id, self._secret)
        else:
            fields |= {"client_id": self.registration.client_id, "client_secret": self._secret}
        try:
            async with asyncio.timeout(self._call_s), self._calls:
                answer = await metadata.token.ask(urlencode(fields).encode(), limit_s=self._call_s, headers=headers)
        except PostFault as fault:
            if fault.status == _REFUSED:
                raise ProofFailed("code") from None
            raise self._unavailable(fault.reason) from None
        except TimeoutError:
            raise self._unavailable("too slow") from None
        found = _object(answer).get("id_token")
        if not isinstance(found, str):
            raise ProofFailed("no_token")
        return found

    async def _verified(self, token: str, expected: Expected) -> Identity:
        try:
            return verified(token, await self._current_keys(), expected, int(self._clock_s()))
        except UnknownKey:
            return verified(token, await self._current_keys(anew=True), expected, int(self._clock_s()))

    # Documents: one is fetched at a time.

    async def _ready(self) -> _Metadata:
        async with self._lock:
            if self._metadata is None or not self._is_within(self._found_s, FRESH_S):
                self._metadata = self._read(await self._document(self._discovery))
                self._found_s = self._clock_s()
            return self._metadata

    async def _current_keys(self, *, anew: bool = False) -> tuple[SigningKey, ...]:
        metadata = await self._ready()
        async with self._lock:
            if not self._is_within(self._keys_s, KEYS_AGAIN_S if anew else FRESH_S):
                document = await self._document(metadata.keys)
                try:
                    self._keys = signing_keys(document)
                except ValueError:
                    raise self._paused("no keys") from None
                self._keys_s = self._clock_s()
            return self._keys

    def _is_within(self, since_s: float, seconds: float) -> bool:
        # A clock that was set back must not keep an old document for good.
        return 0 <= self._clock_s() - since_s < seconds

    async def _document(self, source: HttpsGet) -> dict[str, Any]:
        if self._is_within(self._failed_s, PAUSE_S):
            raise ProviderUnavailable
        try:
            return _object(await source.fetch(limit_s=self._call_s))
        except PostFault as fault:
            raise self._paused(fault.reason) from None
        except ProofFailed:
            raise self._paused("no JSON") from None

    def _read(self, document: dict[str, Any]) -> _Metadata:
        """The metadata of OpenID Connect Discovery 1.0, section 3, with what this client needs of it."""
        # Another issuer's metadata would send the client secret and the owner to it (Discovery, section 4.3).
        if document.get("issuer") != self.registration.issuer:
            raise self._paused("its metadata names another issuer")
        # Downgrade: without S256 a stolen code could be exchanged by its thief (RFC 9700, section 2.1.1).
        if "S256" not in _listed(document, "code_challenge_methods_supported"):
            raise self._paused("it does not support PKCE with S256")
        methods = _listed(document, "token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if not {"client_secret_basic", "client_secret_post"}.intersection(methods):
            raise self._paused("it takes no client secret")
        urls = [document.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        if not all(map(_is_secure, urls)):
            raise self._paused("one of its addresses is missing or not https")
        authorization, token, keys = map(str, urls)
        return _Metadata(
            authorization,
            HttpsPost(token, content_type=FORM, answer_bytes_max=TOKEN_BYTES_MAX, query=True),
            HttpsGet(keys, answer_bytes_max=DOCUMENT_BYTES_MAX),
            document.get("authorization_response_iss_parameter_supported") is True,
            "client_secret_basic" in methods,
        )

    def _paused(self, reason: str) -> ProviderUnavailable:
        """The same as `_unavailable`, and fetch no document for `PAUSE_S`."""
        self._failed_s = self._clock_s()
        return self._unavailable(reason)

    def _unavailable(self, reason: str) -> ProviderUnavailable:
        """Tell the operator, and return the error to raise. `reason`: our own words."""
        self._report(UNREACHABLE.format(reason))
        return ProviderUnavailable()


def _object(answer: bytes) -> dict[str, Any]:
    """A JSON object. Raises `ProofFailed`."""
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProofFailed("no_json")
    return found


def _listed(document: dict[str, Any], name: str) -> list[object]:
    found = document.get(name)
    return found if isinstance(found, list) else []


def _is_secure(url: object) -> bool:
    """Whether a URL of the metadata may be used: https, with a host, and nothing that could end a header's line."""
    if not isinstance(url, str) or not 0 < len(url) <= URL_CHARS_MAX or not url.isascii() or not url.isprintable():
        return False
    try:
        parts = urlsplit(url)
        sound = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an invalid port
        return False
    return sound and " " not in url and "#" not in url and "@" not in parts.netloc


def _basic(client_id: str, secret: str) -> str:
    """HTTP Basic with both parts encoded as in a form (RFC 6749, section 2.3.1)."""
    return "Basic " + b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode()
