"""Clear the counters and waits of an account, an address or a device, so that its owner gets in.

  sekisho unblock account - --because "called, and named her last order"
  sekisho unblock account - --address 203.0.113.7    and the address from which she logs in
  sekisho unblock address 203.0.113.7
  sekisho unblock device 203.0.113.7 --header "User-Agent: Mozilla/5.0 (…)"

Look first (`sekisho look`), and identify the owner who asks: an attacker's guesses are counted from zero again.
It acts once. Counters in the store are cleared at once; every worker forgets its own refusals within a second, ends
the step-ups under way for the account, and records an event with your name and reason. Networks, and for a device its
address, are cleared as well where they refuse, and the address leaves the feed (`sekisho feed`). The account's devices
stay known. Limits of the day begin anew as well: guesses at codes and links of an account, sign-ups and links of a
network and a device.

Not cleared: the deny list, the posture, what an operator asks of the account, wrong codes of factors, and what `sekisho
look` does not show. What still refuses or asks is printed, each with the command that ends it.

Exit code: 0 if it is cleared, 1 if not, 2 if the command line is wrong.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, NamedTuple

from sekisho.cli import target
from sekisho.cli.counter_rows import Party
from sekisho.cli.operator import add_because, desk, reason
from sekisho.cli.standing import lines_of, reasons_json, standing_of
from sekisho.control import Act

if TYPE_CHECKING:
    import argparse

    from sekisho.cli.operator import Desk
    from sekisho.cli.standing import Standing
    from sekisho.cli.target import Target

__all__ = ["arguments", "interrupted", "run"]


class Cleared(NamedTuple):
    """How it stood before, and how it stands now, apart from what each worker remembers for up to a second."""

    before: Standing
    after: Standing


def arguments(parser: argparse.ArgumentParser) -> None:
    target.arguments(parser)
    add_because(parser)


def run(args: argparse.Namespace) -> int:
    cleared = asyncio.run(_run(args, reason(args.because)))
    print(json.dumps(_as_json(cleared)) if args.json else "\n".join(_as_text(cleared)))
    return 0


def interrupted(_: argparse.Namespace) -> str:
    return "counters may be cleared in part; run it again"


async def _run(args: argparse.Namespace, why: str) -> Cleared:
    async with desk() as service:
        found = target.targets(args, service.settings)
        await service.warn(changes=True)
        before = await standing_of(service, found)
        for each in found:
            await _unblock(service, each, before, why)
        return Cleared(before, await standing_of(service, found))


async def _unblock(service: Desk, found: Target, before: Standing, why: str) -> None:
    clear = _clear_account if found.kind == "account" else _clear_address
    digests, days = await clear(service, found, before)
    # Cleared first: a worker that forgets a refusal earlier would hear of it again.
    subject = found.subject
    act = Act(
        0, 0, "unblock", found.kind, why=why, digests=digests,
        account=subject.account, address=subject.address, device=subject.device, days=days,
    )  # fmt: skip
    await service.do(act, lambda record: record)
    if service.earlier is not None:
        await service.earlier.unblock(digests)
    if service.feed is not None and found.kind != "account":
        await service.feed.release(found.origin.prefixes[0])


Digests = tuple[bytes, ...]


async def _clear_account(service: Desk, found: Target, _: Standing) -> tuple[Digests, Digests]:
    counters = target.account_counters(found, service.settings)
    for counter in counters:
        await service.counters.clear_account(counter.charge)
    return tuple(counter.digest for counter in counters), ()


async def _clear_address(service: Desk, found: Target, before: Standing) -> tuple[Digests, Digests]:
    charge = target.network_charge(found, service.settings)
    digests = [*charge.networks, charge.ip, charge.device]
    named = Party(found.kind)
    rows = [row for row in before.rows if row.place >= 0]
    places = sorted(row.place for row in rows if row.worst is not None or row.is_spread or row.party is named)
    await service.counters.clear_network(charge, places)
    # What `look` does not show: sign-ups and links of the day, of the narrowest network and of the device.
    return tuple(digests[place] for place in places), (charge.networks[0], charge.device)


def _as_text(cleared: Cleared) -> list[str]:
    lines = [f"before: {reason.text}" for reason in cleared.before.reasons] or ["before: not refused"]
    lines += list(lines_of(cleared.after, "now: ")) or ["now: not refused"]
    return [*lines, "every worker follows within a second"]


def _as_json(cleared: Cleared) -> dict[str, object]:
    return {
        "kind": cleared.before.kind,
        "mode": cleared.after.mode.value,
        "before": reasons_json(cleared.before),
        "now": reasons_json(cleared.after),
    }
