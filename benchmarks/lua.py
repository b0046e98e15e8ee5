"""What one attempt costs inside Redis: `python -m benchmarks.lua [--quick]`.

Script time per attempt from `INFO commandstats`, for batches of one, eight and sixty-four, in turns with a plain
three-key GCRA script as a yardstick. Once for identities that Redis has never seen, once for the same ones again. And
the memory that Redis takes for each identity that it remembers, by how many there are.
"""

from __future__ import annotations

import itertools
import os
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import redis
from rich.progress import track

from benchmarks import arguments, measure
from benchmarks.measure import median_interval
from benchmarks.result import interval_text, write_result
from benchmarks.tables import screen_table, wide_console
from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.ledger.redis import Keys, ledger_script, pack_charge, pack_settlement
from sekisho.model import Charge, Effect, Marked
from sekisho.settings import load
from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from sekisho.model import Verdict

BATCHES = (1, 8, 64)
IDENTITIES = (10_000, 100_000, 1_000_000)
KEYS = Keys("bench")
FAMILIES_AT = 2  # in an operation
AN_ATTEMPT = 5  # network, address, device, account and secret: all new


class Call(NamedTuple):
    """The keys and arguments of one call of a script."""

    keys: Sequence[bytes]
    arguments: Sequence[bytes | int]


class Script(Protocol):
    """A script under measurement."""

    name: str

    def load(self, server: RedisServer) -> tuple[str, str]:
        """Have Redis know it; how a command that runs it begins."""
        ...

    def call(self, charges: Sequence[Charge]) -> Call: ...


class Ledger:
    """The ledger as it is shipped, a library, with the limits it has when nobody sets any."""

    name = "ledger.lua"

    def __init__(self) -> None:
        self._script = ledger_script(load({}, ephemeral_secret=bytes(32)).limits)
        self._keys = KEYS.of

    def load(self, server: RedisServer) -> tuple[str, str]:
        server.load_library(self._script.library)
        command, name = self._script.by_name
        return command.decode(), name.decode()

    def call(self, charges: Sequence[Charge]) -> Call:
        keys = [key for charge in charges for key in self._keys(charge)]
        return Call(keys, [*self._script.leading, *map(pack_charge, charges)])


class LedgerBySha(Ledger):
    """The same where Redis knows no functions, or lets nobody load one."""

    name = "ledger.lua, EVALSHA"

    def load(self, server: RedisServer) -> tuple[str, str]:
        return "EVALSHA", server.cli("SCRIPT", "LOAD", self._script.source)


class LedgerWithoutHistory(Ledger):
    """The same for attempts without a place: no history is read, and no address has credit."""

    name = "ledger.lua, no history"

    def call(self, charges: Sequence[Charge]) -> Call:
        return super().call([charge._replace(place=b"") for charge in charges])


class LedgerWithHistories(Ledger):
    """The same, where every account has logged in once from another network before its second attempt."""

    name = "ledger.lua, every account with a history"

    def between(self, charges: Sequence[Charge]) -> Call:
        """Successes of before, which are not measured. They refund nothing."""
        verdict = UNHINDERED._replace(charged=0, marks=Marked.EARNS)
        away = [charge._replace(place=charge.place[::-1]) for charge in charges]
        return self.settled(away, verdict, Effect.LEARNS | Effect.EARNS)

    def settled(self, charges: Sequence[Charge], verdict: Verdict, effects: int) -> Call:
        """Successes of one batch, each with this verdict."""
        settled = [self.settlement(charge, verdict, effects) for charge in charges]
        keys = [key for keys, _ in settled for key in keys]
        return Call(keys, [*self._script.leading, *(packed for _, packed in settled)])

    def settlement(self, charge: Charge, verdict: Verdict, effects: int) -> tuple[Sequence[bytes], bytes]:
        """The keys and the operation."""
        packed = pack_settlement(charge, verdict, effects)
        return KEYS.of_families(charge, packed[FAMILIES_AT]), packed


def script_in(middleware: Path) -> str:
    """The ledger's script of a tree, in whichever folder that tree has it."""
    (source,) = middleware.rglob("ledger.lua")
    return source.read_text()


