"""Instructions in Redis for an attempt, beside another commit's: `python -m benchmarks.in_redis [--base COMMIT]`.

Both scripts run as libraries in one Redis under callgrind, with the same keys and operations in batches of 64. Accounts
are new, then seen once before, then have logged in once from another network since. Then their owners log in: once as
strangers, then on a device that is known by then. Other load changes no count; the same count differs by one or
two hundredths from run to run, since Redis' timers run by the clock.
"""

from __future__ import annotations

import random
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import redis

from benchmarks import arguments, measure
from benchmarks.beside import exported
from benchmarks.callgrind import total
from benchmarks.lua import FAMILIES_AT, KEYS, Call, LedgerWithHistories, script_in, stuffing
from benchmarks.result import write_result
from benchmarks.tables import screen_table, wide_console
from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.ledger.inlined import inlined
from sekisho.ledger.redis import families_of
from sekisho.model import Charge, Charged, Effect, Marked, Tagged, Verdict
from sekisho.store import Script
from tests.servers import find_redis

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.table import Table

BASE = "97295b2"
"""The last commit whose accounts have no history."""
HERE = "here"
"""The name of this tree."""
DEEDS_AT = 5  # in an operation
BATCH, ATTEMPTS, QUICK_ATTEMPTS = 64, 2_560, 640
START_S_MAX = 120.0  # under callgrind, beside other work
Counts = dict[str, dict[str, float]]
"""Thousands of instructions an attempt, by accounts and script."""

FIRST_SUCCESS = UNHINDERED._replace(
    charged=Charged.NETWORK | Charged.ACCOUNT | Charged.FAILURES, tagged=Tagged.PAIR | Tagged.MEMBER
)
"""The verdict on a stranger's attempt whose success is settled. All of its charge still weighs."""


