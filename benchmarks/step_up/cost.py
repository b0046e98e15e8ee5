"""What a step-up adds to an attempt.

The question: how long a stranger waits for it, where the application takes no time and where it takes a quarter of a
second, beside a wrong password from a proved device where the application takes none (a plain 401, which has passed the
same guard). And on the path that is allowed, from a proved device: server time on its core per request with factors
configured, in pairs with the same service without them.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from benchmarks.known import proved
from benchmarks.login_post import address
from benchmarks.measure import Server, median_interval
from benchmarks.result import write_result
from benchmarks.step_up.client import Client
from benchmarks.step_up.site import furnished
from tests.servers import free_port

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

ADDED_MS_MAX = 2.0
APP_MS = (0, 250)
ANSWERS, QUICK_ANSWERS = 500, 60
PAIRS, QUICK_PAIRS = 20, 6
REQUESTS = 400
PAUSE_S = 0.015


def measure_step_up_cost(options: argparse.Namespace) -> None:
    with furnished() as site:
        question = asked(site.asking, QUICK_ANSWERS if options.quick else ANSWERS)
        site.forget()
        allowed = paired(site.bare, site.asking, QUICK_PAIRS if options.quick else PAIRS)
    found = {"machine": site.machine, "question": question, "allowed": allowed}
    write_result("step-up-cost", found, quick=options.quick)
    print(question, {name: value for name, value in allowed.items() if name != "ratios"}, sep="\n")


def asked(environment: Mapping[str, str], count: int) -> dict[str, Any]:
    """Times of the question and, at the application that takes no time, of a plain 401, by turns."""
    plain: list[float] = []
    question: dict[int, list[float]] = {wait_ms: [] for wait_ms in APP_MS}
    with ExitStack() as stack:
        clients = {wait_ms: _client(stack, {**environment, "BENCH_WAIT_MS": str(wait_ms)}) for wait_ms in APP_MS}
        for number in range(count):
            account = f"asked{number}"
            answer = clients[0].log_in(account, "wrong", address=address(number), token=proved(account))
            plain.append(answer.said(401, "").us)
            if b"step_up" in answer.body:
                raise RuntimeError("a proved device was asked for a proof")
            for wait_ms, client in clients.items():
                time.sleep(PAUSE_S)
                where = address(1_000_000 + 1_000 * wait_ms + number)
                question[wait_ms].append(
                    client.log_in(account, "wrong", address=where).said(401, "step_up_required").us
                )
            time.sleep(PAUSE_S)
    base = median_interval(plain)
    medians = {wait_ms: median_interval(values) for wait_ms, values in question.items()}
    added_ms = {wait_ms: (found.median - base.median) / 1000 for wait_ms, found in medians.items()}
    return {
        "count": count,
        "plain_us": base._asdict(),
        "asked_us": {str(wait_ms): found._asdict() for wait_ms, found in medians.items()},
        "added_ms": {str(wait_ms): added for wait_ms, added in added_ms.items()},
        "kept": max(added_ms.values()) <= ADDED_MS_MAX,
    }


def paired(without: Mapping[str, str], with_factors: Mapping[str, str], pairs: int) -> dict[str, Any]:
    """Right passwords from proved devices: server time per request with factors, over that without."""
    times: dict[str, list[float]] = {"without": [], "with": []}
    with ExitStack() as stack:
        sides = {}
        for name, environment in (("without", without), ("with", with_factors)):
            server = stack.enter_context(_server({**environment, "BENCH_WAIT_MS": "0"}))
            sides[name] = server, _connected(stack, server)
        first = 2_000_000
        for number in range(-1, pairs):
            # The order alternates; the first pair only warms caches.
            for name in sorted(sides, reverse=number % 2 == 0):
                spent = _spent_us(*sides[name], first)
                first += REQUESTS
                if number >= 0:
                    times[name].append(spent)
    ratios = [a / b for a, b in zip(times["with"], times["without"], strict=True)]
    return {
        "pairs": pairs,
        "requests": REQUESTS,
        "without_us": median_interval(times["without"])._asdict(),
        "with_us": median_interval(times["with"])._asdict(),
        "ratio": median_interval(ratios)._asdict(),
        "ratios": ratios,
    }


def _spent_us(server: Server, client: Client, first: int) -> float:
    names = [(number, f"proved{number}") for number in range(first, first + REQUESTS)]
    attempts = [(address(number), account, proved(account)) for number, account in names]
    before = server.cpu_seconds()
    for where, account, token in attempts:
        client.log_in(account, "right", address=where, token=token).said(302)
    return (server.cpu_seconds() - before) * 1e6 / REQUESTS


def _server(environment: Mapping[str, str]) -> Server:
    return Server("benchmarks.step_up.app:app", free_port(), environment)


def _client(stack: ExitStack, environment: Mapping[str, str]) -> Client:
    return _connected(stack, stack.enter_context(_server(environment)))


def _connected(stack: ExitStack, server: Server) -> Client:
    server.wait_until_up()
    client = stack.enter_context(Client(int(server.url.rpartition(":")[2])))
    for number in range(50):
        client.log_in(f"warm{number}", "wrong", address=address(5_000_000 + number))
    return client
