"""Second proofs that lock owners out, or let attackers pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.model import DoorKind, hazards
from sekisho.settings import NoFactor
from sekisho.settings.doors import names_of, ruled_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.model.diagnosis import Diagnosis
    from sekisho.settings import Settings


def checks(settings: Settings) -> Iterator[Diagnosis]:
    """Yield diagnoses of settings whose step-ups are never asked for, keep owners out, or end without a session."""
    if settings.factors:
        yield from _of_factors(settings)
    elif settings.no_factor is NoFactor.CHALLENGE:
        yield hazards.NO_FACTOR.found(
            "SEKISHO_NO_FACTOR: there is no second factor to ask for, so a stranger's right password is believed"
        )
    if not settings.has_session_account:
        yield from _of_sessions(settings)


def _of_factors(settings: Settings) -> Iterator[Diagnosis]:
    resets = [door for door in settings.doors if door.kind is DoorKind.RESET and not door.success]
    if resets:
        yield hazards.UNSEEN_RESET.found(
            f"SEKISHO_RESET: no success= rule for {names_of(resets)}; where a completed reset is not recognised, "
            "step-ups that were begun with the old password go on for ten minutes",
            ruled_line(resets[0], "302:/login"),
        )
    if not {"email", "webhook"}.intersection(settings.factors):
        yield hazards.ENROLLED_ONLY.found(
            "SEKISHO_FACTORS: without email or webhook, accounts that have enrolled nothing cannot be asked "
            "and stay out from new devices"
        )
    basic = [door for door in settings.doors if door.by_header]
    if basic:
        yield hazards.PROOF_FOR_EACH.found(
            f"SEKISHO_FACTORS: {names_of(basic)} opens by HTTP Basic, where each request needs a proof of its own, and "
            "no code is sent for it; put the API behind a guard of its own, with factors=none"
        )
    if settings.origins:
        yield hazards.FOREIGN_SESSION.found(
            "SEKISHO_ORIGINS: pages there that are of another site get cookies with SameSite=None; Partitioned; the "
            "application's own session cookie needs the same, or a step-up ends without a session"
        )


def _of_sessions(settings: Settings) -> Iterator[Diagnosis]:
    """Diagnoses that apply only if `LoginGuard` has no `session_account` to map a session to its account."""
    links = [door for door in settings.doors if door.kind is DoorKind.LINK]
    if (settings.protect or (links and settings.factors)) and settings.guesses_session:
        yield hazards.GUESSED_SESSION.found(
            "SEKISHO_LOGIN: no rule names the session's cookie, so protected routes guess which one it is; add "
            "success=cookie:NAME, or give LoginGuard session_account="
        )
    if links and not (settings.factors and _binds_sessions(settings)):
        refused = ", and no owner can show the proof that it needs" if settings.factors else ""
        yield hazards.UNKNOWN_LINKER.found(
            f"SEKISHO_LINK: {names_of(links)} links an account to one that is not known, so SEKISHO_LINK_ACCOUNT_MAX "
            f"limits nobody{refused}; give LoginGuard session_account="
        )
    codes = [door for door in settings.doors if door.kind is DoorKind.CODE]
    nameless = [door for door in codes if any(one.secret and not one.account for one in door.fields)]
    if nameless:
        yield hazards.CODE_WITHOUT_ACCOUNT.found(
            f"SEKISHO_CODE: {names_of(nameless)} names no account, so guesses at a code are counted by address alone; "
            "add the account's field, as in form:username,code, or give LoginGuard session_account="
        )


def _binds_sessions(settings: Settings) -> bool:
    """Whether a log-in here begins a session that the guard can tell apart."""
    begin = {DoorKind.LOGIN, DoorKind.CODE, DoorKind.PASSKEY}
    return any(door.kind in begin and door.reads_body for door in settings.doors)
