"""A refusal's waiting time is never too short, and spread over callers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho import answer
from sekisho.answer.refusal import JITTER_SECONDS_MAX, TEXT_MAX, WAIT_SECONDS_MAX

JITTER = st.floats(0, 1, exclude_max=True)


@given(wait_us=st.integers(1, WAIT_SECONDS_MAX * 1_000_000), jitter=JITTER)
def test_retry_after_is_never_before_the_truth(wait_us: int, jitter: float) -> None:
    """A client that waits for `Retry-After` finds room."""
    assert answer.retry_after_s(wait_us, jitter) * 1_000_000 >= wait_us


@given(wait_us=st.integers(1, WAIT_SECONDS_MAX * 1_000_000), jitter=JITTER)
def test_jitter_is_bounded(wait_us: int, jitter: float) -> None:
    """Jitter adds at most two seconds or a fifth, the larger of both, up to a quarter of an hour."""
    truth = -(-wait_us // 1_000_000)

    assert answer.retry_after_s(wait_us, jitter) - truth <= min(max(2, truth // 5), JITTER_SECONDS_MAX)


def test_jitter_spreads_short_waits_too() -> None:
    """A wait of one second is told as one, two or three seconds."""
    assert {1, 2, 3} == {answer.retry_after_s(500_000, step / 100) for step in range(100)}


@pytest.mark.parametrize("wait_us", [-5, 0, 1])
def test_retry_after_is_at_least_a_second(wait_us: int) -> None:
    """`Retry-After` is a second at least: zero would cause a loop."""
    assert answer.retry_after_s(wait_us, 0.0) == 1


def test_a_damaged_wait_is_capped() -> None:
    """A damaged record's wait is capped."""
    assert answer.retry_after_s(10**30, 0.5) <= WAIT_SECONDS_MAX + JITTER_SECONDS_MAX


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (answer.too_many_attempts(7), 429, "too_many_attempts"),
        (answer.challenge_required(), 401, "challenge_required"),
        (answer.step_up_required(), 401, "step_up_required"),
        (answer.denied(), 403, "denied"),
        (answer.unreadable_attempt(400), 400, "unreadable_attempt"),
        (answer.unreadable_attempt(408), 408, "unreadable_attempt"),
        (answer.unreadable_attempt(413), 413, "unreadable_attempt"),
        (answer.unreadable_attempt(415), 415, "unreadable_attempt"),
        (answer.breached_password(), 422, "breached_password"),
        (answer.cap_reached(), 403, "cap_reached"),
        (answer.unavailable(3), 503, "unavailable"),
        (answer.misconfigured("SEKISHO_MODE: is none"), 503, "misconfigured"),
    ],
)
def test_each_case_has_its_status_and_code(refusal: answer.Refusal, status: int, code: str) -> None:
    """Clients depend on these pairs."""
    assert (status, code) == (refusal.status, refusal.code)


def test_only_statuses_of_unreadable_attempts_are_taken() -> None:
    """An unreadable attempt has one of its own statuses alone, so a reader's bug is never a 200."""
    with pytest.raises(ValueError, match="200"):
        answer.unreadable_attempt(200)


def test_an_operators_text_is_bounded() -> None:
    """A refusal with many settings errors stays small."""
    assert len(answer.misconfigured("x" * 100_000).text) == TEXT_MAX
