"""Doubtful doors, and attempts that are not refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.model import DoorKind, Mode, hazards
from sekisho.settings.doors import names_of, ruled_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.model.diagnosis import Diagnosis
    from sekisho.settings import Settings


def checks(settings: Settings) -> Iterator[Diagnosis]:
    """Yield a diagnosis for a guard that refuses no attempt, and for doors at which a success is only guessed.

    An attacker would earn trust by a wrong guess.
    """
    if settings.mode is not Mode.ENFORCE:
        yield hazards.NOT_ENFORCED.found(f"SEKISHO_MODE: {settings.mode.value} refuses nobody")
    doors = [door for door in settings.doors if not door.success]
    unruled = [door for door in doors if door.kind is DoorKind.LOGIN and door.reads_body]
    if unruled:
        yield hazards.GUESSED_SUCCESS.found(
            f"SEKISHO_LOGIN: no success= rule for {names_of(unruled)}: success is guessed there. A guess makes no "
            "device known and is given back a few times an hour; add what a right log-in is answered with, as in "
            "success=302:/home, success=cookie:NAME or success=json:access_token (`sekisho check` finds it)",
            ruled_line(unruled[0], "302:/home"),
        )
    basic = [door for door in doors if not door.reads_body and door.fields]
    if basic:
        yield hazards.BASIC_WITHOUT_RULE.found(
            f"SEKISHO_LOGIN: {names_of(basic)} opens by HTTP Basic and has no rule: no answer shows success; "
            "add success=!401,403",
            ruled_line(basic[0], "!401,403"),
        )
