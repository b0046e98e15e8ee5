"""Strangers' places in the application: who gets one, when it is free, and what a late loop changes."""

from __future__ import annotations

import pytest

from tests.asgi.world import Waiting, World


def test_a_third_stranger_waits_for_one_of_two_places() -> None:
    """With two places the third stranger waits until one has been answered."""
    world = World(places=2)

    assert [world.take(name) for name in ("a", "b", "c")] == [True, True, False]
    world.admission.answered("a", 401)
    assert world.take("c")


def test_a_newcomer_stands_behind_those_who_wait() -> None:
    """A newcomer queues behind waiting callers, or the most frequent asker would be first."""
    world = World(places=2)
    world.take("a")
    world.take("b")
    line = Waiting(world, "c")
    world.admission.lines.remove(line)  # it cannot be started now
    world.admission.free("a")

    assert not world.take("d")


def test_lines_take_turns() -> None:
    """While runs and callers both wait, each queue gets half of the places."""
    world = World(places=1)
    world.take("first")
    runs, callers = Waiting(world, "r1", "r2", "r3"), Waiting(world, "c1", "c2", "c3")
    for name in ("first", "r1", "c1", "r2", "c2"):
        world.admission.free(name)

    assert (runs.started, callers.started) == (["r1", "r2", "r3"], ["c1", "c2"])


def test_an_empty_line_leaves_all_places_to_the_other() -> None:
    """An empty queue leaves all places to the other."""
    world = World(places=1)
    world.take("first")
    Waiting(world)
    callers = Waiting(world, "c1", "c2")
    world.admission.free("first")
    world.admission.free("c1")

    assert callers.started == ["c1", "c2"]


def test_a_place_is_free_when_the_answer_begins() -> None:
    """A place is free when the answer begins: neither a slow client nor later work holds one."""
    world = World(places=1)
    world.take("a")
    world.admission.answered("a", 401)

    assert world.take("b")
    world.admission.free("a")
    assert not world.take("c")  # the end of the first is not the end of the second


def test_an_attempt_that_never_begins_to_answer_gives_its_place_back() -> None:
    """An attempt that raises or is cancelled before its answer frees its place and teaches no latency."""
    world = World()
    for n in range(8):
        world.take(str(n))
    world.advance(3)
    for n in range(8):
        world.admission.free(str(n))

    assert not world.admission.held
    assert world.admission.limit.round_s == 0


def test_an_answer_that_held_no_place_frees_none() -> None:
    """An answer without a place, as to a known device, frees none."""
    world = World()
    world.admission.answered("known", 302)
    world.admission.free("known")
    world.turn()

    assert world.admission.limit.places == 8


def test_a_slow_answers_place_is_free_one_turn_of_the_loop_later() -> None:
    """A slow answer's place is free one loop turn later, or all ready runs would start in one turn of a computing
    loop.
    """
    world = World(places=1)
    world.take("a")
    world.now_s += 0.035
    world.admission.answered("a", 401)
    world.admission.free("a")
    assert not world.take("b")

    world.turn()

    assert world.take("b")


def test_the_latency_of_one_turn_counts_all_that_ran_in_it() -> None:
    """The latency of a turn counts all that ran in it: of eight that block the loop for 35 ms the first took 280, and
    the limit shrinks.
    """
    world = World()
    for n in range(200):
        places = world.admission.limit.places
        for each in range(places):
            world.take(f"{n} {each}")
            world.now_s += 0.035
            world.admission.answered(f"{n} {each}", 401)
        world.turn()

    assert world.admission.limit.places <= 5


def test_the_applications_own_503_makes_fewer_places() -> None:
    """The application's own 503 lowers the limit, however quick it was."""
    world = World()
    for n in range(10):
        world.take(str(n))
        world.admission.answered(str(n), 503)
        world.turn()

    assert world.admission.limit.places == 2


def test_places_that_never_end_are_given_away() -> None:
    """Places of requests that hang are given away, or strangers would be shut out until a restart."""
    world = World(places=2)
    world.take("hangs")
    world.now_s += 29
    world.take("hangs too")
    assert not world.take("c")

    world.now_s += 1.5

    assert world.take("c")
    assert not world.take("d")


# A late event loop.


def busy(world: World) -> None:
    """A caller in a slow application."""
    world.take("slow")
    world.now_s += 0.02
    world.admission.answered("slow", 401)
    world.turn()
    world.take("under way")


def test_after_a_delay_strangers_pause_for_as_long() -> None:
    """After a delay strangers pause for as long, so they use half of the loop's time at most."""
    world = World(places=8)
    busy(world)
    world.advance(0.1, stands_still=True)
    assert not world.take("b")

    world.advance(0.08)
    assert not world.take("c")
    world.advance(0.02)

    assert world.take("d")


def test_waiting_strangers_enter_after_the_pause() -> None:
    """Waiting callers enter after the pause by themselves."""
    world = World(places=8)
    busy(world)
    line = Waiting(world, "c1", "c2")
    world.advance(0.1, stands_still=True)
    world.admission.free("under way")
    assert line.started == []

    world.advance(0.1)

    assert line.started == ["c1", "c2"]


def test_a_loop_that_stays_late_sheds_ever_more() -> None:
    """A loop that stays late sheds a growing share, and none some seconds after it is on time."""
    world, shares = World(places=8), []
    busy(world)
    for _ in range(5):
        world.advance(0.1, stands_still=True)
        world.advance(0.1)
        shares.append(world.admission.shed_share)
    assert shares == sorted(shares)
    assert shares[-1] > 0.8

    world.advance(12)

    assert world.admission.shed_share == 0


@pytest.mark.parametrize(("share", "shed"), [(0.0, 0), (0.25, 25), (0.5, 50), (1.0, 100)])
def test_exactly_the_share_of_a_hundred_requests_is_shed(share: float, shed: int) -> None:
    """Of a hundred the exact share is shed, evenly and not by chance, so retrying is no advantage."""
    admission = World().admission
    admission.shed_share = share

    assert sum(admission.sheds() for _ in range(100)) == shed


def test_the_loop_is_watched_only_while_it_matters() -> None:
    """The loop is watched while strangers are inside; no timer remains after the last answer."""
    world = World(places=8)
    busy(world)
    assert world.timers == 1

    world.admission.free("under way")
    world.advance(0.02)

    assert world.timers == 0


def test_a_quick_application_costs_no_timer() -> None:
    """A quick application costs no timer and no loop turn."""
    world = World()
    for n in range(100):
        world.take(str(n))
        world.now_s += 0.001
        world.admission.answered(str(n), 401)

    assert (world.timers, len(world._soon), len(world.admission.held)) == (0, 0, 0)
