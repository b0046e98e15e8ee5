"""Whose session it is: a sealed note beside the session's own cookie or token.

The application's session says to the application who is logged in; it says nothing to us. So when we see a session
begin, we note whose it is and what it is shown by. A note is worth nothing without that session, and a session
nothing more than before without its note: one's own proof must never open a session that was stolen (R4).

Needs the extra `step-up`.
"""

from __future__ import annotations

import json
import logging
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from hmac import compare_digest
from time import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sekisho.challenge.seal import Sealer, Unsealable, bind
from sekisho.crypto.signers import Signer, as_signers
from sekisho.read import SessionCredentials, credentials_shown, other_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sekisho.read import Presented

    Headers = Sequence[tuple[bytes, bytes]]

log = logging.getLogger("sekisho")

SECONDS_MAX = 30 * 86_400
"""How long a note is good for."""

CHARS_MAX = 4_096 - 128  # with its name and attributes it must be no longer than browsers keep
WANTED = b"wanted"
WANTED_S = 600
HEADER = b"sekisho-tie"

AMBIGUOUS = (
    "SEKISHO_LOGIN: a request shows two cookies that may be its session, so it counts as nobody's at protected routes; "
    "name the right one, as in success=cookie:NAME, or give LoginGuard session_account="
)

_PURPOSE = b"tie"
_SKEW_S = 300  # by how much workers' clocks may differ
_DIGEST_BYTES = 16


class Tie(NamedTuple):
    """Attributes:
    account: exactly as the application read it.
    account_id: what factors are enrolled for; "" where nobody has looked yet.
    proved_s: Unix time of the last proof; 0 where there was none.
    """

    account: str
    account_id: str = ""
    proved_s: int = 0

    def __repr__(self) -> str:
        return f"Tie(proved_s={self.proved_s}, ...)"


