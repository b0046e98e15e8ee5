"""Names that a resolver joins: what their common limit reveals, and where it reveals nothing."""

from __future__ import annotations

from typing import Any

from sekisho.owners import MemoryOwners
from sekisho.testing import guarded
from tests.asgi.driving import OPEN, Clock, Shop, address, log_in

NAMES = {"hana": "1", "hana@mail.example": "1", "+81 90": "1"}
JOINED: dict[str, Any] = {"resolver": NAMES.get, "challenges": "none", "limit_account": "3/hour", **OPEN}


async def told(clock: Clock, **settings: Any) -> list[tuple[int, bytes]]:
    """Log in by an account's e-mail before and after guesses at its name, and at another account's name."""
    app = guarded(Shop(), **{**JOINED, **settings})
    names = ["hana@mail.example", "hana", "hana", "hana", "hana@mail.example", "nobody@mail.example"]
    found = []
    for number, name in enumerate(names):
        answer = await log_in(app, name, f"guess {number}", client=address(number))
        found.append((answer.status, answer.body))
        clock.advance(3)
    return [found[0], *found[4:]]


async def test_where_the_limit_answers_joined_names_are_known_for_one_account(clock: Clock) -> None:
    """Row 3.6: without a factor a refusal reveals that two names are one account: the fourth guess by either is
    refused.
    """
    before, after, stranger = await told(clock)

    assert (before[0], after[0], stranger[0]) == (401, 429, 401)


async def test_with_a_factor_and_without_work_nothing_tells(clock: Clock) -> None:
    """Row 3.6: with a factor strangers are asked for a proof below the limit and beyond it, at each name alike."""
    found = await told(clock, factors="totp", owners=MemoryOwners({}))

    assert [status for status, _ in found] == [401, 401, 401]
    assert all(b"step_up_required" in body for _, body in found)
