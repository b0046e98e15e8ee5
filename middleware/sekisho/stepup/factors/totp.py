"""Codes of an authenticator app: RFC 6238, with each time step good for one proof.

A code stays valid for a minute and a half. That is long enough for an attacker who looks over a shoulder, or runs a
phishing page that forwards it, to show it again: RFC 6238, section 5.2, requires that the second use is refused.

SHA-1, six digits and 30 seconds work in all common apps; several silently ignore other parameters and show wrong codes.
"""

from __future__ import annotations

import logging
import secrets
from base64 import b32encode
from hmac import compare_digest
from typing import TYPE_CHECKING
from urllib.parse import quote

import pyotp
import segno

from sekisho.crypto.seal import Unsealable
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.stepup.factors.code_normalisation import folded_digits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.crypto.seal import Sealer
    from sekisho.crypto.vault_keys import VaultKeys
    from sekisho.stepup.attempt_limits import AttemptLimits, CodeTrial
    from sekisho.store.vault import Vault

log = logging.getLogger("sekisho.challenge")

PURPOSE = b"totp"
DIGITS = 6
STEP_S = 30
DRIFT = 1  # steps before and after; phones keep time to seconds, owners type slowly: RFC 6238 section 5.2
SECRET_BYTES = 20  # 160 bits: RFC 4226 section 4, R6
SPENT_S = 7_200  # seconds that a spent step is remembered: longer than a worker's clock can be late
ENROLMENTS_MAX = 3  # apps of an account; each adds a code that a guess may hit
ISSUER_CHARS_MAX = 32  # with the label, as much as a QR code that phones can scan has room for, in any script
LABEL_CHARS_MAX = 64


def new_secret() -> bytes:
    """Make a secret of 20 random bytes. Show it once, then keep it sealed."""
    return secrets.token_bytes(SECRET_BYTES)


def secret_text(secret: bytes) -> str:
    """Write the secret in base32, in groups of four, for owners who cannot scan the page with another device."""
    text = b32encode(secret).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def provisioning_uri(secret: bytes, *, issuer: str, account: str) -> str:
    """Return `otpauth://totp/issuer:account?…`, as authenticator apps read it.

    A colon separates issuer from account even when escaped, so a colon inside a name becomes a blank: registering as
    `Bank:alice` gains nothing. Names are cut to the capacity of the QR code; they are for display only.
    """
    issuer, label = _label(issuer, ISSUER_CHARS_MAX), _label(account, LABEL_CHARS_MAX)
    text = b32encode(secret).decode()
    return f"otpauth://totp/{issuer}:{label}?secret={text}&issuer={issuer}"


def _label(name: str, chars_max: int) -> str:
    return quote(name[:chars_max].replace(":", " "), safe="", errors="replace")


def qr_svg(uri: str) -> str:
    """Draw the URI as a QR code, an inline `<svg>` without script, style or external parts.

    It has a white background and a quiet zone, so that it can be scanned from a dark page. The page sets its size.
    """
    code = segno.make(uri, error="m", micro=False)
    return code.svg_inline(omitsize=True, svgclass=None, lineclass=None, dark="#000", light="#fff", border=4)


