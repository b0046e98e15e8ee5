"""Device tokens: what a browser or app is given after a log-in, so that it is known the next time.

OWASP's device cookies ("Slow Down Online Guessing Attacks with Device Cookies"): a device that logged in to an account
before has a budget of its own there, so neither a flood at its address nor anybody's guesses at its account can keep
its owner out. A token is signed, names one account exactly as the application reads it, and is renewed at each
success; whoever shows one that was renewed long ago holds a copy. It names its account by a keyed digest: a stolen
cookie jar is no list of accounts.

Pure: time and randomness arrive as values.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from functools import lru_cache
from hashlib import blake2b
from hmac import compare_digest
from struct import Struct
from typing import TYPE_CHECKING, Final, final

from sekisho.crypto.signers import Signer, as_signers
from sekisho.model import Device
from sekisho.model.value import Value
from sekisho.read.digest import utf8

if TYPE_CHECKING:
    from collections.abc import Sequence

ACCOUNTS_MAX: Final = 5
"""Accounts that one browser is remembered for; the one not used for longest makes room."""

USER_AGENT_BYTES_MAX: Final = 512
"""Of a browser's name that is remembered with its family. A client may send any."""

_BODY: Final = Struct("<BBBI8sI12s")  # key id, class, browser family, issued (s), device, generation, account
_MAC_BYTES: Final = 16
_SKEW_S: Final = 300  # by how much workers' clocks may differ; the store's is followed where there is one
_TOKEN_CHARS: Final = -(-(_BODY.size + _MAC_BYTES) * 4 // 3)
PRESENTED_CHARS_MAX: Final = ACCOUNTS_MAX * (_TOKEN_CHARS + 2)

_URLSAFE: Final = bytes.maketrans(b"+/", b"-_")
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
        device: random, 8 bytes; one for each device and account.
        generation: how often it has been renewed.
        device_class: what its holder has shown; one step less where its browser family has changed.
        issued_s: Unix time in seconds.
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


class DeviceTokens:
    """Issues and verifies tokens.

    Args:
        secrets: the first that signs and has not ended does; all that have not ended verify.
        days: how long a token is good for when its device stays away.
        oldest: the oldest secret listed, where it is not the last. The digest of an account uses it: it must outlive a
            rotation, as counters do.
    """

    def __init__(self, secrets: Sequence[bytes | Signer], *, days: int, oldest: bytes = b"") -> None:
        self._life_s = days * 86_400
        self._keys = [_Key(signer) for signer in as_signers(secrets)]
        key = _key(oldest) if oldest else _key(self._keys[-1].signer.secret)
        self._account = blake2b(key=key, digest_size=12, person=b"device account")
        self._starts: Final = frozenset(key.start for key in self._keys)

    def has_genuine(self, presented: str, now_s: int) -> bool:
        """Whether any token among those presented was signed here, for whatever account. Some microseconds at most."""
        return any(self._is_genuine(packed, now_s) for packed in self._split(presented))

    def find(self, presented: str, account: str, family: int, now_s: int) -> Token | None:
        """The token for `account` among those presented, or None. Bounded work, whatever is presented."""
        wanted = self._digest(account)
        for packed in self._split(presented):
            *_, named = _BODY.unpack_from(packed)
            # Which account it is for is no secret from its holder; whether it is genuine is, hence the order.
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
        """What to hand out after a success: a new token for this account, and the genuine others after it.

        Args:
            presented: what the client showed.
            account: as the application reads it.
            token: the one found for it, if any: the same device, one generation on.
            device_class: what has been shown by now.
            family: see `browser_family`.
            now_s: Unix time.
            fresh: 8 random bytes, the device's name where there was no token.
        """
        wanted = self._digest(account)
        device, generation = (token.device, token.generation + 1) if token else (fresh, 0)
        key = self._signing(now_s)
        body = _BODY.pack(key.id, device_class, family, now_s, device, generation, wanted)
        renewed = _text(body + key.mac(body))
        return ".".join([renewed, *self._others(presented, wanted, now_s)]) if presented else renewed

    def _others(self, presented: str, wanted: bytes, now_s: int) -> list[str]:
        """The genuine tokens of other accounts, as many as have room beside a new one."""
        others = [
            _text(packed)
            for packed in self._split(presented)
            if _BODY.unpack_from(packed)[-1] != wanted and self._is_genuine(packed, now_s)
        ]
        return others[: ACCOUNTS_MAX - 1]

    def _split(self, presented: str) -> list[bytes]:
        """What may be tokens of ours. A flood that shows something else is told by two characters of each."""
        if len(presented) > PRESENTED_CHARS_MAX:
            return []
        found = []
        for text in presented.split("."):
            if len(text) == _TOKEN_CHARS and text[:2] in self._starts:
                packed = _packed(text)
                if len(packed) == _BODY.size + _MAC_BYTES:
                    found.append(packed)
        return found

    def _verified(self, packed: bytes, family: int, now_s: int) -> Token | None:
        _, device_class, sealed_family, issued_s, device, generation, _ = _BODY.unpack_from(packed)
        if not self._is_genuine(packed, now_s) or not issued_s - _SKEW_S <= now_s < issued_s + self._life_s:
            return None
        # A cookie that wandered into another browser was taken there.
        held = device_class - (family != sealed_family)
        return Token(device, generation, Device(held), issued_s) if held > Device.STRANGER else None

    def _signing(self, now_s: int) -> _Key:
        # Loops, here and below: compiled, a generator takes as long as a digest.
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
    """What a secret signs with.

    Attributes:
        id: of one byte, so that hardly ever more than one key has to be tried.
        start: what all tokens of it begin with, two characters: the id, and the upper half of the class, which is 0.
    """

    __slots__ = ("_mac", "id", "signer", "start")

    def __init__(self, signer: Signer) -> None:
        key = _key(signer.secret)
        self.signer: Final = signer
        self.id: Final = blake2b(key, digest_size=1, person=b"device key id").digest()[0]
        self.start: Final = _text(bytes((self.id, 0)))[:2]
        self._mac: Final = blake2b(key=key, digest_size=_MAC_BYTES, person=b"device token").copy

    def mac(self, body: bytes) -> bytes:
        mac = self._mac()
        mac.update(body)
        return mac.digest()


def browser_family(user_agent: bytes) -> int:
    """A number for the browser's family; 0 for everything that is not one of the large ones. Survives updates."""
    return _known_family(user_agent) if len(user_agent) <= USER_AGENT_BYTES_MAX else _family(user_agent)


def _family(user_agent: bytes) -> int:
    for mark, family, _ in _FAMILIES:
        if mark in user_agent:
            return family
    return 0


_known_family = lru_cache(maxsize=256)(_family)


def browser_name(user_agent: bytes) -> str:
    """What an owner is told of a device: "Firefox on Android". Of our own words alone; empty where nothing is known."""
    browser = next((name for mark, _, name in _FAMILIES if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return " on ".join(filter(None, (browser, system)))


def _key(secret: bytes) -> bytes:
    return blake2b(secret, digest_size=64, person=b"sekisho.device").digest()


def _packed(text: str) -> bytes:
    """Nothing, where it is no base64url."""
    try:
        return a2b_base64(text.encode("ascii").translate(_STANDARD) + _PADDING)
    except ValueError:
        return b""


def _text(packed: bytes) -> str:
    # The line's end is removed with the padding: a named argument would cost more.
    return b2a_base64(packed).rstrip(b"=\n").translate(_URLSAFE).decode()
