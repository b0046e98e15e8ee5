"""The sealed question by which `sekisho check --url` has a running service try its own doors.

It holds the account and the password of a right log-in, so it is sealed: the service's proxies log headers. It opens
only beside the examiner's token that it was sealed for, so it ends with that token, after five minutes.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.crypto.seal import Sealer, Unsealable
from sekisho.model import Credentials
from sekisho.model.text import base64url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.crypto.signers import Signer

PURPOSE: Final = b"check"
CHARS_MAX: Final = 8_000  # servers take 8 KiB for a header; longer text is not opened


class Question(NamedTuple):
    """What to try.

    Attributes:
        known: a right log-in for the `LOGIN` doors; None for none.
        doors: names of other doors.
    """

    known: Credentials | None
    doors: tuple[str, ...]

    def __repr__(self) -> str:
        # It holds a password.
        return f"Question(doors={self.doors!r}, ...)"


class QuestionSealer:
    """Args:
    signers: of the service.
    clock_s: Unix time in seconds.
    """

    def __init__(self, signers: Sequence[Signer], clock_s: Callable[[], float]) -> None:
        self._sealer = Sealer(signers, clock_s=clock_s)

    def sealed(self, question: Question, token: bytes) -> str:
        """Seal a question for one token, as text for a header. Raises `ValueError` if it is too long for one."""
        known = question.known
        asked = {"known": [known.account, known.secret] if known is not None else None, "doors": question.doors}
        text = base64url(self._sealer.seal(PURPOSE, json.dumps(asked).encode(), bound_to=token))
        if len(text) > CHARS_MAX:
            raise ValueError("the log-in and the names of the doors are too long for a header")
        return text

    def opened(self, text: bytes, token: bytes) -> Question | None:
        """Open a sealed question; None for any text that was not sealed for this token."""
        if len(text) > CHARS_MAX:
            return None
        try:
            sealed = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
            asked = json.loads(self._sealer.open(PURPOSE, sealed, bound_to=token))
        except (ValueError, Unsealable):
            return None
        known = Credentials(*asked["known"]) if asked["known"] is not None else None
        return Question(known, tuple(asked["doors"]))
