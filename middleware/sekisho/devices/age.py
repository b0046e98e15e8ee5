"""Age stamps: since which day a device was seen at an account, while the site had no factor to ask for.

A stamp stands beside the device's token, in the same cookie or header. Earlier versions skip it: it is shorter than a
token, and the whole text stays within their bound. It is signed for one account and one device name, so it ends with
that name: when the device proves itself, or when its token was copied.

Pure: time arrives as a value.
"""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.crypto.signers import as_signers, signing
from sekisho.devices.token import ACCOUNTS_MAX, PRESENTED_CHARS_MAX
from sekisho.model import Device
from sekisho.model.text import base64url, base64url_or_empty, utf8

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.crypto.signers import Signer
    from sekisho.devices.token import Token

RENEWALS_MIN: Final = 3
"""Successes after the first one, before a device is aged. Each success renews the token."""

_DAY_S: Final = 86_400
_BODY: Final = Struct("<BH")  # key id, day since 1970
_MAC_BYTES: Final = 16
_CHARS: Final = -(-(_BODY.size + _MAC_BYTES) * 4 // 3)


class _Key(NamedTuple):
    secret: bytes
    id: int

    def mac(self, body: bytes, device: bytes, account: str) -> bytes:
        signed = body + device + utf8(account)
        return blake2b(signed, key=self.secret, digest_size=_MAC_BYTES, person=b"device age").digest()

    def __repr__(self) -> str:
        return "_Key(...)"


class AgeStamps:
    """Makes and reads stamps.

    Args:
        secrets: the first that signs and has not ended signs; all that have not ended verify.
        days: how long a device must have been seen to be aged.
        begins: whether devices get stamps now: the site has no factor.
    """

    def __init__(self, secrets: Sequence[bytes | Signer], *, days: int, begins: bool) -> None:
        self._keys = [(_key(signer.secret), signer) for signer in as_signers(secrets)]
        self._days = days
        self._begins = begins

    def is_aged(self, presented: str, account: str, token: Token, now_s: int) -> bool:
        """Whether a seen device succeeded several times, and its stamp says that it was first seen long enough ago."""
        if token.device_class is not Device.SEEN or token.generation < RENEWALS_MIN:
            return False
        _, since = self._own(presented, account, token.device, now_s)
        return 0 < since <= now_s // _DAY_S - self._days

    def is_stamped(self, presented: str, account: str, token: Token, now_s: int) -> bool:
        """Whether a seen device has a genuine stamp, however young."""
        return token.device_class is Device.SEEN and self._own(presented, account, token.device, now_s)[1] > 0

    def carried(self, tokens: str, presented: str, account: str, token: Token | None, device: bytes, now_s: int) -> str:
        """The tokens to hand out, followed by the stamps of this browser's devices, as far as they fit.

        Args:
            tokens: the value without stamps.
            presented: the value that the client showed.
            account: as the application reads it.
            token: the one found for it, if any.
            device: the name in the new token; empty where the device has proved itself: its stamp ends.
            now_s: Unix time.
        """
        own, since = self._own(presented, account, token.device, now_s) if token is not None else ("", 0)
        if not since and self._begins and (token is None or token.device_class is Device.SEEN):
            since = (token.issued_s if token is not None else now_s) // _DAY_S
        first = [self._stamp(since, account, device, now_s)] if since and device else []
        others = [text for text in _stamps(presented) if text != own]
        room = (PRESENTED_CHARS_MAX - len(tokens)) // (_CHARS + 1)
        return ".".join([tokens, *[*first, *others][: max(0, room)]])

    def _own(self, presented: str, account: str, device: bytes, now_s: int) -> tuple[str, int]:
        """The device's genuine stamp, and its day; an empty text and 0 where there is none."""
        for text in _stamps(presented):
            packed = _packed(text)
            if packed and self._is_genuine(packed, account, device, now_s):
                return text, int(_BODY.unpack_from(packed)[1])
        return "", 0

    def _stamp(self, since_day: int, account: str, device: bytes, now_s: int) -> str:
        key = signing(self._keys, now_s)
        body = _BODY.pack(key.id, since_day)
        return base64url(body + key.mac(body, device, account))

    def _is_genuine(self, packed: bytes, account: str, device: bytes, now_s: int) -> bool:
        body, mac = packed[: _BODY.size], packed[_BODY.size :]
        return any(
            key.id == body[0] and now_s < signer.until_s and compare_digest(key.mac(body, device, account), mac)
            for key, signer in self._keys
        )


def _stamps(presented: str) -> list[str]:
    """The texts that may be stamps. At most so many, or a client could have any number of them verified."""
    if len(presented) > PRESENTED_CHARS_MAX:
        return []
    return [text for text in presented.split(".") if len(text) == _CHARS][:ACCOUNTS_MAX]


def _packed(text: str) -> bytes:
    """Decode base64url; empty if the text is none."""
    packed = base64url_or_empty(text, _CHARS)
    return packed if len(packed) == _BODY.size + _MAC_BYTES else b""


def _key(secret: bytes) -> _Key:
    derived = blake2b(secret, digest_size=64, person=b"sekisho.age").digest()
    return _Key(derived, blake2b(derived, digest_size=1, person=b"age key id").digest()[0])
