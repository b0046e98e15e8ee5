"""The stories, made small: each ends worse without the guard than with it."""

# ruff: noqa: S101 - tests assert

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from examples.wallet import thieves
from examples.wallet.stories import Played, play, table, written
from examples.wallet.thieves import STORIES, WEAK, Outcome
from examples.wallet.world import Cast, world
from sekisho.cli.progress import ProgressLines

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("number", [1, 3, 6], ids=["reset", "six passwords", "relay"])
async def test_a_story_ends_better_with_the_guard(number: int) -> None:
    """Money is lost without the guard; with it nothing, or no more than the cap of each account."""
    story = STORIES[number]._replace(settled=2)
    without = await play(story, ProgressLines(), guarded=False)
    guarded = await play(story, ProgressLines(), guarded=True)
    assert without.lost > 0
    assert len(without.taken) in {6, 20}
    assert (without.hindered, guarded.hindered) == (0, 0)
    assert guarded.lost <= thieves.CAP * len(guarded.taken)
    assert guarded.lost < without.lost
    if number != 6:
        assert not guarded.taken
        assert len(guarded.due) == len(without.taken)


@pytest.mark.parametrize("guarded", [False, True], ids=["without", "guarded"])
async def test_the_weak_service_starts_beside_the_strong_one(guarded: bool, tmp_path: Path) -> None:
    """The weak service needs none of what it does without: no mail, no owners, no factors."""
    async with world(Cast(owners=2), tmp_path, guarded=guarded, more={}, weak=WEAK) as found:
        assert len(found.ports) == 2


async def test_a_passkey_leaves_a_phisher_nothing_to_relay() -> None:
    """Where only passkeys are accepted, a relay phisher with the password gets no session."""
    guarded = await play(STORIES[7], ProgressLines(), guarded=True)
    assert (guarded.taken, guarded.lost, len(guarded.due)) == (set(), 0, 20)


def test_the_page_keeps_its_text_and_gets_the_table() -> None:
    """Only the part between the marks is written anew."""
    played = [Played(STORIES[0], Outcome(lost=5), Outcome())]
    page = written(played, 61.4)
    assert page.startswith("# The stories, played")
    assert "| 7pay: a list, then top-up | 2019 | ¥5 | ¥0 |" in page
    assert table(played) in page
    assert "Played in 61 seconds." in page
    assert "| the strong bank | the list of 7pay" in page
