"""The cost of each step of a guarded attempt in instructions: `python -m benchmarks.instructions [--load LOAD]…`.

The guard in front of the bare endpoint is driven without HTTP under callgrind, with its ledger replaced by a constant.
Counts are the same every time, under any other load of the machine: a hundredth less is a hundredth less, which no
clock could show. They leave out waiting for memory, so claims of speed are made over HTTP.

Each step ends where a function of the guard returns. There a system call, which nothing else here makes, has callgrind
write down its count since the last such place.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import os
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

from benchmarks import arguments, measure
from benchmarks.arguments import LOADS
from benchmarks.callgrind import between_marks, mark
from benchmarks.in_process import Driver
from benchmarks.result import write_result
from benchmarks.tables import screen_table, wide_console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.table import Table

    from benchmarks.apps.endpoint import Receive, Send
    from benchmarks.in_process import App
    from sekisho.model import Charge, Verdict

REQUESTS, STEPWISE = 320, 40
QUICK_REQUESTS, QUICK_STEPWISE = 160, 10  # whole requests by as many callers as the harness in process has
IP_WAIT_US = 600_000_000


class Step(NamedTuple):
    """Attributes:
    name: as the table calls it.
    until: `module:function` or `module:Class.method` at whose return it ends.
    """

    name: str
    until: str

    @property
    def awaited(self) -> bool:
        """Whether it ends in a coroutine."""
        return inspect.iscoroutinefunction(getattr(*place(self.until)))


# In the order in which an attempt meets them. Functions are looked for where they are called from, not where they are
# defined.
STEPS = (
    Step("find the door", "sekisho.read.doors:Doors.find"),
    Step("address", "sekisho.read.address:Addresses.origin"),
    Step("digests of the origin", "sekisho.read.digest:Digests.origin_digests"),
    Step("the caller", "sekisho.read.caller:Callers.read"),
    Step("the request context, the gate", "sekisho.gate:Gate.refusal"),
    Step("take in the body", "sekisho.asgi.body_reader:BodyReader.read"),
    Step("credentials", "sekisho.asgi.attempt_reader:read_credentials"),
    Step("canonical account", "sekisho.read.account:Accounts.canonical"),
    Step("digests and charge", "sekisho.read.digest:Digests.charge"),
    Step("ledger (a constant), judge", "sekisho.pipeline:decide"),
    Step("assessment, events", "sekisho.record.recorder:Events.decided"),
    Step("hand on, application reads", "benchmarks.apps.endpoint:verdict"),
    Step("application answers, outcome", "sekisho.asgi.response_observer:from_start"),
    Step("answer leaves, settle", "sekisho.settler:Settler.settle"),
)
REST = "the rest"
HARNESS, BARE, WHOLE, PACKED = "harness", "bare", "whole", "packed"
MARK, CALL, AWAIT, MARKED_CALL, MARKED_AWAIT = "mark", "call", "await", "marked call", "marked await"

Counts = Mapping[str, Sequence[int]]


class Marks:
    """Where callgrind was made to write down its count, in order."""

    def __init__(self) -> None:
        self.labels: list[str] = []

    def mark(self, label: str) -> None:
        """Assign the count since the last mark to `label`."""
        self.labels.append(label)
        mark()

    def after(self, label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, with a mark at its return."""
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def awaited(*args: Any, **named: Any) -> Any:
                found = await function(*args, **named)
                self.mark(label)
                return found

            return awaited

        @wraps(function)
        def called(*args: Any, **named: Any) -> Any:
            found = function(*args, **named)
            self.mark(label)
            return found

        return called


def place(until: str) -> tuple[Any, str]:
    """The object that holds the function of a step, and its name there. Raises `SystemExit` where it has gone."""
    module, _, path = until.partition(":")
    *owners, name = path.split(".")
    try:
        holder: Any = import_module(module)
        for owner in owners:
            holder = getattr(holder, owner)
        getattr(holder, name)
    except (ImportError, AttributeError):
        raise SystemExit(f"{until} has gone: STEPS in benchmarks/instructions.py must say what came instead") from None
    return holder, name


# Inside callgrind.


