"""How results are counted."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.simulate.client import HttpAnswer
from sekisho.simulate.owner import Steps
from sekisho.simulate.tally import Latencies, Tally
from tests.simulate.tries import ENTERED, TURNED_DOWN, a_try, stopped


def test_an_attacker_who_gets_in_has_taken_the_account_once() -> None:
    """Getting twice into one account is two attempts that reached the check, and one account taken."""
    tally = Tally()
    for _ in range(2):
        tally.add(a_try(owner=7, right=True), ENTERED, 1_000)
    assert (tally.attempts, tally.let_in, tally.taken, tally.reached) == (2, 2, {7}, 2)


def test_a_guess_that_the_service_turned_down_has_reached_the_check() -> None:
    """Only answers of the guard count as stopped before the check."""
    tally = Tally()
    tally.add(a_try(), TURNED_DOWN, 1_000)
    tally.add(a_try(), stopped(), 1_000)
    tally.add(a_try(), stopped("unavailable"), 1_000)
    assert (tally.wrong, tally.reached, tally.checked) == (1, 1, 1)
    assert tally.stopped == {"too_many_attempts": 1, "unavailable": 1}
    tally.add(a_try(), stopped("step_up_required"), 1_000)
    assert (tally.reached, tally.unlooked) == (2, 2)


@pytest.mark.parametrize(
    ("answer", "by"),
    [(TURNED_DOWN, "the service"), (stopped("unavailable"), "unavailable"), (None, "no answer")],
)
def test_an_owner_whose_right_password_does_not_get_in_is_refused(answer: HttpAnswer | None, by: str) -> None:
    """An owner whose right password does not get in is refused, by guard, service or no answer, which is reported."""
    tally = Tally()
    tally.add(a_try(owner=3, honest=True, right=True), answer, 1_000)
    assert (tally.logins, tally.refused, tally.refused_by) == (1, {3}, {by: 1})


@pytest.mark.parametrize(("answer", "proved"), [(ENTERED, 1), (stopped("unavailable"), 0), (None, 0)])
def test_an_owner_who_was_asked_for_a_proof_was_looked_at(answer: HttpAnswer | None, proved: int) -> None:
    """An owner asked for a proof counts as checked once, with any result of the proof."""
    tally = Tally()
    tally.add(a_try(owner=3, honest=True, right=True), answer, 1_000, Steps(worked=True, asked=True, came_back=True))
    assert (tally.sealed, tally.checked, tally.proved, tally.worked, tally.came_back) == (1, 0, proved, 1, 1)


def test_a_service_without_room_has_checked_no_password() -> None:
    """A 503 of the service itself counts as stopped: its own count of password checks does not contain it."""
    tally, busy = Tally(), HttpAnswer(503, ((b"content-type", b"text/html"), (b"retry-after", b"1")), b"")
    tally.add(a_try(), busy, 1_000)
    tally.add(a_try(owner=3, honest=True, right=True), busy, 1_000)
    assert (tally.checked, tally.reached, tally.wrong) == (0, 0, 0)
    assert (tally.stopped, tally.refused_by) == ({"busy": 1}, {"busy": 1})


def test_a_typo_is_nobodys_refusal_and_no_log_in() -> None:
    """A typing error that is refused counts as neither a refused owner nor a log-in."""
    tally = Tally()
    tally.add(a_try(owner=3, honest=True), TURNED_DOWN, 1_000)
    assert (tally.logins, tally.refused, tally.attempts) == (0, set(), 0)


def test_what_was_not_answered_is_neither_stopped_nor_known_to_have_reached_the_check() -> None:
    """An unanswered try counts as neither stopped nor checked: a guard that loses requests must not look good."""
    tally = Tally()
    tally.add(a_try(), None, 10_000_000)
    assert (tally.attempts, tally.unanswered, tally.reached, sum(tally.stopped.values())) == (1, 1, 0, 0)


def test_a_redirect_back_to_the_door_is_not_in() -> None:
    """A redirect back to the door is no success: only the account page counts."""
    tally = Tally()
    tally.add(a_try(right=True), HttpAnswer(303, ((b"location", b"/login?error"),), b""), 1_000)
    assert (tally.let_in, tally.wrong) == (0, 1)


@given(st.lists(st.floats(1, 60_000_000), min_size=1, max_size=300), st.sampled_from([1, 50, 99, 100]))
def test_a_percentile_is_within_two_percent_of_the_sorted_list(durations: list[float], percent: int) -> None:
    """A percentile is within two percent of the sorted list's, as its buckets are."""
    latencies = Latencies()
    for duration in durations:
        latencies.add(duration)
    exact = sorted(durations)[-(-len(durations) * percent // 100) - 1]
    assert latencies.percentile_ms(percent) * 1_000 == pytest.approx(exact, rel=0.02)


def test_latencies_hold_no_more_for_a_hundred_thousand_than_for_a_thousand() -> None:
    """Latencies hold at most one bucket per 2%: under a thousand from a microsecond to a minute."""
    latencies, chance = Latencies(), random.Random(5)
    for _ in range(100_000):
        latencies.add(10 ** chance.uniform(0, 7.7))
    assert latencies.count == 100_000
    assert len(latencies._buckets) < 1_000


def test_no_latencies_have_no_percentile() -> None:
    """Without latencies percentiles are 0."""
    assert Latencies().percentile_ms(99) == 0
