"""Whether the time of a step-up tells what an account has enrolled, or that it exists.

A thief has the right passwords of members with a passkey, of members with an authenticator app and of members with
nothing, and names without an account. Log-ins come in random order, from many clients at once, each in a network of its
own. Three answers are timed: the question for a proof, the options for a passkey, and the answer to a wrong code.

`AUC` is the chance that the answer for a class is slower than the answer for no account: 0.5 tells nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
from random import Random
from typing import TYPE_CHECKING, Any

from benchmarks.login_post import address
from benchmarks.measure import Server
from benchmarks.result import write_result
from benchmarks.step_up.client import new_browser_key
from benchmarks.step_up.sealed import CLIENTS, HIGH, LOW, RELEASED, SHOWN_AFTER_S, Connection, is_refused
from benchmarks.step_up.separate import auc
from benchmarks.step_up.site import ENROLLED, KNOWN, PASSWORD, furnished, members, nobodies
from tests.servers import free_port

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

SEED = 11
COUNT, QUICK = 1_500, 300
NOBODY = "no account"
CLASSES = (*(f"a member with {kind or 'nothing'}" for kind in ENROLLED), NOBODY)
QUESTION, OPTIONS, CODE = ANSWERS = ("the question", "the options for a passkey", "a wrong code")

Times = dict[str, dict[str, list[float]]]
"""Microseconds, by answer and class."""


def measure_enrolled(options: argparse.Namespace) -> None:
    count = QUICK if options.quick else COUNT
    with furnished("webauthn,totp", ENROLLED) as site:
        port = free_port()
        with Server("benchmarks.step_up.app:app", port, {**site.asking, "BENCH_NO_LIMITS": "1"}) as server:
            server.wait_until_up()
            found = compared(asyncio.run(measured(port, count)))
    for one in found:
        print(said(one), flush=True)
    plan = {"count": count, "accounts": KNOWN, "clients": CLIENTS}
    write_result("step-up-enrolled", {"plan": plan, "machine": site.machine, "classes": found}, quick=options.quick)


def attempts(count: int, seed: int = SEED) -> Iterator[tuple[int, str, str]]:
    """As many log-ins of each class, in random order, each with a number and an account of the class."""
    order, listed = Random(seed), list(members(KNOWN))
    names = {one: itertools.cycle(listed[place :: len(ENROLLED)]) for place, one in enumerate(CLASSES[:-1])}
    names[NOBODY] = itertools.cycle(nobodies(KNOWN))
    classes = [one for one in CLASSES for _ in range(count)]
    order.shuffle(classes)
    return ((number, one, next(names[one])) for number, one in enumerate(classes))


async def measured(port: int, count: int) -> Times:
    times: Times = {answer: {one: [] for one in CLASSES} for answer in ANSWERS}
    tries = attempts(count)
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(_client(port, tries, times))
    return times


async def _client(port: int, tries: Iterator[tuple[int, str, str]], times: Times) -> None:
    connection = await Connection.to(port)
    for number, one, account in tries:
        await _log_in(connection, number, one, account, times)
    connection.close()


async def _log_in(connection: Connection, number: int, one: str, account: str, times: Times) -> None:
    where, browser_key = address(number), new_browser_key()
    fields = {"username": account, "password": PASSWORD}
    us, status, body = await connection.post("/login", fields, where, browser_key)
    if is_refused(status, body, "step_up_required"):
        return
    times[QUESTION][one].append(us)
    challenge = json.loads(body)["challenge"]
    await asyncio.sleep(SHOWN_AFTER_S)
    us, status, _ = await connection.post("/sekisho/step-up/options", {"challenge": challenge}, where, browser_key)
    if status == 200:
        times[OPTIONS][one].append(us)
    proof = {"challenge": challenge, "factor": "totp", "code": "000000"}
    us, status, body = await connection.post("/sekisho/step-up", proof, where, browser_key)
    if status != RELEASED and not is_refused(status, body, "proof_failed"):
        times[CODE][one].append(us)


def compared(times: Times) -> list[dict[str, Any]]:
    """Each class of members against nobody, for each answer."""
    return [
        {
            "answer": answer,
            "class": one,
            "auc": (found := auc(series[one], series[NOBODY])),
            "median_us": {name: statistics.median(series[name]) for name in (one, NOBODY)},
            "holds": LOW <= found <= HIGH,
        }
        for answer, series in times.items()
        for one in CLASSES[:-1]
    ]


def said(one: Mapping[str, Any]) -> str:
    """For the screen."""
    times = " and ".join(f"{us:,.0f}" for us in one["median_us"].values())
    return f"{one['answer']}, {one['class']}: {times} µs, AUC {one['auc']:.3f}{'' if one['holds'] else '  OUTSIDE'}"
