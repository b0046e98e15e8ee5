"""Clear the counters and waits of an account, an address or a device, so that its owner gets in.

  sekisho unblock account - --because "called, and named her last order"
  sekisho unblock address 203.0.113.7
  sekisho unblock device 203.0.113.7 --header "User-Agent: Mozilla/5.0 (…)"

Look first (`sekisho look`), and identify the owner who asks: an attacker's guesses are counted from zero again.
It acts once. Counters in the store are cleared at once; every worker forgets its own refusals within a second, ends
the step-ups under way for the account, and records an event with your name and reason. Networks, and for a device its
address, are cleared as well where they refuse, and the address leaves the feed (`sekisho feed`). The account's devices
stay known. Limits of the day begin anew as well: guesses at codes and links of an account, sign-ups and links of a
network and a device.

Not cleared: the deny list (`sekisho deny … --remove`), wrong codes of factors, and what `sekisho look` does not show.

Exit code: 0 if it is cleared, 1 if not, 2 if the command line is wrong.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, NamedTuple

from sekisho.cli import target
from sekisho.cli.operator import add_because, desk, reason
from sekisho.cli.standing import Party, standing_of
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
        found = target.target(args, service.settings)
        await service.warn()
        await service.ensure_followed()
        before = await standing_of(service, found)
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
        return Cleared(before, await standing_of(service, found))


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
    places = sorted(row.place for row in before.rows if row.worst is not None or row.party is named)
    await service.counters.clear_network(charge, places)
    # What `look` does not show: sign-ups and links of the day, of the narrowest network and of the device.
    return tuple(digests[place] for place in places), (charge.networks[0], charge.device)


def _as_text(cleared: Cleared) -> list[str]:
    lines = [f"before: {reason.text}" for reason in cleared.before.reasons] or ["before: not refused"]
    lines += [f"now: {reason.text}" for reason in cleared.after.reasons] or ["now: not refused"]
    return [*lines, "every worker follows within a second"]


def _as_json(cleared: Cleared) -> dict[str, object]:
    return {
        "kind": cleared.before.kind,
        "before": [reason.text for reason in cleared.before.reasons],
        "now": [reason.text for reason in cleared.after.reasons],
    }
