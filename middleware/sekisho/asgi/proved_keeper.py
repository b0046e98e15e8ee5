"""Keeps what an answer shows of a log-in that was proved before the application ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.asgi.keeper import ForwardingKeeper

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.asgi.keeper import AnsweredAttempt, Keeper
    from sekisho.model.headers import Headers


@final
class ProvedKeeper(ForwardingKeeper):
    """Args:
    keeper: receives everything else.
    grants: the headers that a success adds. The proof gives them, so no success rule is asked whether to believe it.
    """

    def __init__(self, keeper: Keeper, grants: Callable[[Headers, bytes], Headers]) -> None:
        super().__init__(keeper)
        self._grants: Final = grants

    def success_headers(self, answered: AnsweredAttempt, body: bytes) -> tuple[Headers, bool]:
        return self._grants(answered.headers, body), True
