"""The readers of a request, as one value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.model.value import Value

if TYPE_CHECKING:
    from sekisho.read import Accounts, Callers, Doors
    from sekisho.record import Answers


@final
class Reading(Value):
    """The readers of a request. Pure."""

    __slots__ = ("accounts", "answers", "body_bytes_max", "callers", "disposable", "doors", "exposed_header")

    def __init__(
        self,
        doors: Doors,
        callers: Callers,
        accounts: Accounts,
        answers: Answers,
        *,
        body_bytes_max: int,
        exposed_header: bytes = b"",  # the header in which trusted proxies report leaked credentials
        disposable: frozenset[str] = frozenset(),  # mail domains with which no account may be opened
    ) -> None:
        self.doors: Final = doors
        self.callers: Final = callers
        self.accounts: Final = accounts
        self.answers: Final = answers
        self.body_bytes_max: Final = body_bytes_max
        self.exposed_header: Final = exposed_header
        self.disposable: Final = disposable
