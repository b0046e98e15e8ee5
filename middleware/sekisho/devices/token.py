"""Device tokens: a browser or app gets one after a log-in, so that the guard recognises it the next time.

OWASP's device cookies ("Slow Down Online Guessing Attacks with Device Cookies"): a device that logged in to an account
before has a separate budget there. So neither a flood at its address nor guesses at its account can lock its owner out.
A token is signed, names one account exactly as the application reads it, and is renewed at each success. A client that
shows a token which was renewed long ago holds a copy. The token names its account by a keyed digest, so stolen cookies
do not list accounts.

Pure: time and randomness arrive as values.
"""

from __future__ import annotations

from binascii import a2b_base64
from hashlib import blake2b
from hmac import compare_digest
from struct import Struct
from typing import TYPE_CHECKING, Final, final

from sekisho.crypto.signers import Signer, as_signers
from sekisho.model import Charged, Device
from sekisho.model.text import base64url, utf8
from sekisho.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.model import Verdict

ACCOUNTS_MAX: Final = 5
"""Accounts that one browser is remembered for; a further one replaces the least recently used."""

USER_AGENT_BYTES_MAX: Final = 512
"""Longest `User-Agent` that is cached with its family, in bytes. A client may send any length."""

FAMILIES_MAX: Final = 256
"""Values of `User-Agent` that are cached with their family."""