class Counted:
    """Drives the guard, and leaves marks."""

    def __init__(self, marks: Marks) -> None:
        os.environ["BENCH_STORE"] = "memory://"
        # The app reads its store from the environment as it is imported.
        from benchmarks.apps import bare, guarded  # noqa: PLC0415

        self._bare, self._guarded = bare.app, guarded.app
        self._marks = marks
        self._attempts = 0

    async def count_loads(self, loads: Iterable[str], *, requests: int, stepwise: int) -> None:
        """Every load as a whole, and `stepwise` requests of it step by step."""
        await self._calibrate(stepwise)
        for load in loads:
            with constant_ledger(load):
                for name, app in ((HARNESS, _nothing), (BARE, self._bare), (WHOLE, self._guarded)):
                    await self._whole(f"{load} {name}", app, load, requests)
                await self._steps(load, stepwise)
            with constant_ledger(load, packs=True):
                await self._whole(f"{load} {PACKED}", self._guarded, load, requests)

    async def _calibrate(self, times: int) -> None:
        """What marks themselves add: two of a kind in a row, and the function between them without."""
        marks = self._marks

        # With as many arguments as most steps have: packing them is part of what a mark adds.
        def nothing(_one: object, _two: object, _three: object) -> None: ...

        async def nothing_awaited(_one: object, _two: object, _three: object) -> None: ...

        called = [marks.after(label, nothing) for label in ("", MARKED_CALL)]
        awaited = [marks.after(label, nothing_awaited) for label in ("", MARKED_AWAIT)]
        for _ in range(times):
            marks.mark("")
            marks.mark(MARK)
            nothing(self, marks, times)
            marks.mark(CALL)
            await nothing_awaited(self, marks, times)
            marks.mark(AWAIT)
            for each in called:
                each(self, marks, times)
            for each in awaited:
                await each(self, marks, times)

    async def _whole(self, label: str, app: App, load: str, requests: int) -> None:
        driver = self._driver(app, load)
        await driver.send(requests)
        self._marks.mark("")
        await driver.send(requests)
        self._marks.mark(label)

    async def _steps(self, load: str, requests: int) -> None:
        marks, guarded = self._marks, self._guarded

        async def marked(scope: Any, receive: Receive, send: Send) -> None:
            marks.mark("")
            await guarded(scope, receive, send)
            marks.mark(f"{load} {REST}")

        with ExitStack() as stack:
            for name, until in STEPS:
                holder, attribute = place(until)
                changed = marks.after(f"{load} {name}", getattr(holder, attribute))
                stack.enter_context(mock.patch.object(holder, attribute, changed))
            driver = self._driver(marked, load)
            for _ in range(requests):
                await driver.send_one()

    def _driver(self, app: App, load: str) -> Driver:
        self._attempts += 100_000  # nobody repeats another's addresses
        return Driver(app, load, first=self._attempts)


async def _nothing(_scope: Any, _receive: Receive, _send: Send) -> None: ...


def constant_ledger(load: str, *, packs: bool = False) -> ExitStack:
    """Every charge gets the same verdict. `packs`: after it has been packed for Redis, and the verdict unpacked."""
    from sekisho.ledger.arithmetic import UNHINDERED  # noqa: PLC0415
    from sekisho.ledger.memory import MemoryLedger  # noqa: PLC0415
    from sekisho.ledger.redis import VERDICT, Keys, pack_charge, unpack_verdict  # noqa: PLC0415
    from sekisho.wiring import MACHINE, LoginGuard  # noqa: PLC0415

    constant = UNHINDERED._replace(ip_wait_us=IP_WAIT_US) if load == "shed" else UNHINDERED
    keys, reply = Keys("bench").of, bytes(VERDICT.size)

    async def charge(_self: MemoryLedger, charged: Charge) -> Verdict:
        if packs:
            keys(charged)
            pack_charge(charged)
            unpack_verdict(reply)
        return constant

    def settle(*_: object, **__: object) -> None: ...

    stack = ExitStack()
    stack.enter_context(mock.patch.object(MemoryLedger, "charge", charge))
    stack.enter_context(mock.patch.object(MemoryLedger, "settle", settle))
    # Under callgrind everything takes fifty times as long: the application would look slow, and the loop late.
    stack.enter_context(mock.patch.object(LoginGuard, "_clocks", MACHINE._replace(monotonic_s=float)))
    return stack