class LedgerAt(LedgerWithHistories):
    """The ledger's script of one tree. It reads the operations of this one.

    It names the keys that its tree would name: for a settlement all of the attempt's, before they were chosen; and an
    account's bucket beside its own key, before the script made that name itself.
    """

    def __init__(self, name: str, middleware: Path) -> None:
        super().__init__()
        self.name = name
        self._script = Script(inlined(script_in(middleware)), self._script.leading, 1)
        self._chooses = b"asks_credit" in self._script.source
        self._names_buckets = b"bucket_of" not in self._script.source
        self._reads_heads = b"read_head" in self._script.source
        self._keys = self._all_keys

    @property
    def library(self) -> bytes:
        if self._script.library is None:
            raise SystemExit(f"the script of {self.name} cannot be a library")
        return self._script.library

    def settled(self, charges: Sequence[Charge], verdict: Verdict, effects: int) -> Call:
        """Successes of one batch, each with this verdict, charged now."""
        return super().settled(charges, verdict._replace(at_us=time.time_ns() // 1_000), effects)

    def settlement(self, charge: Charge, verdict: Verdict, effects: int) -> tuple[Sequence[bytes], bytes]:
        keys, packed = super().settlement(charge, verdict, effects)
        if self._chooses:
            return self._named(charge, keys), self._read(packed)
        families = bytes([families_of(charge)])
        return self._all_keys(charge), self._read(packed[:FAMILIES_AT] + families + packed[FAMILIES_AT + 1 :])

    def call(self, charges: Sequence[Charge]) -> Call:
        called = super().call(charges)
        leading = len(self._script.leading)
        operations = [self._read(packed) for packed in called.arguments[leading:] if isinstance(packed, bytes)]
        return Call(called.keys, [*called.arguments[:leading], *operations])

    def _read(self, operation: bytes) -> bytes:
        """The operation as this tree reads it: the deeds were the last byte."""
        if self._reads_heads:
            return operation
        return operation[:DEEDS_AT] + operation[DEEDS_AT + 1 :] + operation[DEEDS_AT : DEEDS_AT + 1]

    def _all_keys(self, charge: Charge) -> list[bytes]:
        return self._named(charge, KEYS.of(charge))

    def _named(self, charge: Charge, keys: Sequence[bytes]) -> list[bytes]:
        return with_bucket(charge, keys) if self._names_buckets else list(keys)

    def command(self, call: Call) -> tuple[bytes | int, ...]:
        return (*self._script.by_name, len(call.keys), *call.keys, *call.arguments)


def with_bucket(charge: Charge, keys: Sequence[bytes]) -> list[bytes]:
    at = keys.index(KEYS.account(charge))
    return [*keys[:at], KEYS.bucket(charge), *keys[at:]]


class CountedRedis(NamedTuple):
    """A Redis under callgrind.

    Attributes:
        client: connected to it.
        pid: its process.
        counts: where callgrind writes.
    """

    client: redis.Redis
    pid: int
    counts: Path

    def instructions(self, commands: Sequence[Sequence[bytes | int]]) -> int:
        """How many these take."""
        self._dumped()
        for command in commands:
            self.client.execute_command(*command)  # type: ignore[no-untyped-call]
        return self._dumped()

    def _dumped(self) -> int:
        """The instructions since the last dump."""
        subprocess.run(["callgrind_control", "--dump", str(self.pid)], check=True, capture_output=True)
        dumps = list(self.counts.parent.glob(f"{self.counts.name}.*"))
        found = sum(map(total, dumps))
        for dump in dumps:
            dump.unlink()
        return found


@contextmanager
def counted_redis() -> Iterator[CountedRedis]:
    measure.require("valgrind")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/count", find_redis()]
        command += ["--port", "0", "--unixsocket", f"{folder}/socket", "--save", "", "--hz", "1", "--dir", name]
        command += ["--activerehashing", "no", "--enable-debug-command", "local"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            client = redis.Redis(unix_socket_path=f"{folder}/socket", socket_timeout=START_S_MAX)
            _wait_for(client)
            client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", 0)  # type: ignore[no-untyped-call]
            yield CountedRedis(client, process.pid, folder / "count")
        finally:
            process.terminate()
            process.wait(START_S_MAX)


def _wait_for(client: redis.Redis) -> None:
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline:
        try:
            client.ping()
        except redis.ConnectionError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit("Redis under callgrind did not start")


def counts_of(server: CountedRedis, ledger: LedgerAt, attempts: int) -> dict[str, float]:
    """Thousands of instructions an attempt, by accounts."""
    server.client.flushall()
    server.client.execute_command("FUNCTION", "LOAD", "REPLACE", ledger.library)  # type: ignore[no-untyped-call]
    batches = list(_batches(list(stuffing(random.Random(7), attempts))))
    calls = [ledger.command(ledger.call(batch)) for batch in batches]
    successes = [ledger.command(ledger.between(batch)) for batch in batches]
    found = {"new": server.instructions(calls), "again": server.instructions(calls)}
    server.client.flushall()
    server.instructions(calls)
    server.instructions(successes)
    found["with a history"] = server.instructions(calls)
    found |= _of_log_ins(server, ledger, batches)
    return {accounts: count / attempts / 1_000 for accounts, count in found.items()}


def _of_log_ins(server: CountedRedis, ledger: LedgerAt, batches: Sequence[Sequence[Charge]]) -> dict[str, int]:
    """Instructions of the owners' first success, then of an attempt and a success on their known devices."""
    learned = Effect.LEARNS | Effect.RIGHT
    server.client.flushall()
    server.instructions([ledger.command(ledger.call(batch)) for batch in batches])
    settled = [ledger.command(ledger.settled(batch, FIRST_SUCCESS, learned)) for batch in batches]
    found = {"first success, settled": server.instructions(settled)}
    # The first log-in makes the device's bucket. The last is a day later, as far as the verdict says.
    names = ("", "its success, settled", "its success that earns credit, settled")
    for generation, name in enumerate(names):
        known = [[_on_device(charge, generation) for charge in batch] for batch in batches]
        calls = [ledger.command(ledger.call(batch)) for batch in known]
        found["on a known device"] = server.instructions(calls)
        verdict = UNHINDERED._replace(marks=Marked.EARNS if name == names[-1] else 0)
        effects = learned | Effect.EARNS | Effect.RENEWED
        settled = [ledger.command(ledger.settled(batch, verdict, effects)) for batch in known]
        found[name] = server.instructions(settled)
    del found[""]
    return found


def _on_device(charge: Charge, generation: int) -> Charge:
    return charge._replace(known_device=charge.account[:8], token_generation=generation, token_issued_us=1)


def _batches(charges: Sequence[Charge]) -> Iterator[Sequence[Charge]]:
    for at in range(0, len(charges), BATCH):
        yield charges[at : at + BATCH]


def ratios(found: Mapping[str, Mapping[str, float]], base: str) -> dict[str, float]:
    """Of this tree to the other. Where accounts have a history here, they have none there."""
    return {accounts: each["here"] / each[base] for accounts, each in found.items()}


def in_redis_table(found: Mapping[str, Mapping[str, float]], base: str) -> Table:
    ratio = ratios(found, base)
    return screen_table(
        "Thousands of instructions an attempt, in Redis",
        ("accounts", base, "here", "ratio"),
        [(name, f"{each[base]:.1f}", f"{each['here']:.1f}", f"{ratio[name]:.3f}") for name, each in found.items()],
    )


def main() -> None:
    parser = arguments.parser(__doc__, quick="fewer attempts")
    arguments.add_base(parser, BASE)
    options = parser.parse_args()
    attempts = QUICK_ATTEMPTS if options.quick else ATTEMPTS
    found: Counts = {}
    about: dict[str, Any] = {"machine": measure.machine(), "base": options.base, "attempts": attempts}
    with tempfile.TemporaryDirectory() as folder, counted_redis() as server:
        trees = {options.base: exported(options.base, Path(folder)), HERE: Path(__file__).parents[1] / "middleware"}
        for name, middleware in trees.items():
            for accounts, count in counts_of(server, LedgerAt(name, middleware), attempts).items():
                found.setdefault(accounts, {})[name] = count
    wide_console().print(in_redis_table(found, options.base))
    write_result("in_redis", {**about, "thousands": found}, quick=options.quick)


if __name__ == "__main__":
    main()
