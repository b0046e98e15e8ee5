"""Where an account's contact and its factors live: `Owners`, in memory here, in SQL in `sekisho.owners.sql`.

The SQL adapter is not imported here: it wants the extra `owners`, which a site with a Python object does without.
"""

from __future__ import annotations

from sekisho.owners.memory import MemoryOwners
from sekisho.owners.port import (
    ENROLMENTS_MAX,
    LABEL_CHARS_MAX,
    RESET_DELAY_S,
    SEALED_BYTES_MAX,
    Contact,
    Enrolment,
    EnrolmentsFull,
    Held,
    Owners,
    OwnersError,
    OwnersUnavailable,
    OwnersUnfit,
    Reset,
)

__all__ = [
    "ENROLMENTS_MAX",
    "LABEL_CHARS_MAX",
    "RESET_DELAY_S",
    "SEALED_BYTES_MAX",
    "Contact",
    "Enrolment",
    "EnrolmentsFull",
    "Held",
    "MemoryOwners",
    "Owners",
    "OwnersError",
    "OwnersUnavailable",
    "OwnersUnfit",
    "Reset",
]