# Outside.


def counted(loads: Sequence[str], *, quick: bool) -> dict[str, list[int]]:
    """Instructions between marks, by label, as callgrind counted them in a process of its own."""
    words = ["--inside", *(["--quick"] if quick else []), *(word for load in loads for word in ("--load", load))]
    totals, output = between_marks("benchmarks.instructions", *words)
    labels: list[str] = json.loads(output.rpartition("MARKS ")[2])
    return by_label(labels, totals[: len(labels)])


def by_label(labels: Sequence[str], totals: Sequence[int]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for label, total in zip(labels, totals, strict=True):
        found.setdefault(label, []).append(total)
    return found


def added(found: Counts) -> tuple[float, float, float]:
    """Instructions that a mark adds to a step that ends in a function, in a coroutine, and by itself."""
    middle = {label: statistics.median(found[label]) for label in (MARK, CALL, AWAIT, MARKED_CALL, MARKED_AWAIT)}
    mark = middle[MARK]
    return middle[MARKED_CALL] - (middle[CALL] - mark), middle[MARKED_AWAIT] - (middle[AWAIT] - mark), mark


def steps(load: str, found: Counts) -> dict[str, float]:
    """Thousands of instructions of each step that this load meets, what the marks add taken off."""
    in_function, in_coroutine, alone = added(found)
    rows = [(step.name, in_coroutine if step.awaited else in_function) for step in STEPS] + [(REST, alone)]
    return {
        name: (statistics.median(values) - mark) / 1_000
        for name, mark in rows
        if (values := found.get(f"{load} {name}"))
    }


def whole(load: str, found: Counts, requests: int) -> dict[str, float]:
    """Thousands of instructions a request: of the harness, and without it of what it drives."""
    each = {name: found[f"{load} {name}"][0] / requests / 1_000 for name in (HARNESS, BARE, WHOLE, PACKED)}
    return {name: value - (0 if name == HARNESS else each[HARNESS]) for name, value in each.items()}


def report(loads: Sequence[str], found: Counts, requests: int) -> dict[str, Any]:
    return {load: {"steps": steps(load, found), "whole": whole(load, found, requests)} for load in loads}


def step_table(found: Mapping[str, Any]) -> Table:
    """One column a load, one row a step."""
    wholes = [one["whole"] for one in found.values()]
    rows = [
        *step_rows(found),
        (),
        ("sum of the steps", *(f"{sum(one['steps'].values()):.1f}" for one in found.values())),
        ("measured as a whole", *(f"{one[WHOLE]:.1f}" for one in wholes)),
        ("  of it the application", *(f"{one[BARE]:.1f}" for one in wholes)),
        ("packing for Redis, on top", *(f"{one[PACKED] - one[WHOLE]:.1f}" for one in wholes)),
        ("taken off: the harness", *(f"{one[HARNESS]:.1f}" for one in wholes)),
    ]
    return screen_table("Thousands of instructions for each request, interpreter included", ("step", *found), rows)


def step_rows(found: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    """A row for each step that some load meets."""
    for name in (*(step.name for step in STEPS), REST):
        if any(name in one["steps"] for one in found.values()):
            yield name, *(f"{one['steps'][name]:.1f}" if name in one["steps"] else "" for one in found.values())


def main() -> None:
    options = _options()
    loads = options.load or LOADS
    requests, stepwise = (QUICK_REQUESTS, QUICK_STEPWISE) if options.quick else (REQUESTS, STEPWISE)
    if options.inside:
        marks = Marks()
        asyncio.run(Counted(marks).count_loads(loads, requests=requests, stepwise=stepwise))
        print("MARKS", json.dumps(marks.labels))
        return
    measure.require("valgrind")
    about = measure.machine()
    found = report(loads, counted(loads, quick=options.quick), requests)
    wide_console().print(step_table(found))
    kept = {"machine": about, "plan": {"requests": requests}, "loads": found}
    write_result("instructions", kept, quick=options.quick)


def _options() -> argparse.Namespace:
    parser = arguments.parser(__doc__, quick="fewer requests")
    parser.add_argument("--load", action="append", choices=LOADS, help="all of them unless named")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)  # what runs under valgrind
    return parser.parse_args()


if __name__ == "__main__":
    main()