class Yardstick:
    """Three keys and one limit each, to tell a slow script from a slow machine."""

    name = "plain GCRA, three keys"
    _LIMITS = (30_000_000, 600_000_000, 60_000_000, 300_000_000, 20_000_000, 600_000_000)

    def __init__(self) -> None:
        self._source = Path(__file__).with_name("gcra.lua").read_text()

    def load(self, server: RedisServer) -> tuple[str, str]:
        return "EVALSHA", server.cli("SCRIPT", "LOAD", self._source)

    def call(self, charges: Sequence[Charge]) -> Call:
        keys = [b"bench:" + each for charge in charges for each in (charge.ip, charge.account, charge.device)]
        return Call(keys, self._LIMITS)


def stuffing(chance: random.Random, count: int) -> Iterator[Charge]:
    """`count` failing attempts: each from a network, at an account and with a secret of its own, as an IPv4 client."""
    for _ in range(count):
        network, ip, device, account = (chance.randbytes(16) for _ in range(4))
        secret, account_tag, ip_tag, pair_tag, member_tag = (chance.randbytes(4) for _ in range(5))
        yield Charge(
            network=network,
            networks=(network,),
            ip=ip,
            device=device,
            account=account,
            known_device=b"",
            token_generation=0,
            secret=secret,
            account_tag=account_tag,
            ip_tag=ip_tag,
            pair_tag=pair_tag,
            member_tag=member_tag,
            place=chance.randbytes(8),
        )


class Cost(NamedTuple):
    """Per attempt, in microseconds: inside the script, and of the whole Redis process."""

    script_us: float
    process_us: float


class Bench:
    """Measures scripts in turns on one Redis."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._client = redis.Redis(unix_socket_path=str(server.socket_path), socket_timeout=30)
        self._chance = random.Random(7)

    def cost(self, script: Script, batch: int, attempts: int) -> tuple[Cost, Cost]:
        """Cost of attempts by identities that are new, and of a second attempt by each."""
        self._client.flushall()
        charges = list(stuffing(self._chance, attempts))
        calls = [script.call(charges[at : at + batch]) for at in range(0, attempts, batch)]
        command = script.load(self._server)
        first = self._spent(command, calls, attempts)
        if isinstance(script, LedgerWithHistories):
            between = [script.between(charges[at : at + batch]) for at in range(0, attempts, batch)]
            self._spent(command, between, attempts)
        return first, self._spent(command, calls, attempts)

    def _spent(self, command: tuple[str, str], calls: Sequence[Call], attempts: int) -> Cost:
        self._client.config_resetstat()
        before = self._server.cpu_seconds()
        for call in calls:
            self._client.execute_command(*command, len(call.keys), *call.keys, *call.arguments)  # type: ignore[no-untyped-call]
        process = self._server.cpu_seconds() - before
        stats = self._client.info("commandstats")[f"cmdstat_{command[0].lower()}"]
        if stats["calls"] != len(calls) or stats["failed_calls"]:
            raise RuntimeError("not every call ran as a script")
        return Cost(stats["usec"] / attempts, process * 1e6 / attempts)

    def memory(self, identities: int) -> dict[str, Any]:
        """Bytes for each of so many accounts alone, and for each of so many identities of all kinds alike."""
        origin = next(stuffing(self._chance, 1))._replace(secret=b"", exempt=True)
        accounts = (
            origin._replace(account=each.account, ip_tag=each.ip_tag, pair_tag=each.pair_tag)
            for each in stuffing(self._chance, identities)
        )
        return {
            "identities": identities,
            "account_bytes": self._bytes(accounts) / identities,
            "any_bytes": self._bytes(stuffing(self._chance, identities // AN_ATTEMPT)) / identities,
        }

    def _bytes(self, charges: Iterator[Charge]) -> int:
        script = Ledger()
        self._client.flushall()
        command = script.load(self._server)
        before = self._client.info("memory")["used_memory"]
        while batch := list(itertools.islice(charges, BATCHES[-1])):
            call = script.call(batch)
            self._client.execute_command(*command, len(call.keys), *call.keys, *call.arguments)  # type: ignore[no-untyped-call]
        used: int = self._client.info("memory")["used_memory"] - before
        return used


def _scripts() -> tuple[Script, ...]:
    return Ledger(), LedgerWithoutHistory(), LedgerWithHistories(), LedgerBySha(), Yardstick()


def measured(bench: Bench, rounds: int, attempts: int) -> list[dict[str, Any]]:
    """Every script with every batch size, `rounds` times in turns."""
    cases = [(script, batch) for batch in BATCHES for script in _scripts()]
    costs: dict[tuple[str, int], list[tuple[Cost, Cost]]] = {(script.name, batch): [] for script, batch in cases}
    for _ in track(range(rounds), "Measuring"):
        for script, batch in cases:
            costs[script.name, batch].append(bench.cost(script, batch, attempts))
    beside = {batch: costs[Yardstick.name, batch] for batch in BATCHES}
    return [
        {"script": name, "batch": batch} | _summary(rows) | _ratios(rows, beside[batch])
        for (name, batch), rows in costs.items()
    ]


def _ratios(rows: Sequence[tuple[Cost, Cost]], beside: Sequence[tuple[Cost, Cost]]) -> dict[str, Any]:
    """Script time against the yardstick's in the same round."""
    first, again = (
        [row[place].script_us / other[place].script_us for row, other in zip(rows, beside, strict=True)]
        for place in (0, 1)
    )
    return {
        "first_to_yardstick": median_interval(first)._asdict(),
        "again_to_yardstick": median_interval(again)._asdict(),
    }


