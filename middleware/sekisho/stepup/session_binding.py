"""Session binding: a sealed note, beside the session's own cookie or token, that names the session's account.

The session tells the application, but not the guard, which account is logged in. So when a session begins, the guard
seals its account and a digest of its credential into a note. The note is worthless without that session. A session
without its note opens nothing more than before: an attacker's own proof must never unlock a stolen session (R4).

Needs the extra `step-up`.
"""

from __future__ import annotations

import json
import logging
from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sekisho.answer.cookies import attributes
from sekisho.crypto.seal import Sealer, Unsealable, bind
from sekisho.crypto.signers import Signer, as_signers, signing
from sekisho.model import FactorClass
from sekisho.model.text import base64url, base64url_or_empty, utf8
from sekisho.once import Once
from sekisho.read import SessionCredentials, credentials_shown, other_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sekisho.model.headers import Header, Headers
    from sekisho.read import Presented


log = logging.getLogger("sekisho")

SECONDS_MAX = 30 * 86_400
"""Lifetime of a note in seconds."""

CHARS_MAX = 4_096 - 128  # with name and attributes, the longest cookie that browsers keep
WANTED = b"wanted"
WANTED_S = 600
HEADER = b"sekisho-tie"
FOUND_S = 10
FOUND_MAX = 1_024  # half a megabyte

AMBIGUOUS = (
    "SEKISHO_LOGIN: a request shows two cookies that may be its session, so protected routes treat it as logged out; "
    "name the right one, as in success=cookie:NAME, or give LoginGuard session_account= [SEK018]"
)

_PURPOSE = b"tie"
_SHOWN_BY = frozenset({b"cookie", b"authorization", HEADER})
_SKEW_S = 300  # largest accepted difference of two workers' clocks, in seconds
_DIGEST_BYTES = 16


class SessionBinding(NamedTuple):
    """The content of a note.

    Attributes:
        account: exactly as the application read it.
        account_id: the id that factors are enrolled for; empty if it was not looked up yet.
        proved_s: Unix time of the last proof, in seconds; 0 if there was none.
        proved_by: the class of the factor that was shown; `NONE` if it is not known, as in notes of earlier versions.
    """

    account: str
    account_id: str = ""
    proved_s: int = 0
    proved_by: FactorClass = FactorClass.NONE

    def __repr__(self) -> str:
        return f"SessionBinding(proved_s={self.proved_s}, ...)"


