"""The port by which an application's handler learns of earlier log-ins.

Apart from the other ports, which name the observer of answers: that one names this. Not compiled, because interpreted
classes inherit from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sekisho.model.previous_log_in import PreviousLogIn


class PastLogIns(Protocol):
    """Knows an account's log-ins."""

    async def previous_log_in(self, account: str) -> PreviousLogIn | None:
        """The last completed log-in of an account; None where none is known. It raises no error."""
        ...