def _summary(rows: Sequence[tuple[Cost, Cost]]) -> dict[str, Any]:
    first, again = zip(*rows, strict=True)
    return {
        "first_script_us": median_interval([cost.script_us for cost in first])._asdict(),
        "again_script_us": median_interval([cost.script_us for cost in again])._asdict(),
        "first_process_us": median_interval([cost.process_us for cost in first])._asdict(),
        "again_process_us": median_interval([cost.process_us for cost in again])._asdict(),
    }


def script_table(rows: Sequence[dict[str, Any]]) -> Table:
    return screen_table(
        "Microseconds in Redis per failing attempt: median, and the script's 95% interval",
        ("script", "batch", "script: new", "again", "to yardstick: new", "again", "process: new", "again"),
        [
            (
                row["script"],
                str(row["batch"]),
                *(interval_text(row[name], ".1f") for name in ("first_script_us", "again_script_us")),
                *(f"{row[name]['median']:.2f}" for name in ("first_to_yardstick", "again_to_yardstick")),
                *(f"{row[name]['median']:.1f}" for name in ("first_process_us", "again_process_us")),
            )
            for row in rows
        ],
    )


def memory_table(rows: Sequence[dict[str, Any]]) -> Table:
    return screen_table(
        "Bytes in Redis for each identity",
        ("identities", "accounts alone", "all kinds alike"),
        [(f"{row['identities']:,}", f"{row['account_bytes']:.0f}", f"{row['any_bytes']:.0f}") for row in rows],
        left=(),
    )


def main() -> None:
    quick = arguments.parser(__doc__).parse_args().quick
    rounds, attempts = (6, 3_200) if quick else (20, 12_800)
    os.sched_setaffinity(0, {measure.LOAD_CORE})
    with RedisServer() as server:
        os.sched_setaffinity(0, {measure.SERVER_CORE})  # Redis stays where it was started
        about = measure.machine(server)
        bench = Bench(server)
        rows = measured(bench, rounds, attempts)
        sizes = IDENTITIES[:2] if quick else IDENTITIES
        memory = [bench.memory(identities) for identities in track(sizes, "Filling")]
    wide_console().print(script_table(rows), memory_table(memory))
    plan = {"rounds": rounds, "attempts": attempts}
    write_result("lua", {"machine": about, "plan": plan, "scripts": rows, "memory": memory}, quick=quick)


if __name__ == "__main__":
    main()