_BODY: Final = Struct("<BBBI8sI12s")  # key id, class, browser family, issued (s), device, generation, account
_MAC_BYTES: Final = 16
_SKEW_S: Final = 300  # largest difference of workers' clocks that is none, in seconds; with a store, its clock is used
_STEP_S: Final = 2 * 86_400  # so far a clock may be set back, and the tokens that it dated are still good
_UNDATED_S: Final = 1
_TOKEN_CHARS: Final = -(-(_BODY.size + _MAC_BYTES) * 4 // 3)
PRESENTED_CHARS_MAX: Final = ACCOUNTS_MAX * (_TOKEN_CHARS + 2)

_ENDS: Final = ("", ".")
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_PADDING: Final = b"=" * (-_TOKEN_CHARS % 4)

_FAMILIES: Final = (
    (b"Edg", 1, "Edge"),
    (b"OPR/", 2, "Opera"),
    (b"Firefox/", 3, "Firefox"),
    (b"FxiOS/", 3, "Firefox"),
    (b"Chrome/", 4, "Chrome"),
    (b"CriOS/", 4, "Chrome"),
    (b"Safari/", 5, "Safari"),
)
_SYSTEMS: Final = (
    (b"Android", "Android"),
    (b"iPhone", "iPhone"),
    (b"iPad", "iPad"),
    (b"Windows", "Windows"),
    (b"Mac OS X", "Mac"),
    (b"Linux", "Linux"),
)


@final
class Token(Value):
    """A verified token.

    Attributes:
        device: 8 random bytes, one name for each device and account.
        generation: the number of renewals.
        device_class: the class that its device has reached; one lower if the browser family has changed.
        issued_s: Unix time in seconds; 1 if the token is dated in the future, since the clock was set back.
    """

    __slots__ = ("device", "device_class", "generation", "issued_s")

    def __init__(
        self,
        device: bytes,
        generation: int,
        device_class: Device,
        issued_s: int,
    ) -> None:
        self.device: Final = device
        self.generation: Final = generation
        self.device_class: Final = device_class
        self.issued_s: Final = issued_s


def class_by(token: Token | None, verdict: Verdict) -> Device:
    """The device class for this attempt: the token's class.

    A stranger's where there is no token, or where the attempt was not charged to the token's own bucket.
    """
    in_bucket = token is not None and verdict.charged & Charged.KNOWN_DEVICE
    return token.device_class if token is not None and in_bucket else Device.STRANGER


class DeviceTokens:
    """Issues and verifies tokens.

    Args:
        secrets: the first secret that signs and has not ended signs; all that have not ended verify.
        days: lifetime of a token that is not renewed, in days.
        oldest: the oldest secret listed, if it is not the last. It keys the digest of an account, which must outlive a
            rotation, as counters do.
    """

    def __init__(self, secrets: Sequence[bytes | Signer], *, days: int, oldest: bytes = b"") -> None:
        self._life_s = days * 86_400
        self._keys = [_Key(signer) for signer in as_signers(secrets)]
        key = _key(oldest) if oldest else _key(self._keys[-1].signer.secret)
        self._account = blake2b(key=key, digest_size=12, person=b"device account")
        self._starts: Final = frozenset(key.start for key in self._keys)

    def has_genuine(self, presented: str, now_s: int) -> bool:
        """Whether the first presented token that begins as ours do was signed here, for any account.

        A client gets its tokens in one text, and the first one was signed for that text. A forged token in front thus
        shows that the text is not ours. Without this rule, a flood that shows five forged tokens would cost five
        signatures for each request.
        """
        # Nearly all texts are one token, or begin with one of ours: nothing has to be split.
        is_first = presented[:2] in self._starts and presented[_TOKEN_CHARS : _TOKEN_CHARS + 1] in _ENDS
        if is_first and len(presented) <= PRESENTED_CHARS_MAX:
            packed = _packed(presented[:_TOKEN_CHARS])
            return len(packed) == _BODY.size + _MAC_BYTES and self._is_genuine(packed, now_s)
        first = self._split(presented, most=1)
        return bool(first) and self._is_genuine(first[0], now_s)

    def find(self, presented: str, account: str, family: int, now_s: int) -> Token | None:
        """Return the verified token for `account` among those presented, or None. The work is bounded for any text."""
        wanted = self._digest(account)
        for packed in self._split(presented):
            *_, named = _BODY.unpack_from(packed)
            # The account of a token is no secret from its holder, but its validity is. Hence the MAC is checked last.
            if named == wanted:
                return self._verified(packed, family, now_s)
        return None

    def renewed(
        self,
        presented: str,
        account: str,
        token: Token | None,
        *,
        device_class: Device,
        family: int,
        now_s: int,
        fresh: bytes,
    ) -> str:
        """Return the value to hand out after a success: a new token for this account, then the genuine other tokens.

        Args:
            presented: the value that the client showed.
            account: as the application reads it.
            token: the one found for it, if any; the new one names the same device and counts one more renewal.
            device_class: the class that the device has reached now.
            family: see `browser_family`.
            now_s: Unix time in seconds.
            fresh: 8 random bytes, the device's name if there was no token.
        """
        wanted = self._digest(account)
        device, generation = (token.device, token.generation + 1) if token else (fresh, 0)
        key = self._signing(now_s)
        body = _BODY.pack(key.id, device_class, family, now_s, device, generation, wanted)
        renewed = base64url(body + key.mac(body))
        return ".".join([renewed, *self._others(presented, wanted, now_s)]) if presented else renewed

    def _others(self, presented: str, wanted: bytes, now_s: int) -> list[str]:
        """Return the genuine tokens of other accounts, as many as fit beside a new one."""
        others = [
            base64url(packed)
            for packed in self._split(presented)
            if _BODY.unpack_from(packed)[-1] != wanted and self._is_genuine(packed, now_s)
        ]
        return others[: ACCOUNTS_MAX - 1]

    def _split(self, presented: str, most: int = ACCOUNTS_MAX) -> list[bytes]:
        """Return the texts that may be our tokens, decoded. Two characters of each text rule out most of a flood."""
        if len(presented) > PRESENTED_CHARS_MAX:
            return []
        found = []
        for text in presented.split("."):
            if len(text) == _TOKEN_CHARS and text[:2] in self._starts:
                packed = _packed(text)
                if len(packed) == _BODY.size + _MAC_BYTES:
                    found.append(packed)
                    if len(found) == most:
                        break
        return found

    def _verified(self, packed: bytes, family: int, now_s: int) -> Token | None:
        _, device_class, sealed_family, issued_s, device, generation, _ = _BODY.unpack_from(packed)
        if not self._is_genuine(packed, now_s) or not issued_s - _STEP_S <= now_s < issued_s + self._life_s:
            return None
        # Its date is of a clock that was wrong: no change of the password may seem older than a thief's token.
        if issued_s > now_s + _SKEW_S:
            issued_s = _UNDATED_S
        # The browser family differs: the cookie was copied into another browser.
        held = device_class - (family != sealed_family)
        return Token(device, generation, Device(held), issued_s) if held > Device.STRANGER else None

    def _signing(self, now_s: int) -> _Key:
        # Not `signing`: called from compiled code, that takes some 2,000 instructions of each success.
        # A loop, here and below, because a compiled generator takes as long as a digest.
        for key in self._keys:
            if key.signer.signs and now_s < key.signer.until_s:
                return key
        raise LookupError("no secret signs")

    def _is_genuine(self, packed: bytes, now_s: int) -> bool:
        body, mac = packed[: _BODY.size], packed[_BODY.size :]
        for key in self._keys:
            if now_s < key.signer.until_s and key.id == body[0] and compare_digest(key.mac(body), mac):
                return True
        return False

    def _digest(self, account: str) -> bytes:
        digest = self._account.copy()
        digest.update(utf8(account))
        return digest.digest()


class _Key:
    """A key that signs tokens, made from a secret.

    Attributes:
        signer: the secret and its role.
        id: one byte, so that rarely more than one key has to be tried.
        start: the first two characters of all its tokens: they encode the id and the upper half of the class, which is
            0.
    """

    __slots__ = ("_mac", "id", "signer", "start")

    def __init__(self, signer: Signer) -> None:
        key = _key(signer.secret)
        self.signer: Final = signer
        self.id: Final = blake2b(key, digest_size=1, person=b"device key id").digest()[0]
        self.start: Final = base64url(bytes((self.id, 0)))[:2]
        self._mac: Final = blake2b(key=key, digest_size=_MAC_BYTES, person=b"device token").copy

    def mac(self, body: bytes) -> bytes:
        mac = self._mac()
        mac.update(body)
        return mac.digest()


def browser_family(user_agent: bytes) -> int:
    """Return a number for the browser's family; 0 for all but the large browsers. Updates do not change it."""
    family = _KNOWN_FAMILIES.get(user_agent)
    if family is not None:
        return family
    family = _family(user_agent)
    if len(user_agent) <= USER_AGENT_BYTES_MAX:
        if len(_KNOWN_FAMILIES) >= FAMILIES_MAX:  # bounded: a flood of invented names only undoes the saving
            _KNOWN_FAMILIES.clear()
        _KNOWN_FAMILIES[user_agent] = family
    return family


def _family(user_agent: bytes) -> int:
    for mark, family, _ in _FAMILIES:
        if mark in user_agent:
            return family
    return 0


# A plain dictionary: compiled, it answers in a third of the time of `lru_cache`.
_KNOWN_FAMILIES: Final[dict[bytes, int]] = {}


def browser_name(user_agent: bytes) -> str:
    """Name a device for its owner, as "Firefox on Android". Contains only our own words; empty if none is known."""
    browser = next((name for mark, _, name in _FAMILIES if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return " on ".join(filter(None, (browser, system)))


def _key(secret: bytes) -> bytes:
    return blake2b(secret, digest_size=64, person=b"sekisho.device").digest()


def _packed(text: str) -> bytes:
    """Decode base64url; empty if the text is none."""
    try:
        return a2b_base64(text.encode("ascii").translate(_STANDARD) + _PADDING)
    except ValueError:
        return b""
