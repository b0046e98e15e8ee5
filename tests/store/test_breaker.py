"""When, and by how many callers, a failing service is asked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sekisho.store.breaker import Breaker


def breaker(*, failures_max: int = 3) -> Breaker:
    return Breaker(failures_max=failures_max, pause_s_min=1, pause_s_max=8)


def fail(of: Breaker, now: float, **told: float) -> bool:
    ticket = of.enter(now)
    assert ticket is not None
    return of.failed(ticket, now, **told)


def test_failures_in_a_row_open_it_and_only_the_last_of_them_says_so() -> None:
    """Failures in a row open the breaker; the last of them alone reports it, so the change is logged once."""
    it = breaker()
    assert [fail(it, 0) for _ in range(3)] == [False, False, True]
    assert not it.closed
    assert it.enter(0.999) is None


def test_a_success_between_failures_forgets_them() -> None:
    """A success resets the failures: one lost packet a minute is no outage."""
    it = breaker()
    for _ in range(5):
        fail(it, 0)
        fail(it, 0)
        ticket = it.enter(0)
        assert ticket is not None
        assert not it.succeeded(ticket)
    assert it.closed


def test_after_the_pause_one_tries_for_all() -> None:
    """After the pause one trial call is allowed, so a recovering service is not flooded."""
    it = breaker(failures_max=1)
    fail(it, 0)
    ticket = it.enter(1)
    assert ticket is not None
    assert it.enter(1) is None
    assert it.succeeded(ticket)
    assert it.closed
    assert it.admits(1)


def test_the_pause_doubles_up_to_its_bound_and_starts_anew_after_a_success() -> None:
    """The pause doubles up to its bound, where the service is asked once a minute, and starts anew after a success."""
    it = breaker(failures_max=1)
    now, pauses = 0.0, list[float]()
    fail(it, now)
    for pause in (1, 2, 4, 8, 8):
        assert not it.admits(now + pause - 0.001)
        now += pause
        assert not fail(it, now)
        pauses.append(pause)
    ticket = it.enter(now + 8)
    assert ticket is not None
    it.succeeded(ticket)
    fail(it, now + 8)
    assert it.admits(now + 9)


def test_what_the_service_asks_for_is_kept_at_once_and_lengthens_the_pause_only() -> None:
    """A requested pause (429) holds at once, and can lengthen our own pause but not shorten it."""
    it = breaker()
    assert fail(it, 0, pause_s=5)
    assert not it.admits(4.999)
    assert it.admits(5)
    short = breaker()
    fail(short, 0, pause_s=0)
    assert not short.admits(0.999)
    assert short.admits(1)


def test_news_from_before_the_change_changes_nothing() -> None:
    """An answer sent before the service asked for a pause does not end the pause."""
    it = breaker()
    early = it.enter(0)
    assert early is not None
    fail(it, 0, pause_s=60)
    assert not it.succeeded(early)
    assert not it.admits(59)
    trial = it.enter(60)
    assert trial is not None
    assert not it.failed(early, 60)
    assert it.succeeded(trial)


@given(st.lists(st.tuples(st.floats(0, 5), st.sampled_from(["ask", "good", "bad", "later"])), max_size=60))
def test_while_open_there_is_never_more_than_one_trial(steps: list[tuple[float, str]]) -> None:
    """While open there is at most one trial, in any order of questions and answers, and no trial is lost for ever."""
    it, now = breaker(failures_max=2), 0.0
    out = list[int]()
    for passed, step in steps:
        now += passed
        if step == "ask" and (ticket := it.enter(now)) is not None:
            out.append(ticket)
            current = [held for held in out if held == ticket]
            assert it.closed or len(current) == 1
        elif step in {"good", "bad"} and out:
            ticket = out.pop(0)
            if step == "good":
                it.succeeded(ticket)
            else:
                it.failed(ticket, now)
    for ticket in out:
        it.failed(ticket, now)
    assert it.admits(now + 8)
