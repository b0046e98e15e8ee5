"""A doubtful use of leaked passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.model import DoorKind, hazards
from sekisho.settings import NoFactor
from sekisho.settings.doors import names_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.model.diagnosis import Diagnosis
    from sekisho.settings import Settings


def checks(settings: Settings) -> Iterator[Diagnosis]:
    """Yield a diagnosis if leaked passwords lock strangers out, or if a door's new password is never looked up."""
    if not settings.knows_breaches:
        return
    if not settings.factors and settings.no_factor is NoFactor.REFUSE:
        yield hazards.LEAKED_REFUSED.found(
            "SEKISHO_NO_FACTOR: strangers whose password has leaked get 403, and of honest people that is many"
        )
    changes = [door for door in settings.doors if door.kind is DoorKind.CHANGE]
    unseen = [door for door in changes if not any(fields.new_secret for fields in door.fields)]
    if unseen:
        yield hazards.UNSEEN_NEW_PASSWORD.found(
            f"SEKISHO_CHANGE: {names_of(unseen)} names no field for the new password, so breached ones can be set; "
            "add it as a third one, as in form:username,old_password,new_password"
        )
