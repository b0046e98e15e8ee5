"""The open loop sends by the clock, independent of the server, and reports its own delays."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.latency import HALF, Point, at_half
from benchmarks.login_post import numbered_login
from benchmarks.open_loop import GRACE_S, OpenLoop, Run, first_on_its_core, percentile, poisson
from benchmarks.pairs import BARE, GUARDED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ANSWER = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 5\r\n\r\nwrong"


class Holding:
    """A server that answers after a number of requests have arrived, then in two pieces, as uvicorn does."""

    def __init__(self, held: int) -> None:
        self._held = held
        self._enough = asyncio.Event()
        self.bodies: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
                self.bodies.append(await reader.readexactly(length))
                if len(self.bodies) >= self._held:
                    self._enough.set()
                await self._enough.wait()
                for piece in (ANSWER[:40], ANSWER[40:]):
                    writer.write(piece)
                    await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()


@asynccontextmanager
async def holding(held: int) -> AsyncIterator[tuple[Holding, int]]:
    server = Holding(held)
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listener:
        yield server, listener.sockets[0].getsockname()[1]


def driven(port: int, requests: list[bytes], due: list[int], connections: int) -> Run:
    with OpenLoop(port, connections) as generator:
        return generator.send_when_due(requests, due)


async def test_requests_leave_though_nobody_answers() -> None:
    """Requests leave although none is answered; a closed loop would wait for ever for the first of fifty answers.

    The request due first waited for the last one at least.
    """
    due = poisson(1_000, 0.1, seed=1)
    requests = [numbered_login("fail", number) for number in range(len(due))]
    async with holding(held=len(due)) as (server, port):
        run = await asyncio.to_thread(driven, port, requests, due, len(due))

    assert sorted(server.bodies) == sorted(request.rpartition(b"\r\n")[2] for request in requests)
    assert run.statuses == {b"401": len(due)}
    assert run.lost == run.queued == 0
    assert run.latency[0] >= due[-1] - due[0]


async def test_latency_counts_from_the_due_time() -> None:
    """Latency counts from the due time: with one connection each waits for all before it."""
    due = [0] * 20
    async with holding(held=1) as (_, port):
        run = await asyncio.to_thread(driven, port, [numbered_login("fail", number) for number in range(20)], due, 1)

    assert run.queued == 19
    assert run.latency == sorted(run.latency)
    assert run.lost == 0


def made_up(late_us: float, latency_us: float = 1_000.0) -> Run:
    return Run([int(latency_us * 1e3)] * 1_000, [int(late_us * 1e3)] * 1_000, 0, 0.1, Counter({b"401": 1_000}))


@pytest.mark.parametrize(
    ("late_us", "latency_us", "refused"),
    [(150, 400, False), (250, 400, True), (250, 3_000, False), (2_500, 90_000, True)],
)
def test_a_late_generator_refuses_its_own_figures(late_us: float, latency_us: float, *, refused: bool) -> None:
    """A generator late by more than 200 µs and a tenth of the figure, or by two milliseconds, refuses its figures."""
    assert bool(made_up(late_us, latency_us).refusal()) is refused


def test_a_lost_answer_is_the_slowest() -> None:
    """A lost answer counts as the slowest: leaving it out would favour a server that answers fewer."""
    run = made_up(10)._replace(latency=[1_000] * 98 + [-1] * 2)

    assert run.lost == 2
    assert run.percentiles_us()["p90"] == 1
    assert run.percentiles_us()["p99"] == GRACE_S * 1e6


def test_the_warm_up_is_left_out() -> None:
    """By when a request was due, not by when it was answered."""
    run = made_up(10)._replace(latency=[9, 1, 1], late=[9, 0, 0])

    assert run.after([499_999_999, 500_000_000, 700_000_000], 0.5).latency == [1, 1]


@given(st.lists(st.integers(0, 100), min_size=1, max_size=50), st.floats(0.01, 1))
def test_percentiles_are_values_that_were_measured(values: list[int], share: float) -> None:
    """A percentile is a measured value by nearest rank."""
    ranked = sorted(values)
    found = percentile(ranked, share)

    assert sum(value <= found for value in ranked) >= share * len(ranked) - 1e-9
    assert sum(value < found for value in ranked) < share * len(ranked)


def test_a_poisson_process_comes_at_its_rate_and_not_at_even_steps() -> None:
    """Even steps would never let two requests meet; the gaps' deviation is as large as their mean."""
    due = poisson(10_000, 5, seed=3)
    gaps = [later - earlier for earlier, later in itertools.pairwise(due)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5

    assert due == sorted(due)
    assert len(due) == pytest.approx(50_000, rel=0.02)
    assert deviation == pytest.approx(mean, rel=0.03)
    assert poisson(10_000, 5, seed=4) != due


def test_half_is_held_against_both_halves() -> None:
    """The guard's half rate is compared with the bare endpoint's half, and with the same rate.

    A round with a refused run does not count.
    """
    runs = {
        Point(GUARDED, HALF, GUARDED, 4_000): {0: made_up(0, 900), 1: made_up(0, 5_000), 2: made_up(0, 1_200)},
        Point(BARE, HALF, GUARDED, 4_000): {0: made_up(0, 300), 2: made_up(0, 300)},
        Point(BARE, HALF, BARE, 20_000): {2: made_up(0, 600), 0: made_up(0, 600)},
        Point(GUARDED, 0.9, GUARDED, 7_200): {0: made_up(0, 50_000)},
    }

    found = at_half(runs)

    assert found["over_bare_at_half_of_its_own"] == {"low": 1.5, "median": 1.75, "high": 2.0}
    assert found["over_bare_at_the_same_rate"] == {"low": 3.0, "median": 3.5, "high": 4.0}


def test_where_every_run_was_refused_there_is_no_figure() -> None:
    """If every run was refused there is no figure."""
    assert at_half({})["over_bare_at_the_same_rate"] is None


def test_attempts_differ_in_address_and_account() -> None:
    """Attempts differ in address and account, so no limit answers for the endpoint."""
    requests = [numbered_login("fail", number) for number in range(5_000)]
    networks = {
        request.partition(b"X-Forwarded-For: ")[2].split(b"\r\n")[0].rpartition(b".")[0] for request in requests
    }

    assert len(networks) == len({request.rpartition(b"\r\n")[2] for request in requests}) == len(requests)


def test_first_on_its_core_is_given_back() -> None:
    """The priority on its core is restored, or it would starve the machine; without the right nothing changes."""
    before = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority

    with contextlib.suppress(KeyError), first_on_its_core():
        during = os.sched_getscheduler(0)
        raise KeyError

    assert during in {os.SCHED_FIFO, before[0]}
    assert (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority) == before
