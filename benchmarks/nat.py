"""What owners behind one address get: `python -m benchmarks.nat [--quick]`.

A school, an office, a carrier: so many owners behind one IPv4 address log in once each, with the right password, and do
the work where it is asked for. Counted in the memory of this process on invented time, with the settings of a service
that has set none. Writes `benchmarks/results/nat.json` and prints the table of `docs/capacity.md`.
"""

from __future__ import annotations

import asyncio
import heapq
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import arguments
from benchmarks.result import write_result
from benchmarks.tables import markdown_table
from benchmarks.without_http import guard_on, parts_of
from sekisho.ledger.in_flight import InFlight
from sekisho.ledger.memory import MemoryLedger
from sekisho.ledger.shed import Shed
from sekisho.model import Action, Attempt, Basis, DoorKind, Origin, Outcome
from sekisho.model.shown_proofs import ShownProofs
from sekisho.read import Addresses
from sekisho.settings import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from sekisho.assessment import Assessment

US = 1_000_000
START_US = 1_700_000_000 * US
OWNERS = (10, 30, 100, 300, 1_000, 3_000, 10_000)
SPANS_S = {"10 minutes": 600, "an hour": 3_600, "8 hours": 28_800}
KNOWN = {"all on new devices": 0.0, "nine in ten on known devices": 0.9}
BROWSERS = 12  # different fingerprints among them
CHECK_S = 0.25  # the application's password hash
WORK_S = 1.0  # on a phone
TRIES_MAX = 4  # of an owner who is told to wait, and comes back when told to
SETTINGS = {"SEKISHO_SECRET": "a benchmark keeps no secrets from anybody", "SEKISHO_STORE": "memory://"}


class Came(NamedTuple):
    """What became of the owners.

    Attributes:
        let_in: logged in, in the end.
        worked: did work for it.
        waited: were told to wait at least once.
    """

    owners: int
    let_in: int
    worked: int
    waited: int


class House:
    """A guard, its time, and an address in front of it."""

    def __init__(self, *, allowed: bool) -> None:
        self.now_us = START_US
        found = load(SETTINGS | ({"SEKISHO_ALLOW": "198.51.100.7/32"} if allowed else {}))
        parts = parts_of(found)
        self.door = next(door for door in found.doors if door.kind is DoorKind.LOGIN)
        self._digests = parts.digests
        self._origins = [_origin(number) for number in range(BROWSERS)]
        _, self.guard, self.settler = guard_on(
            MemoryLedger(found.limits, entries_max=found.memory_entries_max, clock_us=self.clock_us),
            parts,
            shed=Shed(self.clock_us),
            in_flight=InFlight(_nobody_waits),
            clock_s=self._clock_s,
            chance=Random(7).randbytes,
            keeps_history=found.history,
        )

    def clock_us(self) -> int:
        return self.now_us

    def _clock_s(self) -> float:
        return self.now_us / US

    async def tries(self, owner: int, token: str, receipt: bytes, *, worked: bool = False) -> Assessment:
        """One attempt of an owner; with the receipt of the question, if one was charged and work was done for it."""
        name = f"owner{owner}"
        origin = self._origins[owner % BROWSERS]
        attempt = Attempt(self.door, origin, name, name, f"right {owner}", token)
        digests = self._digests.origin_digests(origin)
        shown = ShownProofs(worked or bool(receipt), work_receipt=receipt)
        return await self.guard.assess(attempt, digests, shown=shown)


async def _nobody_waits(*_: object) -> bool:
    # Waiting for log-ins under way only helps; on invented time it would need another clock for the loop.
    return False


def _origin(browser: int) -> Origin:
    return Addresses([], device_headers=("user-agent",)).read(
        {"client": ("198.51.100.7", 1), "headers": [(b"user-agent", b"browser %d" % browser)]}
    )


async def _logs_in(house: House, owner: int, *, known: bool, came: dict[str, int]) -> AsyncIterator[float]:
    """An owner's way in; yields the seconds that pass."""
    token = house.guard.devices.proved_token("", f"owner{owner}", 0)[0] if known else ""
    receipt, has_waited, has_worked = b"", False, False
    for _ in range(TRIES_MAX):
        assessment = await house.tries(owner, token, receipt)
        asked = assessment.decision.asked
        if asked is Action.CHALLENGE:
            house.settler.put_off(assessment)
            receipt, has_worked = house.settler.work_receipt(assessment), True
            yield WORK_S
            assessment = await house.tries(owner, token, receipt, worked=True)
            asked = assessment.decision.asked
        if asked is Action.ALLOW:
            house.settler.begin(assessment)
            yield CHECK_S
            house.settler.settle(assessment, Outcome.SUCCEEDED, Basis.RULE, renewed=False)
            came["let_in"] += 1
            break
        has_waited = True
        yield assessment.decision.wait_us / US + 1
    came["waited"] += has_waited
    came["worked"] += has_worked


async def come(owners: int, span_s: int, *, known: float, allowed: bool, seed: int = 1) -> Came:
    """So many owners, each at some time within `span_s` seconds; of `known` the share on devices that are known."""
    house, chance, came = House(allowed=allowed), Random(seed), {"let_in": 0, "worked": 0, "waited": 0}
    due = [(START_US + int(chance.random() * span_s * US), number) for number in range(owners)]
    heapq.heapify(due)
    under_way = [_logs_in(house, number, known=chance.random() < known, came=came) for number in range(owners)]
    while due:
        house.now_us, number = heapq.heappop(due)
        seconds = await anext(under_way[number], None)
        if seconds is not None:
            heapq.heappush(due, (house.now_us + int(seconds * US), number))
    return Came(owners=owners, **came)


async def measured(*, quick: bool) -> list[dict[str, Any]]:
    """Each span and kind of house, for each number of owners."""
    sizes = OWNERS[:4] if quick else OWNERS
    houses = [*[(kind, known, False) for kind, known in KNOWN.items()], ("the address in `SEKISHO_ALLOW`", 0.0, True)]
    return [
        {
            "house": kind,
            "within": span,
            "came": [(await come(size, span_s, known=known, allowed=allowed))._asdict() for size in sizes],
        }
        for kind, known, allowed in houses
        for span, span_s in SPANS_S.items()
    ]


def nat_table(found: Mapping[str, Any]) -> list[str]:
    """How many of a hundred were let in; in brackets, how many were told to wait at least once."""
    sizes = [came["owners"] for came in found["rows"][0]["came"]]
    rows = [
        (f"{row['house']}, within {row['within']}", *[_said(Came(**came)) for came in row["came"]])
        for row in found["rows"]
    ]
    return [*markdown_table(("", *(f"{size:,} owners" for size in sizes)), rows)]


def _said(came: Came) -> str:
    let_in, waited = (round(100 * part / came.owners) for part in (came.let_in, came.waited))
    return f"{let_in}% ({waited}%)"


def main() -> None:
    options = arguments.parser(__doc__, quick="as far as 300 owners").parse_args()
    rows = asyncio.run(measured(quick=options.quick))
    found = write_result("nat", {"rows": rows}, quick=options.quick)
    print("\n".join(nat_table(found)))


if __name__ == "__main__":
    main()
