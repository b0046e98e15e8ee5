"""What a flood of invented names leaves in Redis over a day: `python -m benchmarks.names [--base COMMIT] [--quick]`.

An hour of 10,000 attempts a second, each with a name and a secret that nobody has seen, and a day of a million owners'
first log-ins, at a 64th: as many fewer attempts on as many fewer buckets, so that each bucket holds what it would. The
script is told an invented time, and keys leave when that has passed their end. In turns: the script of COMMIT, this
one, and this one with a budget of a gigabyte.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import redis
from rich.progress import track

from benchmarks import arguments, measure
from benchmarks.beside import exported
from benchmarks.lua import script_in, stuffing
from benchmarks.result import write_result
from benchmarks.tables import screen_table, wide_console
from sekisho.ledger.inlined import inlined
from sekisho.ledger.redis import Keys, pack_charge, pack_limits
from sekisho.settings import load
from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from sekisho.model import Charge

BASE = "97295b2"
SCALE, QUICK_SCALE = 64, 512
BUCKETS = 2**18
RATE, OWNERS_A_DAY = 10_000, 1_000_000
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
BATCH = 64
BUDGET_BYTES = 10**9
T0_US = 1_700_000_000_000_000
LIFE, LIFE_SINCE_T0 = "ceil((last - now) / 1000)", f"ceil((last - {T0_US}) / 1000)"
SHOWN_H = (1, 2, 13, 25, 26, 30, 48)

# Redis runs on the real clock, in which all of this takes a minute: so keys are given their ends as times since the
# beginning, and leave by our hand.
PASS = """
local cursor = '0'
repeat
  local found = redis.call('SCAN', cursor, 'COUNT', 1000)
  cursor = found[1]
  for _, key in ipairs(found[2]) do
    if redis.call('PTTL', key) <= tonumber(ARGV[1]) then redis.call('DEL', key) end
  end
until cursor == '0'
"""


class Step(NamedTuple):
    """Attributes:
    at_s: by the invented clock.
    charges: the attempts at that time.
    """

    at_s: int
    charges: Sequence[Charge]


def steps(scale: int) -> Iterator[Step]:
    """An hour of flood, minute by minute, and owners from then on, every half an hour."""
    chance = random.Random(13)
    for at_s in range(0, HOUR_S, MINUTE_S):
        yield Step(at_s, list(_attempts(chance, RATE * MINUTE_S / scale, scale)))
    for at_s in range(HOUR_S, 2 * DAY_S + 1, HOUR_S // 2):
        yield Step(at_s, list(_attempts(chance, OWNERS_A_DAY / 48 / scale, scale)))


def _attempts(chance: random.Random, count: float, scale: int) -> Iterator[Charge]:
    """All from addresses that are not counted: of those an attacker has only so many."""
    for each in stuffing(chance, round(count)):
        bucket = chance.randrange(BUCKETS // scale)
        place = (bucket >> 2).to_bytes(2) + bytes([(bucket & 3) << 6 | each.account[2] & 0x3F])
        origin = {"network": bytes(16), "networks": (bytes(16),), "ip": bytes(16), "device": bytes(16)}
        yield each._replace(account=place + each.account[3:], exempt=True, **origin)


class Store:
    """A Redis with one version of the script."""

    def __init__(self, server: RedisServer, source: str, budget_bytes: float) -> None:
        if source.count(LIFE) != 1:
            raise SystemExit("a script that reckons lives in another way")
        self._client = redis.Redis(unix_socket_path=str(server.socket_path), socket_timeout=60)
        self._script = str(self._client.script_load(inlined(source).replace(LIFE, LIFE_SINCE_T0)))
        self._keys = Keys("bench").of
        self._limits = pack_limits(load({}, ephemeral_secret=bytes(32)).limits)
        self._budget_bytes = budget_bytes
        self._empty = self._used()

    def charge_step(self, step: Step) -> int:
        """Charge its attempts. Returns how many bytes are held then."""
        if step.at_s >= HOUR_S and step.at_s % HOUR_S == 0:
            self._client.eval(PASS, 0, step.at_s * 1_000)
        now_us = T0_US + step.at_s * 1_000_000
        over = self._budget_bytes and self.held() > self._budget_bytes
        for at in range(0, len(step.charges), BATCH):
            batch = step.charges[at : at + BATCH]
            keys = [key for each in batch for key in self._keys(each)]
            packed = [pack_charge(each) for each in batch]
            told = -now_us if over else now_us
            self._client.execute_command("EVALSHA", self._script, len(keys), *keys, self._limits, told, *packed)  # type: ignore[no-untyped-call]
        return self.held()

    def held(self) -> int:
        return self._used() - self._empty

    def _used(self) -> int:
        return int(self._client.info("memory")["used_memory"])


def day(source: str, budget_bytes: int, scale: int) -> dict[str, Any]:
    """Megabytes of the whole, by hours since the flood began, and bytes a name when it ends."""
    with RedisServer() as server:
        store = Store(server, source, budget_bytes / scale)
        held = dict[int, int]()
        for step in steps(scale):
            # Looked at before the hour's own attempts: what the flood has left.
            held[step.at_s] = store.charge_step(step)
    return {
        "megabytes": {hour: held[hour * HOUR_S] * scale / 1e6 for hour in SHOWN_H},
        "most": max(held.values()) * scale / 1e6,
        "bytes_a_name": held[HOUR_S - MINUTE_S] * scale / RATE / HOUR_S,
    }


def name_table(found: dict[str, dict[str, Any]]) -> Table:
    return screen_table(
        "Megabytes held, of the whole",
        ("script", "bytes a name", "most", *(f"{hour} h" for hour in SHOWN_H)),
        [
            (name, *(f"{held:,.0f}" for held in (one["bytes_a_name"], one["most"], *one["megabytes"].values())))
            for name, one in found.items()
        ],
    )


def main() -> None:
    parser = arguments.parser(__doc__, quick="at a 512th")
    arguments.add_base(parser, BASE)
    options = parser.parse_args()
    scale = QUICK_SCALE if options.quick else SCALE
    about = {"machine": measure.machine(), "scale": scale, "budget_bytes": BUDGET_BYTES}
    here = script_in(Path(__file__).parents[1] / "middleware")
    with tempfile.TemporaryDirectory() as folder:
        base = script_in(exported(options.base, Path(folder)))
    contenders = {options.base: (base, 0), "here": (here, 0), "here, with a budget": (here, BUDGET_BYTES)}
    found = {name: day(*one, scale) for name, one in track(contenders.items(), "Two days each")}
    wide_console().print(name_table(found))
    write_result("names", about | {"stores": found}, quick=options.quick)


if __name__ == "__main__":
    main()
