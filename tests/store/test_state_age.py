"""The true age of a shared state, on a clock that nobody sets."""

from __future__ import annotations

from sekisho.store.state_age import StateAge


class Monotonic:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_of_a_states_age_no_more_is_believed_than_passed_since_the_last_question() -> None:
    clock = Monotonic()
    age = StateAge(clock)
    age.asked(None)
    clock.now_s += 1
    age.asked(86_400.5)  # set forward within this second, and then back
    assert (age.step_s(86_400.5), age.step_s(0), age.step_s(-86_400)) == (86_400, 0, -86_401)


def test_the_first_answer_is_believed_unless_it_is_from_the_future() -> None:
    old, future = StateAge(Monotonic()), StateAge(Monotonic())
    old.asked(86_400)
    future.asked(-3_600)
    assert (old.step_s(86_400), future.step_s(-3_600)) == (0, -3_600)


def test_less_than_a_minute_is_no_step() -> None:
    """Servers of one store differ by that, and one takes over from another."""
    clock = Monotonic()
    age = StateAge(clock)
    age.made()
    clock.now_s += 10
    assert [age.step_s(by) for by in (69.9, 70, -49.9, -50)] == [0, 60, 0, -60]
