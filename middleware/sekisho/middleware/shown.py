"""The headers in which a request shows more than its secret."""

from __future__ import annotations

WORK = b"sekisho-work"
CAPTCHA = b"sekisho-captcha"
PROOF = b"sekisho-proof"

FORM = "sekisho-form"
CARRIED = FORM.encode() + b"="
"""How the body of a work page's form begins, which carries the request that it was asked for."""

LOOK_START = b"__Host-sekisho-look="
LOOK_SECONDS = 120  # as long as the work that it stands for may take
"""A cookie: the browser holds a work page, whose form is looked at where its address has no room left."""

WAITED = b"sekisho-waited"

SHOWN = frozenset({WORK, CAPTCHA, PROOF, WAITED})


class Carried(Exception):  # noqa: N818 - nobody's mistake
    """What came to a door is a work page's form, which carries the attempt. `body` is the form's."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        super().__init__()