def verify(secret: bytes, typed: str, now_s: int, drift: int = DRIFT) -> int | None:
    """Return the time step whose code was typed; None if it is the code of none within `drift` steps of now.

    `Totp` checks whether the step was used before.

    Args:
        secret: at least 14 bytes.
        typed: as typed; full-width digits and blanks are folded.
        now_s: Unix time in seconds.
        drift: time steps before and after the current one whose codes are accepted.
    """
    code = folded_digits(typed, DIGITS)
    if code is None:
        return None
    app, found = pyotp.TOTP(b32encode(secret).decode()), None
    # All steps are compared: the time must not show how far the clocks differ.
    for step in range(now_s // STEP_S - drift, now_s // STEP_S + drift + 1):
        if step >= 0 and compare_digest(app.generate_otp(step), code):
            found = step
    return found


class Totp:
    """The factor `totp`: enrolments are sealed, attempts are counted, and each enrolment accepts a time step once."""

    def __init__(
        self, vault: Vault, keys: VaultKeys, sealer: Sealer, limits: AttemptLimits, *, drift: int = DRIFT
    ) -> None:
        self._vault = vault
        self._keys = keys
        self._sealer = sealer
        self._limits = limits
        self.drift = drift
        self._nobodys = self.seal(new_secret(), account="", enrolment="")

    def seal(self, secret: bytes, *, account: str, enrolment: str) -> bytes:
        """Seal a secret for this account's enrolment; in another row of the database it does not open."""
        return self._sealer.seal(PURPOSE, secret, bound_to=enrolment_binding(account, enrolment))

    async def accept(
        self,
        trial: CodeTrial,
        kept: Sequence[tuple[str, bytes]],
        typed: str,
        *,
        now_s: int,
        on_last: Callable[[], None] = lambda: None,
    ) -> str | None:
        """Return the id of the enrolment whose code was typed; None if it does not prove that the owner is present.

        A code is accepted once for each time step and enrolment.

        Args:
            trial: the account and the challenge; behind a wrong secret nothing is proved and no step is spent.
            kept: the id and the result of `seal` for each enrolment of the account. The first `ENROLMENTS_MAX` are
                compared; with fewer or none, the same work is done without effect.
            typed: as typed. A text that cannot be a code is not counted as an attempt.
            now_s: Unix time in seconds.
            on_last: called if no further code is accepted until a proof of another kind.

        Raises:
            StoreUnavailable: the attempt may have been counted.
        """
        if folded_digits(typed, DIGITS) is None:
            return None
        # One attempt for any number of apps: an owner with three apps must not get a third of the attempts.
        attempt = await self._limits.of_app(trial)
        # Beyond the cap the same work is done: only a right password reaches the cap, so a faster answer would reveal
        # it.
        right = self.match(trial, kept, typed, now_s)
        if right is None or not (attempt.allowed and trial.behind_right_secret):
            if attempt.is_last and trial.behind_right_secret:
                on_last()
            return None
        return right[0] if await self.spend(*right) else None

    def match(
        self, trial: CodeTrial, kept: Sequence[tuple[str, bytes]], typed: str, now_s: int
    ) -> tuple[str, int] | None:
        """The enrolment and the time step of this code, or None. It counts no try and spends no step."""
        padded = [*kept[:ENROLMENTS_MAX], *[None] * (ENROLMENTS_MAX - len(kept))]
        found = [self._step(trial, one, typed, now_s) for one in padded]
        return next((one for one in found if one is not None), None)

    async def spend(self, enrolment: str, step: int) -> bool:
        """Spend a step: True for the first call only, even if many come at once. Enrolling spends its step as well."""
        return await self._vault.once(self._keys.of(b"totp step", enrolment, str(step)), seconds=SPENT_S)

    def _step(self, trial: CodeTrial, kept: tuple[str, bytes] | None, typed: str, now_s: int) -> tuple[str, int] | None:
        """Return the enrolment and the step if the code is this enrolment's; otherwise None."""
        secret, enrolled = self._opened(trial, kept)
        step = verify(secret, typed, now_s, self.drift)
        return None if step is None or not enrolled or kept is None else (kept[0], step)

    def _opened(self, trial: CodeTrial, kept: tuple[str, bytes] | None) -> tuple[bytes, bool]:
        """Return the enrolment's secret and True; a random one and False if there is none, after the same work."""
        if kept is None:
            return self._sealer.open(PURPOSE, self._nobodys, bound_to=enrolment_binding("", "")), False
        try:
            return self._sealer.open(PURPOSE, kept[1], bound_to=enrolment_binding(trial.account, kept[0])), True
        except Unsealable:
            # An exception would give an error page, which would distinguish this account from invented ones.
            log.warning("an authenticator enrolment cannot be opened: altered, or SEKISHO_SECRET lost its key")
            return new_secret(), False