class SessionBindings:
    """Binds sessions to accounts, and reads the bindings.

    Args:
        secrets: the service's. The first secret that signs and has not ended seals; all that have not ended open.
        name: the name of the note's cookie.
        guesses: whether no rule names the session's cookie, so that it is guessed from the application's answer.
        clock_s: Unix time in seconds.
    """

    def __init__(
        self,
        secrets: Sequence[bytes | Signer],
        name: bytes = b"__Host-sekisho-tie",
        *,
        guesses: bool = False,
        clock_s: Callable[[], float],
    ) -> None:
        self._guesses: Final = guesses
        self._once = Once()
        self._found: dict[bytes, tuple[int, SessionBinding]] = {}
        self._sealer: Final = Sealer(secrets, clock_s=clock_s)
        self._name: Final = name
        self._wanted = self._name + b"=" + WANTED
        self._keys: Final = [
            blake2b(signer.secret, digest_size=64, person=b"sekisho.tie").digest() for signer in as_signers(secrets)
        ]
        self._signers: Final = as_signers(secrets)
        self._naming: Final = blake2b(key=self._keys[0], digest_size=16, person=b"binding").copy

    def sealed(self, binding: SessionBinding, credentials: SessionCredentials, now_s: int) -> str:
        """Return the binding as a sealed note; empty if there is no credential to bind it to, or it is too long."""
        if credentials.is_empty:
            # Every request shows an empty set of credentials, so a note bound to it would open for everyone.
            return ""
        key = self._signing(now_s)
        cookies = {name: _digest(key, name, value).hex() for name, value in credentials.cookies}
        bearer = _digest(key, "", credentials.bearer).hex() if credentials.bearer else ""
        account, account_id, proved_s, proved_by = binding
        members = [account, account_id, _with_class(proved_s, proved_by), now_s, cookies, bearer]
        said = json.dumps(members, ensure_ascii=False, separators=(",", ":"))
        sealed = self._sealer.seal(_PURPOSE, utf8(said), bound_to=self._name)
        text = base64url(sealed)
        return text if len(text) <= CHARS_MAX else ""

    def find(
        self, presented: str, headers: Sequence[Header], now_s: int, said_account: str | None = None
    ) -> SessionBinding | None:
        """Return the binding if the request shows exactly the credentials that it is bound to, with the same values.

        Args:
            presented: the sealed note that the client shows; it may be any text.
            headers: the request's.
            now_s: Unix time in seconds.
            said_account: the session's account as the application reports it. Then the values of cookies may differ,
                since some services sign them anew with every answer; but the note of another account is refused.
        """
        said = self._opened(presented)
        if said is None:
            return None
        account, account_id, proved, created_s, cookies, bearer = said
        if not created_s - _SKEW_S <= now_s < created_s + SECONDS_MAX:
            return None
        shown = credentials_shown(headers, cookies)
        if said_account is not None and not _same(said_account, account):
            return None
        found = self._are_shown(shown, cookies, bearer, any_value=said_account is not None)
        # The bound cookie may not be the session (`device_id`). Next to a stolen session, an attacker's own proof would
        # then open the victim's routes.
        if found and self._guesses and said_account is None and other_session(headers, cookies):
            self._tell()
            return None
        return SessionBinding(account, account_id, *_proved(proved)) if found else None

    def _tell(self) -> None:
        if self._once():
            log.warning(AMBIGUOUS)

    def of(self, headers: Sequence[Header], now_s: int, said_account: str | None = None) -> SessionBinding | None:
        """Return the binding of a request with these headers. `said_account`: as in `find`.

        A binding that was found is remembered for some seconds, because opening its seal is most of the cost of a
        protected route. The same headers have the same binding, so nothing can be revoked meanwhile.
        """
        name = self._name_of(headers, said_account)
        known = self._found.get(name)
        if known is not None and known[0] <= now_s < known[0] + FOUND_S:
            return known[1]
        text, _ = self._presented(headers)
        binding = self.find(text, headers, now_s, said_account)
        if binding is not None:
            if len(self._found) >= FOUND_MAX:
                self._found.clear()
            self._found[name] = now_s, binding
        return binding

    def _name_of(self, headers: Sequence[Header], said_account: str | None) -> bytes:
        """A digest of all that a binding depends on: no session's cookie is kept longer than its request."""
        digest = self._naming()
        for name, value in headers:
            if name in _SHOWN_BY:
                # With the lengths, or two headers could be read as one.
                digest.update(b"%s %d;%s" % (name, len(value), value))
        if said_account is not None:
            digest.update(b"said %s" % utf8(said_account))
        return digest.digest()

    def session(self, headers: Sequence[Header]) -> bytes:
        """Return a name for the session that these headers show; it is constant as long as the note stays the same.

        The note's bytes name it, not its text: base64 has many spellings of one note, and a stolen session with another
        name for each would get tries and looks at its owner's factors for each.
        """
        return base64url_or_empty(self._presented(headers)[0], CHARS_MAX)

    def headers(
        self, binding: SessionBinding, credentials: SessionCredentials, now_s: int, *, by_header: bool
    ) -> Headers:
        """Headers to add to the answer that hands out the session; none if there is no credential to bind to."""
        text = self.sealed(binding, credentials, now_s)
        return [self._line(text, by_header=by_header)] if text else []

    def proved_now(
        self, headers: Sequence[Header], account: str, by: FactorClass, now_s: int, said_account: str | None = None
    ) -> Headers | None:
        """Headers to add after a proof of `account`; None if the session shown is not bound to it.

        `by`: the class of the factor. `said_account`: as in `find`.
        """
        text, by_header = self._presented(headers)
        binding, said = self.find(text, headers, now_s, said_account), self._opened(text)
        if binding is None or said is None or not _same(binding.account, account):
            return None
        shown = credentials_shown(headers, said[4])
        credentials = SessionCredentials(tuple(sorted(shown.cookies.items())), shown.bearer)
        proved = binding._replace(proved_s=now_s, proved_by=by)
        return self.headers(proved, credentials, now_s, by_header=by_header)

    def is_wanted(self, by_name: Mapping[bytes, bytes]) -> bool:
        """Whether the client was sent to the log-in because it had no session binding."""
        return self._wanted in by_name.get(b"cookie", b"") or by_name.get(HEADER) == WANTED

    def wanted(self, *, by_header: bool) -> tuple[bytes, bytes]:
        """The header for a client that needs a session binding: its next log-in creates one."""
        if by_header:
            return HEADER, WANTED
        return b"set-cookie", self._wanted + attributes(WANTED_S)

    def ended(self, headers: Sequence[Header]) -> Headers:
        """Headers to add after a log-out: the client forgets the note that it shows; none if it shows none."""
        text, by_header = self._presented(headers)
        if not text:
            return []
        return [(HEADER, b"") if by_header else (b"set-cookie", self._name + b"=" + attributes(0))]

    def _line(self, text: str, *, by_header: bool) -> tuple[bytes, bytes]:
        if by_header:
            return HEADER, text.encode()
        return b"set-cookie", self._name + b"=" + text.encode() + attributes(SECONDS_MAX)

    def _presented(self, headers: Sequence[Header]) -> tuple[str, bool]:
        """Return the sealed note, and whether it came in a header. Empty if the request shows two."""
        name = self._name.decode()
        if (text := credentials_shown(headers, {name}).cookies.get(name)) is not None:
            return text, False
        lines = [value for name, value in headers if name == HEADER]
        return (lines[0].decode("latin-1"), True) if len(lines) == 1 else ("", False)

    def _opened(self, presented: str) -> list[Any] | None:
        try:
            said = self._sealer.open(_PURPOSE, base64url_or_empty(presented, CHARS_MAX), bound_to=self._name)
        except Unsealable:
            return None
        # The seal proves that a worker of this service wrote it.
        found: list[Any] = json.loads(said.decode("utf-8", "surrogatepass"))
        return found

    def _are_shown(self, shown: Presented, cookies: dict[str, str], bearer: str, *, any_value: bool) -> bool:
        # An application may prefer `Authorization` to its cookie; an unknown value there may belong to another account.
        if shown.other_authorization or (shown.bearer and not self._is(bearer, "", shown.bearer)):
            return False
        if not cookies and not shown.bearer:
            return False
        if any_value:
            return shown.cookies.keys() >= cookies.keys()
        return all(self._is(digest, name, shown.cookies.get(name, "")) for name, digest in cookies.items())

    def _signing(self, now_s: int) -> bytes:
        return signing(zip(self._keys, self._signers, strict=True), now_s)

    def _is(self, digest: str, name: str, value: str) -> bool:
        # After a rotation, the digest may have been made with an older secret.
        return any(compare_digest(_digest(key, name, value).hex(), digest) for key in self._keys)


def _with_class(proved_s: int, by: FactorClass) -> float:
    """The time of a proof with the factor's class in its tenths: earlier versions read six members, and this number."""
    return proved_s + by / 10 if by else proved_s


def _proved(number: float) -> tuple[int, FactorClass]:
    proved_s = int(number)
    return proved_s, FactorClass(round((number - proved_s) * 10))


def _digest(key: bytes, name: str, value: str) -> bytes:
    """Return the digest of one credential. `name` is empty for a bearer token; no cookie has an empty name."""
    data = bind(utf8(name), utf8(value))
    return blake2b(data, key=key, digest_size=_DIGEST_BYTES, person=b"session shown by").digest()


def _same(one: str, other: str) -> bool:
    return compare_digest(utf8(one), utf8(other))
