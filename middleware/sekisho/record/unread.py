"""Says once for each door what it did not find in a request: many such doors are written for another form."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from sekisho.model import DoorKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.model import Door, Fields

log = logging.getLogger("sekisho")

_MISSING: Final = {
    "content_type": "its content type is none of those that this door reads",
    "account_missing": "it has no field for the account that this door reads",
    "secret_missing": "it has no field for the secret that this door reads",
    "address_missing": "it has no field for the address that this door names in contact= or on_file=",
}
REFUSED: Final = (
    "%s: a request was refused: %s (%s). If the service's own clients send such requests, nobody can log in: write the "
    "door as they send it, as in form:ACCOUNT,SECRET or json:ACCOUNT,SECRET%s [SEK084]"
)
TWO_STEPS: Final = (
    "; if its form sends the name alone first, and then name and password to the same path, add first=name to the "
    "door, and a success= rule that only a log-in meets"
)
CODE_HERE: Final = (
    "; if it is a second step with a code alone, which the same path takes, add its field to the door's secret, as in "
    "form:ACCOUNT,SECRET|CODE, and first=name, and have LoginGuard(session_account=...) say whose session it is "
    "(docs/frameworks.md)"
)
_STEPS: Final = {"secret_missing": TWO_STEPS, "account_missing": CODE_HERE}


def warn_unread(door: Door, reason: str) -> None:
    """Log that a request had no part that the door reads, and which parts those are. The request itself is not logged.

    Does nothing if `reason` is another one.
    """
    if (missing := _MISSING.get(reason)) is not None:
        steps = _STEPS.get(reason, "") if door.kind is DoorKind.LOGIN else ""
        log.warning(REFUSED, door.name, missing, " ".join(map(_written, door.fields)), steps)


def _written(fields: Fields) -> str:
    return f"{fields.encoding.value}:{','.join(_places(fields))}"


def _places(fields: Fields) -> Iterator[str]:
    for places in (fields.account, fields.secret):
        yield "|".join([".".join(place) for place in places])
