"""The values of a log-in at the provider: what it begins with, and what the browser brings back."""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

CODE_CHARS_MAX: Final = 4_096
CREDENTIAL_BYTES_MAX: Final = 4_096
STATE: Final = re.compile(r"[A-Za-z0-9_-]{64}")
"""The form of a `state`: 48 bytes in base64url."""

_CODE = re.compile(rf"[!-~]{{1,{CODE_CHARS_MAX}}}")


class OidcLogin(NamedTuple):
    """The secrets of one log-in at the provider.

    Attributes:
        state: names the log-in to the browser.
        nonce: comes back in the ID token.
        verifier: the secret of PKCE (RFC 7636), which only the exchange shows.
    """

    state: str
    nonce: str
    verifier: str

    def __repr__(self) -> str:
        return "OidcLogin(...)"


class OidcReturn(NamedTuple):
    """What a client shows after its log-in at the provider: any text that has the right form.

    Attributes:
        state: names a log-in, if there was one.
        code: the authorisation code.
        issuer: the parameter `iss` (RFC 9207); None if there was none.
    """

    state: str
    code: str
    issuer: str | None

    @classmethod
    def of(cls, code: str, credential: bytes) -> OidcReturn | None:
        """Read a code, and JSON with `state` and perhaps `iss`; None for any other text."""
        if not _CODE.fullmatch(code) or len(credential) > CREDENTIAL_BYTES_MAX:
            return None
        try:
            read = json.loads(credential)
        except (ValueError, RecursionError):
            return None
        state, issuer = (read.get("state"), read.get("iss")) if isinstance(read, dict) else (None, None)
        if not isinstance(state, str) or not STATE.fullmatch(state) or not isinstance(issuer, str | None):
            return None
        return cls(state, code, issuer)

    @property
    def credential(self) -> str:
        """The text from which `of` reads state and issuer."""
        return json.dumps({"state": self.state} | ({} if self.issuer is None else {"iss": self.issuer}))

    def __repr__(self) -> str:
        return "OidcReturn(...)"
