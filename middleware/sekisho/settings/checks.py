"""Diagnoses of settings that are valid and may be unintended.

Pure: `LoginGuard` logs them and `sekisho doctor` prints them.
Each sentence begins with the variable that would change it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from sekisho.model import DoorKind, Mode, hazards
from sekisho.settings import table
from sekisho.settings.doors import door_text
from sekisho.settings.step_up import checks_of_step_up
from sekisho.settings.store import MEMORY, is_unverified
from sekisho.settings.values import NoFactor, StepUpFrom, StoreFailure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.model import Door
    from sekisho.model.diagnosis import Diagnosis
    from sekisho.settings.values import Settings

# Each is so long that a random secret of 64 characters contains one of them once in ten thousand at most.
_PLACEHOLDERS = (b"secret", b"change", b"passw", b"example", b"sekisho", b"default", b"qwerty", b"abcdef", b"123456")
NEIGHBOURS_MAX = 0.6  # of all pairs of bytes; of random digits it is a quarter


def checks(settings: Settings, *, is_made_up: bool = False, processes: str = "") -> Iterator[Diagnosis]:
    """Diagnoses of these settings.

    Args:
        settings: all of them.
        is_made_up: whether the secret was made up for this process.
        processes: `WEB_CONCURRENCY`, by which uvicorn and gunicorn start workers; empty where it is not set.
    """
    if settings.mode is not Mode.ENFORCE:
        yield hazards.NOT_ENFORCED.found(f"SEKISHO_MODE: {settings.mode.value} refuses nobody")
    yield from _checks_of_store(settings, processes)
    if settings.factors:
        pass  # there is a factor to ask for
    elif settings.no_factor is NoFactor.CHALLENGE:
        yield hazards.NO_FACTOR.found(
            "SEKISHO_NO_FACTOR: there is no second factor to ask for, so a stranger's right password is believed"
        )
    elif settings.knows_breaches:
        yield hazards.LEAKED_REFUSED.found(
            "SEKISHO_NO_FACTOR: strangers whose password has leaked get 403, and of honest people that is many"
        )
    if settings.goes_by_posture and not settings.factors:
        by = table.STEP_UP_FAMILIAR if settings.step_up is StepUpFrom.ALWAYS else table.STEP_UP
        yield hazards.ALARM_ALONE.found(
            f"{by.variable}: there is no second factor to ask for, so a recognised attack is told, and not stopped"
        )
    if not settings.device_cookie.startswith("__Host-"):
        yield hazards.PLANTED_COOKIE.found(
            "SEKISHO_DEVICE_COOKIE: without __Host- in front, any neighbouring subdomain can plant this cookie"
        )
    yield from _checks_of_doors(settings)
    yield from checks_of_step_up(settings)
    if is_made_up:
        yield hazards.MADE_UP_SECRET.found(
            "SEKISHO_SECRET: made up for this process; what it signs is worth nothing after a restart"
        )
    elif any(map(is_guessable, settings.secrets)):
        yield hazards.WEAK_SECRET.found("SEKISHO_SECRET: it looks typed rather than random, and could be guessed")


def is_guessable(secret: bytes) -> bool:
    """Whether a secret is long enough and still no random one: a keyboard row, an alphabet, a placeholder."""
    pairs = list(pairwise(secret))
    neighbours = sum(abs(first - second) <= 1 for first, second in pairs)
    is_placeholder = any(word in secret.lower() for word in _PLACEHOLDERS)
    return is_placeholder or neighbours > NEIGHBOURS_MAX * len(pairs)


def _checks_of_store(settings: Settings, processes: str) -> Iterator[Diagnosis]:
    if settings.store == MEMORY:
        yield hazards.MEMORY_STORE.found("SEKISHO_STORE: counts live in this process alone; a restart forgets them")
        if processes.strip().isdecimal() and int(processes[:6]) > 1:
            yield hazards.SEVERAL_WORKERS_ALONE.found(
                "SEKISHO_STORE: WEB_CONCURRENCY starts several processes, and each of them counts alone"
            )
    elif is_unverified(settings.store):
        yield hazards.UNVERIFIED_STORE.found("SEKISHO_STORE: the server's certificate is not checked")
    if settings.on_store_failure is StoreFailure.OPEN:
        yield hazards.OPEN_ON_FAILURE.found(
            "SEKISHO_ON_STORE_FAILURE: while the store is gone, nobody counts and everybody passes"
        )


def _checks_of_doors(settings: Settings) -> Iterator[Diagnosis]:
    unruled = [door for door in settings.doors if door.kind is DoorKind.LOGIN and not door.success]
    if unruled:
        yield hazards.GUESSED_SUCCESS.found(
            f"SEKISHO_LOGIN: no success= rule for {_names(unruled)}: success is guessed there. A guess makes no "
            "device known and is given back a few times an hour; add what a right log-in is answered with, as in "
            "success=302:/home, success=cookie:NAME or success=json:access_token (`sekisho check` finds it)",
            _line(unruled[0], "302:/home"),
        )
    resets = [door for door in settings.doors if door.kind is DoorKind.RESET and not door.success]
    if resets and settings.factors:
        yield hazards.UNSEEN_RESET.found(
            f"SEKISHO_RESET: no success= rule for {_names(resets)}; where a completed reset is not recognised, "
            "step-ups that were begun with the old password go on for ten minutes",
            _line(resets[0], "302:/login"),
        )
    unseen = [
        door
        for door in settings.doors
        if door.kind is DoorKind.CHANGE and not any(fields.new_secret for fields in door.fields)
    ]
    if unseen and settings.knows_breaches:
        yield hazards.UNSEEN_NEW_PASSWORD.found(
            f"SEKISHO_CHANGE: {_names(unseen)} names no field for the new password, so breached ones can be set; "
            "add it as a third one, as in form:username,old_password,new_password"
        )
    basic = [door for door in settings.doors if not door.reads_body and door.fields and not door.success]
    if basic:
        yield hazards.BASIC_WITHOUT_RULE.found(
            f"SEKISHO_LOGIN: {_names(basic)} opens by HTTP Basic and has no rule: no answer shows success; "
            "add success=!401,403",
            _line(basic[0], "!401,403"),
        )


def _names(doors: list[Door]) -> str:
    return ", ".join(door.name for door in doors)


def _line(door: Door, rule: str) -> str:
    return f"SEKISHO_{door.kind.name}={door_text(door, success=rule)}"
