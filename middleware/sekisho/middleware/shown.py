"""The headers in which a request shows more than its secret."""

from __future__ import annotations

WORK = b"sekisho-work"
CAPTCHA = b"sekisho-captcha"
PROOF = b"sekisho-proof"

SHOWN = frozenset({WORK, CAPTCHA, PROOF})
