"""The Python objects that a service passes to its guard, beside the settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sekisho.asgi.session_account import SessionAccount
    from sekisho.ledger.memory import MemoryLedger
    from sekisho.mail.mailer import Deliver
    from sekisho.owners import Owners
    from sekisho.record import AccountHook
    from sekisho.stepup.factors.senders import CodeHook

PuzzleSize = Callable[[int, float], int]
"""Maps the posture's level and the occupancy to the expected hashes of a puzzle."""


class Given(NamedTuple):
    """Attributes:
    owners: instead of `OWNERS`.
    on_code: sends codes by the service's own channel, for the factor `webhook`.
    session_account: the account of a request's session, as the application knows it.
    on_not_me: ends the sessions of an account whose owner says that somebody else used it.
    puzzle_size: replaces `sekisho.challenge.work.difficulty`, for simulations.
    chance: replaces the system's randomness where it decides when a code is handed to `on_code`, for simulations.
    counters: counts in place of a ledger of this process's own, so that simulated services count together.
    deliver: hands letters over in place of the mail relay, for simulations.
    """

    owners: Owners | None = None
    on_code: CodeHook | None = None
    session_account: SessionAccount | None = None
    on_not_me: AccountHook | None = None
    puzzle_size: PuzzleSize | None = None
    chance: Callable[[], float] | None = None
    counters: MemoryLedger | None = None
    deliver: Deliver | None = None
