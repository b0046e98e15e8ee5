"""Codes of an authenticator app: RFC 6238, with each time step good for one proof.

A code stays valid for a minute and a half, long enough for whoever looks over a shoulder, or sits between (a phishing
page that forwards what is typed), to show it again: RFC 6238, section 5.2, wants the second use refused.

SHA-1, six digits and 30 seconds are what the apps in people's hands can do; several ignore any other parameter
without a word, and then show wrong codes.
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

from sekisho.challenge.keys import enrolment_binding
from sekisho.challenge.seal import Unsealable
from sekisho.challenge.typed import folded_digits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.challenge.keys import VaultKeys
    from sekisho.challenge.seal import Sealer
    from sekisho.challenge.tries import Trial, Tries
    from sekisho.store.vault import Vault

log = logging.getLogger("sekisho.challenge")

PURPOSE = b"totp"
DIGITS = 6
STEP_S = 30
DRIFT = (-1, 0, 1)  # steps; phones keep time to seconds, people type slowly: RFC 6238 section 5.2
SECRET_BYTES = 20  # 160 bits: RFC 4226 section 4, R6
SPENT_S = 7_200  # a spent step is remembered for longer than a worker's clock may lag: an hour, say
ENROLMENTS_MAX = 3  # apps of an account; each is one more code that a guess may hit
ISSUER_CHARS_MAX = 32  # with the label, what a code of a size that phones read can hold in any script
LABEL_CHARS_MAX = 64


def new_secret() -> bytes:
    """20 random bytes, to be shown once and then kept sealed."""
    return secrets.token_bytes(SECRET_BYTES)


def secret_text(secret: bytes) -> str:
    """The secret in base32, in groups of four: for apps on the very phone that shows the page, which no lens sees."""
    text = b32encode(secret).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def provisioning_uri(secret: bytes, *, issuer: str, account: str) -> str:
    """`otpauth://totp/issuer:account?…`, as authenticator apps read it.

    A colon separates issuer from account even when escaped, so within either it becomes a blank; whoever registers as
    `Bank:alice` gains nothing. Names are cut to what a code can hold; they are for display only.
    """
    issuer, label = _label(issuer, ISSUER_CHARS_MAX), _label(account, LABEL_CHARS_MAX)
    text = b32encode(secret).decode()
    return f"otpauth://totp/{issuer}:{label}?secret={text}&issuer={issuer}"


def _label(name: str, chars_max: int) -> str:
    return quote(name[:chars_max].replace(":", " "), safe="", errors="replace")


def qr_svg(uri: str) -> str:
    """The URI as an `<svg>` to stand inside a page: no script, no style, nothing to be fetched.

    On white with its quiet zone, so that a page in dark colours does not hide it. Sized by the page.
    """
    code = segno.make(uri, error="m", micro=False)
    return code.svg_inline(omitsize=True, svgclass=None, lineclass=None, dark="#000", light="#fff", border=4)


def verify(secret: bytes, typed: str, now_s: int) -> int | None:
    """The time step that the code is of, or None. Does not know whether it was used before: see `Totp`.

    Args:
        secret: at least 14 bytes.
        typed: as typed; full-width digits and blanks are folded.
        now_s: Unix time.
    """
    code = folded_digits(typed, DIGITS)
    if code is None:
        return None
    app, found = pyotp.TOTP(b32encode(secret).decode()), None
    # Every step is looked at, whichever it is: time must not tell how far the clocks are apart.
    for step in (now_s // STEP_S + drift for drift in DRIFT):
        if step >= 0 and compare_digest(app.generate_otp(step), code):
            found = step
    return found


class Totp:
    """The factor: enrolments sealed, tries counted, each step once for each enrolment."""

    def __init__(self, vault: Vault, keys: VaultKeys, sealer: Sealer, tries: Tries) -> None:
        self._vault = vault
        self._keys = keys
        self._sealer = sealer
        self._tries = tries
        self._nobodys = self.seal(new_secret(), account="", enrolment="")

    def seal(self, secret: bytes, *, account: str, enrolment: str) -> bytes:
        """What may be kept of a secret: good for this account's enrolment and, moved to another row, for none."""
        return self._sealer.seal(PURPOSE, secret, bound_to=enrolment_binding(account, enrolment))

    async def accept(
        self,
        trial: Trial,
        kept: Sequence[tuple[str, bytes]],
        typed: str,
        *,
        now_s: int,
        on_last: Callable[[], None] = lambda: None,
    ) -> bool:
        """Whether this proves that the account's owner is here. True once for each time step and enrolment.

        Args:
            trial: for whom; behind a wrong secret nothing is proved and no step is spent.
            kept: id of each of the account's enrolments, and what `seal` gave. The first `ENROLMENTS_MAX` are looked
                at; where there are fewer, or none, the same work comes to nothing.
            typed: as typed. What cannot be a code is no try.
            now_s: Unix time.
            on_last: called where it proves nothing, and no other code will until there is a proof of another kind.

        Raises:
            StoreUnavailable: nobody knows whether the try counted.
        """
        if folded_digits(typed, DIGITS) is None:
            return False
        # One try, however many apps there are: an owner with three must not have a third of the tries.
        counted = await self._tries.of_app(trial)
        # Beyond a cap the work is done as before it: answers that come sooner would say that a cap was reached, and
        # only behind a right password is there one to reach.
        right = self.match(trial, kept, typed, now_s)
        if right is None or not (counted.allowed and trial.behind_right_secret):
            if counted.is_last and trial.behind_right_secret:
                on_last()
            return False
        return await self.spend(*right)

    def match(self, trial: Trial, kept: Sequence[tuple[str, bytes]], typed: str, now_s: int) -> tuple[str, int] | None:
        """Which enrolment's code this is, and of which time step; None: of none. Counts and spends nothing."""
        padded = [*kept[:ENROLMENTS_MAX], *[None] * (ENROLMENTS_MAX - len(kept))]
        found = [self._step(trial, one, typed, now_s) for one in padded]
        return next((one for one in found if one is not None), None)

    async def spend(self, enrolment: str, step: int) -> bool:
        """True for the first who shows this step: of any number at once, one. Enrolling spends the step it shows."""
        return await self._vault.once(self._keys.of(b"totp step", enrolment, str(step)), seconds=SPENT_S)

    def _step(self, trial: Trial, kept: tuple[str, bytes] | None, typed: str, now_s: int) -> tuple[str, int] | None:
        """Which step of which enrolment was shown; None where it is not this one's, or there is none."""
        secret, enrolled = self._opened(trial, kept)
        step = verify(secret, typed, now_s)
        return None if step is None or not enrolled or kept is None else (kept[0], step)

    def _opened(self, trial: Trial, kept: tuple[str, bytes] | None) -> tuple[bytes, bool]:
        """The enrolment's secret, and True; nobody's and False where there is none, after the same work."""
        if kept is None:
            return self._sealer.open(PURPOSE, self._nobodys, bound_to=enrolment_binding("", "")), False
        try:
            return self._sealer.open(PURPOSE, kept[1], bound_to=enrolment_binding(trial.account, kept[0])), True
        except Unsealable:
            # An error page in its place would tell this account from those that do not exist.
            log.warning("an authenticator enrolment cannot be opened: altered, or SEKISHO_SECRET lost its key")
            return new_secret(), False
