"""The adaptive limit of strangers in an application, simulated on invented time."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from random import Random
from statistics import mean
from typing import TYPE_CHECKING

import pytest

from sekisho.judge.gradient import GradientLimit

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Application:
    """An application with servers behind one queue, like a thread pool; strangers wait outside for places.

    Attributes:
        servers: attempts computed in parallel.
        seconds: time → duration of one attempt.
        places: the limit at each answer, with its time.
        known_s: waiting and processing time of known devices, which enter directly.
    """

    servers: int
    seconds: Callable[[float], float]
    limit: GradientLimit = field(default_factory=GradientLimit)
    places: list[tuple[float, int]] = field(default_factory=list)
    known_s: list[float] = field(default_factory=list)
    served: int = 0

    def flooded(self, seconds: float, *, strangers: float, known: float = 5.0) -> Application:
        """Strangers and known devices arrive at these rates; a stranger that finds fifty waiting leaves."""
        chance, now, outside, busy = Random(7), 0.0, 0, 0
        line: deque[tuple[bool, float, int]] = deque()
        inside, events = 0, [(0.0, 0, "stranger"), (0.0, 1, "known")]
        number = 2
        under_way: dict[int, tuple[bool, float, int]] = {}
        while events and now < seconds:
            now, which, what = heapq.heappop(events)
            number += 1
            if what == "done":
                busy -= 1
                is_known, since, beside = under_way.pop(which)
                if is_known:
                    self.known_s.append(now - since)
                else:
                    self.limit.answered(now - since, max(beside, inside), now)
                    inside -= 1
                    self.served += 1
                    self.places.append((now, self.limit.places))
            elif what == "known":
                line.append((True, now, 0))
                heapq.heappush(events, (now + chance.expovariate(known), number, "known"))
            else:
                outside = min(50, outside + 1)
                heapq.heappush(events, (now + chance.expovariate(strangers), number, "stranger"))
            while outside and inside < self.limit.places:
                outside, inside = outside - 1, inside + 1
                line.append((False, now, inside))
            while line and busy < self.servers:
                busy, number = busy + 1, number + 1
                under_way[number] = line.popleft()
                heapq.heappush(events, (now + self.seconds(now) * chance.uniform(0.8, 1.2), number, "done"))
        return self

    def late(self, since_s: float) -> float:
        """The average limit from a moment on."""
        return mean(places for at, places in self.places if at >= since_s)


@pytest.mark.parametrize(("servers", "seconds"), [(1, 0.035), (2, 0.05), (16, 0.05), (64, 0.02)])
def test_a_flood_finds_places_enough_to_keep_the_application_busy_and_hardly_more(servers: int, seconds: float) -> None:
    """A flood gets some twice the places that the application computes in parallel: busy, with a wait of one round."""
    app = Application(servers, lambda _: seconds).flooded(30, strangers=2 * servers / seconds)

    assert servers < app.late(10) <= 2.25 * servers + 4
    assert app.served / 30 >= 0.75 * servers / seconds


def test_an_owner_waits_no_longer_than_for_a_few() -> None:
    """A known device's wait in the application's queue is for a few strangers, not for the fifty waiting outside."""
    app = Application(1, lambda _: 0.035).flooded(30, strangers=150)

    assert sorted(app.known_s)[len(app.known_s) // 2] < 8 * 0.035


def test_an_application_that_becomes_slower_is_given_fewer_until_that_is_its_calm() -> None:
    """A slower application (a database in trouble) gets fewer places until, within two rounds, its latency is the new
    base.
    """
    app = Application(4, lambda now: 0.05 if now < 20 else 0.15).flooded(60, strangers=300, known=1)

    assert 4 < app.late(45) <= 16


def test_a_slow_first_answer_is_no_measure_for_long() -> None:
    """A slow first answer (cold caches) is no lasting base: every ten seconds some attempts run alone and measure
    it.
    """
    app = Application(1, lambda now: 1.0 if now < 2 else 0.035).flooded(120, strangers=150, known=1)

    assert app.late(100) <= 8


def test_quick_answers_among_slow_ones_do_not_close_the_door() -> None:
    """Quick answers (a form without a password, a millisecond) do not pin the limit at one, as a minimum would."""
    chance = Random(3)
    app = Application(8, lambda _: 0.001 if chance.random() < 0.5 else 0.05).flooded(20, strangers=1_000)

    assert app.late(10) > 8


def test_strangers_are_never_shut_out() -> None:
    """The limit stays between one and 256, at any latency."""
    limit = GradientLimit()
    for n in range(2_000):
        limit.answered(0.01 if n % 7 == 0 else 50.0, 1 if n % 7 == 0 else 9, n / 100)
        assert 1 <= limit.places <= 256
    for n in range(20_000):
        limit.answered(0.01, limit.places, 20 + n / 1_000)
    assert limit.places <= 256


def test_an_application_that_says_it_has_too_much_to_do_is_believed() -> None:
    """The application's 503 counts as more than its latency."""
    limit = GradientLimit()
    for _ in range(10):
        limit.refused()

    assert limit.places == 2


def test_latency_far_from_the_limit_changes_nothing() -> None:
    """Below the limit no latency changes it: one at a time, as on a quiet day."""
    limit = GradientLimit()
    for n in range(1_000):
        limit.answered(0.01 if n % 2 else 2.0, 1, n)

    assert limit.places == 8


def test_a_number_is_a_number() -> None:
    """A limit that the operator set stays."""
    limit = GradientLimit(3)
    for n in range(1_000):
        limit.answered(n / 10, 3, n)
        limit.refused()

    assert limit.places == 3
