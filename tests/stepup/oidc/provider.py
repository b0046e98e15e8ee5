"""An OpenID Connect provider on a real socket with TLS. Each misbehaviour is a switch in `Manner`."""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import time
from base64 import b64decode, urlsafe_b64encode
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

from joserfc import jwk, jws

from tests.talking import Talker, listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CLIENT_ID = "shop"
CLIENT_SECRET = "the provider's: secret/of the shop"  # with signs that a form has to escape


@dataclass
class Manner:
    """How the provider behaves: well, unless a test says otherwise.

    Attributes:
        algorithm: of the signature; `none` and `HS256` (with the public key as its secret) are forged by hand.
        claims: members of the token that are added or replaced; None leaves one out.
        header: members of the token's header that are added or replaced.
        metadata: members of the metadata that are added or replaced; None leaves one out.
        callback: parameters of the callback that are added or replaced; None leaves one out.
        token_status: the status of the token endpoint.
        tampered: the token's payload is changed after it was signed.
        silent: paths that are never answered.
        error: the error that a log-in ends with, instead of a code.
    """

    algorithm: str = "RS256"
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    callback: dict[str, str | None] = field(default_factory=dict)
    token_status: int = 200
    tampered: bool = False
    silent: frozenset[str] = frozenset()
    error: str = ""


@dataclass
class Granted:
    """A log-in for which a code was given out: the request for it, and who logged in when."""

    asked: dict[str, str]
    subject: str
    auth_time: float


