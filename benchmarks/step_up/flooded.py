"""Whether an answer's time tells a right password, or an account, beside a flood of five times what the machine checks.

Right and wrong passwords of members, and wrong ones of names without an account, in random order, from many clients at
once, each in a network of its own. A flood of fresh addresses runs meanwhile. Most attempts of strangers are refused
for want of room, and the clients try again at once. Both answers are timed, as in `sealed`; the shares that are refused
are compared as well.

Each setting takes a fixed time, so that the whole takes a quarter of an hour however many are answered.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.overload.cells import ended, flooded
from benchmarks.result import write_result
from benchmarks.step_up.sealed import HIGH, LOW, Connection, Setting, serving
from benchmarks.step_up.separate import ALPHA, auc, shares
from benchmarks.step_up.site import KNOWN, PASSWORD, WRONG, furnished, members, nobodies
from benchmarks.step_up.timings import profile

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from benchmarks.step_up.sealed import Tried

SEED = 17
CLIENTS = 100
KIND, RATE = "fresh addresses", 500.0
SECONDS, QUICK_S = 400.0, 40.0
LEAD_IN_S = 5.0
"""The flood alone, before the first attempt that is timed."""

SETTINGS = (Setting(0, renews=False, full=False), Setting(400, renews=True, full=False))
RIGHT, MEMBER, NOBODY = CLASSES = ("a right password", "a wrong password of a member", "a wrong password, no account")
PAIRS = {"the password": (RIGHT, MEMBER), "the account": (MEMBER, NOBODY)}
"""The secrets that a difference would tell, and the two classes that would differ."""


class Times(NamedTuple):
    """Microseconds of one class, by answer.

    Attributes:
        sent: attempts.
        asked: to the question for a proof, of those that were not refused.
        shown: to the answer to a wrong code.
    """

    sent: list[int]
    asked: list[float]
    shown: list[float]

    def add(self, tried: Tried) -> None:
        self.sent[0] += 1
        if tried.asked_us:
            self.asked.append(tried.asked_us)
        if tried.shown_us:
            self.shown.append(tried.shown_us)


def measure_flooded(options: argparse.Namespace) -> None:
    seconds, found = QUICK_S if options.quick else SECONDS, []
    with furnished() as site:
        for seed, setting in enumerate(SETTINGS, SEED):
            with serving(site, setting) as port:
                found += beside_flood(port, seconds, setting, seed)
    plan = {
        "seconds": seconds,
        "clients": CLIENTS,
        "flood": KIND,
        "rate": RATE,
        "alpha": ALPHA,
        "profile": profile(),
    }
    write_result("step-up-flooded", {"plan": plan, "machine": site.machine, "answers": found}, quick=options.quick)


def beside_flood(port: int, seconds: float, setting: Setting, seed: int) -> list[dict[str, Any]]:
    flood = flooded(port, KIND, RATE)
    try:
        time.sleep(LEAD_IN_S)
        times = asyncio.run(measured(port, seconds, seed))
    finally:
        sent = ended(flood)
    found = compared(setting, times)
    print(f"{setting.name}; the flood: {sent['per_second']:,.0f}/s, {sent['statuses']}")
    for one in found:
        print(said(one), flush=True)
    return found


def attempts(seed: int) -> Iterator[tuple[int, str, str]]:
    """Without end, three of the three classes in random order each time: number, class and account."""
    order = Random(seed)
    known, unknown = (order.sample(names, KNOWN) for names in (list(members(KNOWN)), list(nobodies(KNOWN))))
    names = {RIGHT: itertools.cycle(known), MEMBER: itertools.cycle(reversed(known)), NOBODY: itertools.cycle(unknown)}
    numbers = itertools.count()
    while True:
        for one in order.sample(CLASSES, len(CLASSES)):
            yield next(numbers), one, next(names[one])


async def measured(port: int, seconds: float, seed: int) -> dict[str, Times]:
    times = {one: Times([0], [], []) for one in CLASSES}
    tries, until = attempts(seed), time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(_client(port, tries, times, until))
    return times


async def _client(port: int, tries: Iterator[tuple[int, str, str]], times: Mapping[str, Times], until: float) -> None:
    connection = await Connection.to(port)
    for number, one, account in tries:
        if time.monotonic() > until:
            break
        times[one].add(await connection.log_in(number, account, PASSWORD if one == RIGHT else WRONG))
    connection.close()


def compared(setting: Setting, times: Mapping[str, Times]) -> list[dict[str, Any]]:
    """What each answer would tell: AUC of the times, and the chance of such a difference between the shares refused."""
    answers = {
        "the question": {name: (one.asked, one.sent[0]) for name, one in times.items()},
        "a wrong code": {name: (one.shown, len(one.asked)) for name, one in times.items()},
    }
    return [
        {"setting": setting.name, "answer": answer, "told": told, **_pair(*(found[one] for one in pair))}
        for answer, found in answers.items()
        for told, pair in PAIRS.items()
    ]


def _pair(first: tuple[list[float], int], second: tuple[list[float], int]) -> dict[str, Any]:
    (one, of_one), (other, of_other) = first, second
    found, p_refused = auc(one, other), shares(len(one), of_one, len(other), of_other)
    return {
        "auc": found,
        "count": [len(one), len(other)],
        "sent": [of_one, of_other],
        "median_us": [statistics.median(one), statistics.median(other)],
        "p_refused": p_refused,
        "holds": LOW <= found <= HIGH and p_refused > ALPHA,
    }


def said(one: Mapping[str, Any]) -> str:
    """For the screen."""
    answered = " and ".join(f"{count:,} of {sent:,}" for count, sent in zip(one["count"], one["sent"], strict=True))
    verdict = "tells nothing" if one["holds"] else "TELLS"
    refused = f"{answered} answered (p {one['p_refused']:.3g})"
    return f"  {one['answer']}, {one['told']}: AUC {one['auc']:.3f}, {refused}: {verdict}"
