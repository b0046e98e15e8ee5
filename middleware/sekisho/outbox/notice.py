"""A notice as the outbox keeps it: what happened, and to whom it is told. It never contains a code or a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from sekisho.model import SekishoError

if TYPE_CHECKING:
    from collections.abc import Mapping

    Facts: TypeAlias = Mapping[str, str | int]

NEVER_SUMMED: Final = frozenset(
    {"address_changed", "factor_changed", "factor_reset_asked", "password_changed", "payout_changed"}
)
"""Kinds of which each event has a notice of its own: an attacker's change must not hide among the owner's."""


TOLD: Final = "told"
"""The kind of a mark: its owner has a notice because of the fact `cause`. It is never sent."""

MOMENTS: Final = frozenset({"when", "when_effective"})
"""Facts that are times, in Unix seconds."""


class Undelivered(SekishoError):  # noqa: N818 - a result; the outbox tries again or gives up
    """A notice was not taken.

    Attributes:
        reason: a stable word for operators.
        passing: whether another try is useful.
        way_works: whether other notices that go the same way are taken; None: that is not known.
    """

    def __init__(self, reason: str, *, passing: bool, way_works: bool | None = None) -> None:
        self.reason = reason
        self.passing = passing
        self.way_works = way_works
        super().__init__(reason)


class Notice(NamedTuple):
    """Attributes:
    kind: a function of `sekisho.mail.messages`.
    to: the mail address; empty for the service's webhook, and then `account_id` is among the facts.
    locale: as the service stores it, or empty.
    facts: the function's other arguments; times are Unix seconds.
    """

    kind: str
    to: str
    locale: str
    facts: Facts

    def __repr__(self) -> str:
        return f"Notice({self.kind!r}, ...)"