class Ties:
    """Ties sessions to accounts, and finds them tied.

    Args:
        secrets: the service's: the first that signs and has not ended seals; all that have not ended open.
        name: of the cookie.
        clock_s: Unix time.
        guesses: no rule names the session's cookie, so it is guessed from an answer which one it is.
    """

    def __init__(
        self,
        secrets: Sequence[bytes | Signer],
        name: bytes = b"__Host-sekisho-tie",
        *,
        guesses: bool = False,
        clock_s: Callable[[], float] = time,
    ) -> None:
        self._guesses: Final = guesses
        self._told = False
        self._sealer: Final = Sealer(secrets, clock_s=clock_s)
        self._name: Final = name
        self._wanted = self._name + b"=" + WANTED
        self._keys: Final = [
            blake2b(signer.secret, digest_size=64, person=b"sekisho.tie").digest() for signer in as_signers(secrets)
        ]
        self._signers: Final = as_signers(secrets)

    def tied(self, tie: Tie, credentials: SessionCredentials, now_s: int) -> str:
        """The text for the client. Empty where there is nothing to tie to, or it would be too long."""
        if not credentials:
            # All of nothing is shown by everybody.
            return ""
        key = self._signing(now_s)
        cookies = {name: _digest(key, name, value).hex() for name, value in credentials.cookies}
        bearer = _digest(key, "", credentials.bearer).hex() if credentials.bearer else ""
        said = json.dumps([*tie, now_s, cookies, bearer], ensure_ascii=False, separators=(",", ":"))
        sealed = self._sealer.seal(_PURPOSE, said.encode("utf-8", "surrogatepass"), bound_to=self._name)
        text = urlsafe_b64encode(sealed).rstrip(b"=").decode()
        return text if len(text) <= CHARS_MAX else ""

    def find(self, presented: str, headers: Headers, now_s: int, said_account: str | None = None) -> Tie | None:
        """The tie, if all that it is tied to is in the request's headers, with the same values and nothing beside.

        `said_account`: whose session the application says that it is. Then no cookie has to be as it was, which some
        services sign anew with every answer; but no other account's tie is found.
        """
        said = self._opened(presented)
        if said is None:
            return None
        account, account_id, proved_s, created_s, cookies, bearer = said
        if not created_s - _SKEW_S <= now_s < created_s + SECONDS_MAX:
            return None
        shown = credentials_shown(headers, cookies)
        if said_account is not None and not _same(said_account, account):
            return None
        found = self._are_shown(shown, cookies, bearer, any_value=said_account is not None)
        # What was tied may be a cookie beside the session (`device_id`). With the session of somebody else beside it,
        # one's own proof would open that one's routes.
        if found and self._guesses and said_account is None and other_session(headers, cookies):
            self._tell()
            return None
        return Tie(account, account_id, proved_s) if found else None

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            log.warning(AMBIGUOUS)

    def of(self, headers: Headers, now_s: int, said_account: str | None = None) -> Tie | None:
        """The tie of a request with these headers. `said_account`: as in `find`."""
        text, _ = self._presented(headers)
        return self.find(text, headers, now_s, said_account)

    def session(self, headers: Headers) -> bytes:
        """Names the session that a request with these headers shows, as long as its tie stays the same."""
        return self._presented(headers)[0].encode("latin-1", "replace")

    def headers(
        self, tie: Tie, credentials: SessionCredentials, now_s: int, *, by_header: bool
    ) -> list[tuple[bytes, bytes]]:
        """What to add to the answer that hands the session out. Nothing where there is nothing to tie to."""
        text = self.tied(tie, credentials, now_s)
        return [self._line(text, by_header=by_header)] if text else []

    def proved_now(
        self, headers: Headers, account: str, now_s: int, said_account: str | None = None
    ) -> list[tuple[bytes, bytes]] | None:
        """What to answer after a proof of `account`; None where the session shown is not tied to it.

        `said_account`: as in `find`.
        """
        text, by_header = self._presented(headers)
        tie, said = self.find(text, headers, now_s, said_account), self._opened(text)
        if tie is None or said is None or not _same(tie.account, account):
            return None
        shown = credentials_shown(headers, said[4])
        credentials = SessionCredentials(tuple(sorted(shown.cookies.items())), shown.bearer)
        return self.headers(tie._replace(proved_s=now_s), credentials, now_s, by_header=by_header)

    def is_wanted(self, named: Mapping[bytes, bytes]) -> bool:
        """Whether whoever logs in with these headers was asked to, for a tie."""
        return self._wanted in named.get(b"cookie", b"") or named.get(HEADER) == WANTED

    def wanted(self, *, by_header: bool) -> tuple[bytes, bytes]:
        """What to answer who has no tie and needs one: the next log-in will bring it."""
        if by_header:
            return HEADER, WANTED
        attributes = b"; Max-Age=%d; Path=/; Secure; HttpOnly; SameSite=Lax" % WANTED_S
        return b"set-cookie", self._wanted + attributes

    def _line(self, text: str, *, by_header: bool) -> tuple[bytes, bytes]:
        if by_header:
            return HEADER, text.encode()
        attributes = b"; Max-Age=%d; Path=/; Secure; HttpOnly; SameSite=Lax" % SECONDS_MAX
        return b"set-cookie", self._name + b"=" + text.encode() + attributes

    def _presented(self, headers: Headers) -> tuple[str, bool]:
        """The text, and whether it came in a header. Two of them are none."""
        name = self._name.decode()
        if (text := credentials_shown(headers, {name}).cookies.get(name)) is not None:
            return text, False
        lines = [value for name, value in headers if name == HEADER]
        return (lines[0].decode("latin-1"), True) if len(lines) == 1 else ("", False)

    def _opened(self, presented: str) -> list[Any] | None:
        if not presented or len(presented) > CHARS_MAX:
            return None
        try:
            sealed = urlsafe_b64decode(presented + "=" * (-len(presented) % 4))
            said = self._sealer.open(_PURPOSE, sealed, bound_to=self._name)
        except (ValueError, Unsealable):
            return None
        # Sealed by us, so it is as we wrote it.
        found: list[Any] = json.loads(said.decode("utf-8", "surrogatepass"))
        return found

    def _are_shown(self, shown: Presented, cookies: dict[str, str], bearer: str, *, any_value: bool) -> bool:
        # An application may prefer `Authorization` to its cookie: one that we know nothing of might be another's.
        if shown.other_authorization or (shown.bearer and not self._is(bearer, "", shown.bearer)):
            return False
        if not cookies and not shown.bearer:
            return False
        if any_value:
            return shown.cookies.keys() >= cookies.keys()
        return all(self._is(digest, name, shown.cookies.get(name, "")) for name, digest in cookies.items())

    def _signing(self, now_s: int) -> bytes:
        each = zip(self._keys, self._signers, strict=True)
        return next(key for key, signer in each if signer.signs and now_s < signer.until_s)

    def _is(self, digest: str, name: str, value: str) -> bool:
        # After a rotation the digest may be under an older secret.
        return any(compare_digest(_digest(key, name, value).hex(), digest) for key in self._keys)


def _digest(key: bytes, name: str, value: str) -> bytes:
    """Of one credential; `name` is empty for a bearer token, as no cookie's is."""
    data = bind(name.encode("utf-8", "surrogatepass"), value.encode("utf-8", "surrogatepass"))
    return blake2b(data, key=key, digest_size=_DIGEST_BYTES, person=b"session shown by").digest()


def _same(one: str, other: str) -> bool:
    return compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
