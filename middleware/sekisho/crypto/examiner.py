"""The token by which `sekisho doctor` proves to a running service that it has the service's secret.

It keeps strangers from asking how their requests arrive, since the answer tells whether a forged address is believed.
An eavesdropper can replay a token for five minutes, to read the same facts and nothing else.
"""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from sekisho.crypto.signers import signing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.crypto.signers import Signer

HEADER: Final = b"sekisho-examiner"
SKEW_S: Final = 300
_CHARS_MAX: Final = 64
_PERSON: Final = b"sekisho.doctor"


def examiner_token(signers: Iterable[Signer], now_s: float) -> bytes:
    """Return a token for five minutes. `now_s`: Unix time in seconds. Raises `LookupError`: no secret signs."""
    issued = b"%d" % now_s
    return issued + b"." + _mac(signing(((each, each) for each in signers), now_s), issued)


def is_examiner(signers: Iterable[Signer], token: bytes, now_s: float) -> bool:
    """Whether a token is genuine and was issued within the last five minutes. `now_s`: Unix time in seconds."""
    issued, _, mac = token[:_CHARS_MAX].partition(b".")
    if not issued.isdigit() or abs(int(issued) - now_s) > SKEW_S:
        return False
    return any(compare_digest(_mac(each, issued), mac) for each in signers if now_s < each.until_s)


def _mac(signer: Signer, issued: bytes) -> bytes:
    # The secret is hashed first, because BLAKE2b accepts no key of more than 64 bytes.
    key = blake2b(signer.secret, digest_size=32, person=_PERSON).digest()
    return blake2b(issued, key=key, digest_size=16, person=_PERSON).hexdigest().encode()
