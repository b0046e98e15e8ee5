"""Three ways to count: the reference, the script, and its parts as a Cluster asks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sekisho.ledger import arithmetic as ledger
from sekisho.ledger.redis import pack_charge, pack_settlement
from sekisho.model import Effect, Limit, LimitSet
from tests.ledger.charges import DAY, HOUR, MINUTE, SECOND, T0, charge
from tests.ledger.stores import KEYS, WIDE, LuaLedger, PartedLedger

if TYPE_CHECKING:
    from sekisho.ledger.records import Record
    from sekisho.model import Charge, Verdict
    from tests.servers import RedisServer

LIMITS = LimitSet(
    ip=(Limit(6, 10 * MINUTE),),
    networks=WIDE.networks,
    device=WIDE.device,
    account=(Limit(5, 5 * MINUTE),),
    known_device=(Limit(10, HOUR),),
)
CROWD = 1_000


class Counts(Protocol):
    """One way to count."""

    def charge(self, now_us: int, each: Charge) -> Verdict: ...

    def succeed(
        self, now_us: int, each: Charge, verdict: Verdict, *, learns: bool = True, earns: bool = True
    ) -> None: ...


def effects(learns: bool, earns: bool) -> int:
    return (Effect.LEARNS if learns else 0) | (Effect.EARNS if earns else 0)


class Reference:
    def __init__(self) -> None:
        self.book: dict[bytes, Record] = {}

    def charge(self, now_us: int, each: Charge) -> Verdict:
        return ledger.apply(self.book, each, LIMITS, now_us)

    def succeed(self, now_us: int, each: Charge, verdict: Verdict, *, learns: bool = True, earns: bool = True) -> None:
        ledger.undo(self.book, each, verdict, LIMITS, now_us, effects(learns, earns))


class Lua:
    def __init__(self, server: RedisServer) -> None:
        self.lua = LuaLedger(server, LIMITS)

    def charge(self, now_us: int, each: Charge) -> Verdict:
        return self.lua.run(now_us, [(each, pack_charge(each))])[0]

    def succeed(self, now_us: int, each: Charge, verdict: Verdict, *, learns: bool = True, earns: bool = True) -> None:
        packed = pack_settlement(each, verdict, effects(learns, earns))
        self.lua.call(now_us, [(KEYS.of_families(each, packed[2]), packed)])


class Parts:
    def __init__(self, server: RedisServer) -> None:
        self.parted = PartedLedger(LuaLedger(server, LIMITS, db=1))

    def charge(self, now_us: int, each: Charge) -> Verdict:
        return self.parted.charge(now_us, each)

    def succeed(self, now_us: int, each: Charge, verdict: Verdict, *, learns: bool = True, earns: bool = True) -> None:
        self.parted.settle(now_us, each, verdict, effects(learns, earns))


def log_in(counts: Counts, now_us: int, each: Charge, *, learns: bool = True, earns: bool = True) -> Verdict:
    verdict = counts.charge(now_us, each)
    counts.succeed(now_us + SECOND, each, verdict, learns=learns, earns=earns)
    return verdict


def crowd(counts: Counts, owners: int, *, ip: int = 0, days: int = 2) -> int:
    """Owners who log in from one address on so many days, two minutes apart; the time after. They earn from day two."""
    now_us = T0
    for day in range(days):
        for number in range(owners):
            now_us = T0 + day * (DAY + HOUR) + number * 2 * MINUTE
            log_in(counts, now_us, charge(CROWD + number, 0, ip=ip, place=0), earns=day > 0)
    return now_us
