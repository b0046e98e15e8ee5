"""Headers in which a request shows proof of work, a captcha or a factor besides its secret."""

from __future__ import annotations

from typing import Final

WORK: Final = b"sekisho-work"
CAPTCHA: Final = b"sekisho-captcha"
PROOF: Final = b"sekisho-proof"

FORM: Final = "sekisho-form"
CARRIED: Final = FORM.encode() + b"="
"""The first bytes of a work page's form, which carries the request for which the work was asked."""

LOOK_START: Final = b"__Host-sekisho-look="
LOOK_SECONDS: Final = 120  # as long as the work itself may take
"""A cookie: the browser holds a work page. Its form is read even where its address is over the limit."""

WAITED: Final = b"sekisho-waited"

SHOWN: Final = frozenset({WORK, CAPTCHA, PROOF, WAITED})


class Carried(Exception):  # noqa: N818 - not an error
    """A door received a work page's form, which carries the attempt. `body` is the form's."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        super().__init__()
