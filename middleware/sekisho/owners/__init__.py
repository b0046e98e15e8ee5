"""Account owners' contacts and factors: the port `Owners`, in memory here, in SQL in `sekisho.owners.sql`.

The SQL adapter is not imported here: it needs the extra `owners`; sites with a Python object need not install that.
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
    KeepsAddresses,
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
    "KeepsAddresses",
    "MemoryOwners",
    "Owners",
    "OwnersError",
    "OwnersUnavailable",
    "OwnersUnfit",
    "Reset",
]