class Provider(Talker):
    """See the module.

    Attributes:
        issuer: its URL.
        seen: the paths of all requests, in order.
        exchanges: the fields of all requests for a token.
        exchanged: set by each of them.
    """

    def __init__(self, manner: Manner) -> None:
        super().__init__()
        self.manner = manner
        self.issuer = ""
        self.seen: list[str] = []
        self.exchanges: list[dict[str, str]] = []
        self.exchanged = asyncio.Event()
        self._granted: dict[str, Granted] = {}
        self._keys: list[jwk.Key] = []
        self.rotate()

    def rotate(self) -> None:
        """Sign with a new key from now on; the old one leaves the JWK Set."""
        number = secrets.token_hex(4)
        self._keys = [
            jwk.RSAKey.generate_key(2048, {"kid": f"rsa-{number}", "use": "sig"}),
            jwk.ECKey.generate_key("P-256", {"kid": f"ec-{number}", "use": "sig"}),
            jwk.OKPKey.generate_key("Ed25519", {"kid": f"ed-{number}", "use": "sig"}),
        ]

    def log_in(self, address: str, subject: str = "hana at the bank", ago_s: float = 0) -> str:
        """The query of the callback, after somebody has logged in at the address that a browser was sent to."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert address.startswith(f"{self.issuer}/authorize?")
        answer: dict[str, str | None] = {"state": asked["state"], "iss": self.issuer}
        if self.manner.error:
            answer["error"] = self.manner.error
        else:
            answer["code"] = code = secrets.token_urlsafe(24)
            self._granted[code] = Granted(asked, subject, time.time() - ago_s)
        answer |= self.manner.callback
        return urlencode({name: value for name, value in answer.items() if value is not None})

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split(" ", 2)
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n"))}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.seen.append(f"{method} {target}")
        if target in self.manner.silent:
            await asyncio.Event().wait()
        status, said = self._answered(f"{method} {target}", headers, body)
        text, where = json.dumps(said).encode(), self._redirect(target)
        head = f"HTTP/1.1 302 X\r\nLocation: {where}\r\n" if where else f"HTTP/1.1 {status} X\r\n"
        writer.write(f"{head}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text)
        await writer.drain()

    def _redirect(self, target: str) -> str:
        """Where a browser is sent that comes to log in; the owner does so at once. Empty for all other requests."""
        if not target.startswith("/authorize?"):
            return ""
        back = dict(parse_qsl(urlsplit(target).query))["redirect_uri"]
        return f"{back}?{self.log_in(self.issuer + target)}"

    def _answered(self, request: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        match request:
            case "GET /.well-known/openid-configuration":
                return 200, self._metadata()
            case "GET /jwks":
                return 200, {"keys": [key.as_dict(private=False) for key in self._keys]}
            case "POST /token":
                return self._token(headers, body)
        return 404, {}

    def _metadata(self) -> dict[str, Any]:
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "code_challenge_methods_supported": ["plain", "S256"],
            "authorization_response_iss_parameter_supported": True,
        }
        return {name: value for name, value in (found | self.manner.metadata).items() if value is not None}

    def _token(self, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        fields = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        self.exchanges.append(fields)
        self.exchanged.set()
        if self.manner.token_status != 200:
            return self.manner.token_status, {"error": "server_error"}
        if not self._knows(headers, fields):
            return 401, {"error": "invalid_client"}
        granted = self._granted.pop(fields.get("code", ""), None)
        if granted is None or not self._is_proof_key(fields, granted.asked):
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "a", "token_type": "Bearer", "id_token": self._signed(self._claims(granted))}

    def _knows(self, headers: dict[str, str], fields: dict[str, str]) -> bool:
        if "client_secret" in fields:
            return (fields["client_id"], fields["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)
        shown = b64decode(headers.get("authorization", "").removeprefix("Basic ")).decode()
        client, _, secret = shown.partition(":")
        return (unquote_plus(client), unquote_plus(secret)) == (CLIENT_ID, CLIENT_SECRET)

    def _is_proof_key(self, fields: dict[str, str], asked: dict[str, str]) -> bool:
        challenge = _base64url(sha256(fields.get("code_verifier", "").encode()).digest())
        return (challenge, fields.get("redirect_uri")) == (asked["code_challenge"], asked["redirect_uri"])

    def _claims(self, granted: Granted) -> dict[str, Any]:
        now_s = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": granted.subject,
            "aud": CLIENT_ID,
            "exp": now_s + 300,
            "iat": now_s,
            "auth_time": int(granted.auth_time),
            "nonce": granted.asked["nonce"],
        }
        if "acr_values" in granted.asked:
            claims["acr"] = granted.asked["acr_values"].split(" ")[0]
        return {name: value for name, value in (claims | self.manner.claims).items() if value is not None}

    def _signed(self, claims: dict[str, Any]) -> str:
        algorithm, payload = self.manner.algorithm, json.dumps(claims).encode()
        key = self._key_for(algorithm)
        header = {"alg": algorithm, "kid": key.kid} | self.manner.header
        if algorithm in {"none", "HS256"}:
            return self._forged(header, payload, key)
        token = jws.serialize_compact(header, payload, key, registry=_Signing())
        if not self.manner.tampered:
            return token
        start, _, signature = token.split(".")
        return f"{start}.{_base64url(payload.replace(b'bank', b'bunk'))}.{signature}"

    def _key_for(self, algorithm: str) -> Any:
        return self._keys[{"ES256": 1, "EdDSA": 2}.get(algorithm, 0)]

    def _forged(self, header: dict[str, Any], payload: bytes, key: Any) -> str:
        signed = f"{_base64url(json.dumps(header).encode())}.{_base64url(payload)}"
        mac = hmac.new(key.as_pem(private=False), signed.encode(), "sha256").digest()
        return f"{signed}.{_base64url(mac) if header['alg'] == 'HS256' else ''}"


class _Signing(jws.JWSRegistry):
    """Signs with any algorithm and any header, without the library's checks."""

    def check_header(self, header: Any) -> None:
        pass

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@asynccontextmanager
async def provider(manner: Manner | None = None) -> AsyncIterator[Provider]:
    """A provider that listens on loopback, with the certificate of the tests."""
    found = Provider(manner or Manner())
    async with listening(found, secure=True) as url:
        found.issuer = url
        yield found
