"""A guard and a settler without HTTP: of the parts that `LoginGuard` has, on the benchmark's own ledger and clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.gate import Gate
from sekisho.judge.policy_choice import PolicyChoice
from sekisho.known_devices import KnownDevices
from sekisho.ledger.awaited_refunds import AwaitedRefunds
from sekisho.pipeline import Guard
from sekisho.read import Accounts, Networks
from sekisho.settler import Settler
from sekisho.wiring.given import Given
from sekisho.wiring.process import ProcessWing

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.ledger.in_flight import InFlight
    from sekisho.ledger.shed import Shed
    from sekisho.model import Ledger
    from sekisho.settings import Settings


def parts_of(found: Settings) -> ProcessWing:
    """Readers, digests, tokens, policy and leaks, as `LoginGuard` has them."""
    return ProcessWing(_nowhere, found, Accounts(), None, Given())


def guard_on(
    ledger: Ledger,
    parts: ProcessWing,
    *,
    shed: Shed,
    in_flight: InFlight,
    clock_s: Callable[[], float],
    chance: Callable[[int], bytes],
    keeps_history: bool = False,
) -> tuple[Gate, Guard, Settler]:
    """Gate, guard and settler of these parts. `clock_s`: Unix time in seconds. `chance`: `n -> n` random bytes."""
    found = parts.settings
    policies, waits = PolicyChoice(parts.policy), AwaitedRefunds(in_flight, found.limits)
    devices = KnownDevices(
        parts.tokens,
        ledger=ledger,
        digests=parts.digests,
        shed=shed,
        trust=parts.trust,
        clock_s=clock_s,
        chance=chance,
    )
    gate = Gate(devices, shed)
    gate.set_lists(Networks(found.allow) if found.allow else None, None)
    guard = Guard(
        ledger=ledger,
        digests=parts.digests,
        devices=devices,
        policies=policies,
        gate=gate,
        waits=waits,
        breaches=parts.leaks.breaches(None, parts.reading.accounts.listed),
        clock_s=clock_s,
        keeps_history=keeps_history,
    )
    settler = Settler(
        ledger=ledger,
        digests=parts.digests,
        trust=parts.trust,
        policies=policies,
        waits=waits,
        clock_s=clock_s,
        networks_max=len(found.limits.networks),
        keeps_history=keeps_history,
    )
    return gate, guard, settler


async def _nowhere(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """The application behind it: nothing here speaks HTTP."""
