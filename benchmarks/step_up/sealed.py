"""Whether anything behind the seal shows in an answer's time, for any work of the application on success.

Right and wrong passwords of members in random order, from many clients at once, each in a network of its own. Both
answers are timed: the question for a proof, and the answer to a wrong code that is shown 20 ms after it. The
application takes nothing, 40 or 400 ms more for a right password, renews its hash or does not, and the queue of runs is
empty or full of others' runs.

`AUC` is the chance that the answer to a right password is the slower one of a pair: 0.5 tells nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from contextlib import contextmanager, suppress
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from benchmarks.login_post import address, form_post, read_answer, status_of
from benchmarks.measure import Server
from benchmarks.step_up.client import new_browser_key
from benchmarks.step_up.separate import auc
from benchmarks.step_up.site import FLOOD, KNOWN, PASSWORD, WRONG, members
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.step_up.site import Furnished

COUNT, QUICK = 1_500, 500
CLIENTS = 20
SHOWN_AFTER_S = 0.02
RELEASED = 302
"""The application's own answer: three codes of a million are right, so of 36,000 wrong ones one is, at times."""
FLOODS = 8 * 32  # networks, and the places that each may have: of 288
LOW, HIGH = 0.47, 0.53


class Setting(NamedTuple):
    """Attributes:
    more_ms: what the application takes longer for a right password.
    renews: whether it hashes it once more.
    full: whether the queue of runs is full of others'.
    """

    more_ms: int
    renews: bool
    full: bool

    @property
    def name(self) -> str:
        renews = "hash renewed" if self.renews else "no hash renewed"
        return f"{self.more_ms} ms more on success, {renews}, queue {'full' if self.full else 'empty'}"


SETTINGS = tuple(itertools.starmap(Setting, itertools.product((0, 40, 400), (False, True), (False, True))))


class Tried(NamedTuple):
    """Microseconds to the question for a proof and to the answer to a wrong code; `None` for a refusal."""

    asked_us: float | None
    shown_us: float | None


class Connection:
    """Kept, for one client: the clock is read when the request has left and when its answer is whole."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, port: int) -> Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def post(
        self, path: str, fields: Mapping[str, str], where: str, browser_key: str
    ) -> tuple[float, int, bytes]:
        """Microseconds, status and body."""
        request = form_post(path, urlencode(fields), where, f"Sekisho-Challenge: {browser_key}")
        begun = time.perf_counter_ns()
        self._writer.write(request)
        head, answer = await read_answer(self._reader)
        return (time.perf_counter_ns() - begun) / 1000, status_of(head), answer

    async def log_in(self, number: int, account: str, password: str) -> Tried:
        """A stranger's log-in from a network of its own, and a wrong code shortly after the question."""
        where, browser_key = address(number), new_browser_key()
        fields = {"username": account, "password": password}
        asked_us, status, body = await self.post("/login", fields, where, browser_key)
        if is_refused(status, body, "step_up_required"):
            return Tried(None, None)
        await asyncio.sleep(SHOWN_AFTER_S)
        proof = {"challenge": json.loads(body)["challenge"], "factor": "totp", "code": "000000"}
        shown_us, status, body = await self.post("/sekisho/step-up", proof, where, browser_key)
        if status == RELEASED or is_refused(status, body, "proof_failed"):
            return Tried(asked_us, None)
        return Tried(asked_us, shown_us)

    def close(self) -> None:
        self._writer.close()


class Times(NamedTuple):
    """Microseconds by whether the password was right."""

    asked: dict[bool, list[float]]
    shown: dict[bool, list[float]]


def attempts(count: int, seed: int) -> Iterator[tuple[int, str, bool]]:
    """So many right and wrong ones in random order, each with a number and an account."""
    order = Random(seed)
    rights = [right for right in (True, False) for _ in range(count)]
    order.shuffle(rights)
    names = itertools.cycle(order.sample(list(members(KNOWN)), KNOWN))
    return ((number, next(names), right) for number, right in enumerate(rights))


async def measured(port: int, count: int, setting: Setting, seed: int) -> Times:
    """Both series of one setting."""
    times = Times({True: [], False: []}, {True: [], False: []})
    tries = attempts(count, seed)
    floods = [asyncio.ensure_future(_flood(port, number)) for number in range(FLOODS if setting.full else 0)]
    if floods:
        await asyncio.sleep(2)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(_client(port, tries, times))
    finally:
        for flood in floods:
            flood.cancel()
        await asyncio.gather(*floods, return_exceptions=True)
    return times


async def _client(port: int, tries: Iterator[tuple[int, str, bool]], times: Times) -> None:
    connection = await Connection.to(port)
    for number, account, right in tries:
        tried = await connection.log_in(number, account, PASSWORD if right else WRONG)
        if tried.asked_us:
            times.asked[right].append(tried.asked_us)
        if tried.shown_us:
            times.shown[right].append(tried.shown_us)
    connection.close()


async def _flood(port: int, number: int) -> None:
    """Keeps one place of the queue: eight networks, of four addresses each."""
    network, place = number % 8, number // 8
    for turn in itertools.count():
        with suppress(OSError, asyncio.IncompleteReadError):
            connection = await Connection.to(port)
            where = f"203.0.{network}.{1 + place % 4}"
            fields = {"username": f"{FLOOD}{number:03d}{turn:05d}@x.example", "password": WRONG}
            await connection.post("/login", fields, where, new_browser_key())
            connection.close()


def is_refused(status: int, body: bytes, code: str) -> bool:
    """Whether it was told to come back, as a machine under load tells some. Raises where it is another answer."""
    if status == 503:
        return True
    if status != 401 or json.loads(body)["code"] != code:
        raise RuntimeError(f"expected 401 {code}, was answered {status}: {body[:200]!r}")
    return False


def compared(setting: Setting, times: Times) -> dict[str, Any]:
    """What a setting tells: for the question and for the wrong code."""
    both = {
        name: {
            "auc": auc(series[True], series[False]),
            "count": {right: len(series[right]) for right in (True, False)},
            "median_us": {right: sorted(series[right])[len(series[right]) // 2] for right in (True, False)},
        }
        for name, series in (("asked", times.asked), ("shown", times.shown))
    }
    return {"name": setting.name, **setting._asdict(), **both}


def series(site: Furnished, count: int) -> Iterator[dict[str, Any]]:
    """All settings, one after the other, each at a server of its own."""
    for seed, setting in enumerate(SETTINGS):
        with serving(site, setting) as port:
            found = compared(setting, asyncio.run(measured(port, count, setting, seed)))
        print(said(found), flush=True)
        yield found


@contextmanager
def serving(site: Furnished, setting: Setting) -> Iterator[int]:
    """The port of a server with this setting, over an empty store."""
    site.forget()
    more = {"BENCH_MORE_MS": str(setting.more_ms), "BENCH_NO_LIMITS": "1"}
    if setting.renews:
        more["BENCH_REHASH"] = "1"
    with Server("benchmarks.step_up.app:app", free_port(), {**site.asking, **more}) as server:
        server.wait_until_up()
        yield server.port


def said(found: Mapping[str, Any]) -> str:
    """For the screen."""
    asked, shown = found["asked"], found["shown"]
    holds = all(LOW <= one["auc"] <= HIGH for one in (asked, shown))
    return f"{found['name']}: asked {asked['auc']:.3f}, wrong code {shown['auc']:.3f}{'' if holds else '  OUTSIDE'}"
