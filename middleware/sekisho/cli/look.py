"""Say how an account, an address or a device stands: counters, waits, why it is refused, and what ends it.

  sekisho look account -                        the account is typed, or comes as a line of standard input
  sekisho look account - --address 203.0.113.7  and the address from which its owner logs in
  sekisho look address 203.0.113.7
  sekisho look device 203.0.113.7 --header "User-Agent: Mozilla/5.0 (…)"

It changes nothing, and prints no secret. A success gives its attempt back, so counters hold attempts without success.
A device is a set of header values (SEKISHO_DEVICE_HEADERS) within its network; give those that it sends.
The address of a trusted proxy is named as one: its clients are counted at the addresses that it writes.

Not shown: what a worker counts by itself while the store does not answer; wrong codes of factors (they end within an
hour, and those of an authenticator app with `sekisho owners reset`); codes that a browser has asked for itself; that a
password has leaked, or is tried at many accounts.
Where LoginGuard has a resolver, give its id with --id; where it has a mail policy, type the address as folded by it.

Exit code: 0 if it could be looked up, refused or not; 1 if not; 2 if the command line is wrong.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from sekisho.cli import target
from sekisho.cli.counter_rows import Party
from sekisho.cli.operator import desk
from sekisho.cli.reasons import period_text
from sekisho.cli.standing import lines_of, reasons_json, standing_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from sekisho.cli.standing import Standing

__all__ = ["arguments", "as_json", "run"]

_HINTS = {
    "address": " Its devices are counted apart: `sekisho look device`.",
    "account": " The address of its owner may be: look at both with --address.",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    target.arguments(parser)


def run(args: argparse.Namespace) -> int:
    standing = asyncio.run(_run(args))
    print(json.dumps(as_json(standing)) if args.json else "\n".join(_as_text(standing)))
    return 0


async def _run(args: argparse.Namespace) -> Standing:
    async with desk() as service:
        found = target.targets(args, service.settings)
        await service.warn()
        return await standing_of(service, found)


def _as_text(standing: Standing) -> Iterator[str]:
    if standing.proxy:
        yield standing.proxy
    if all(reason.of_all for reason in standing.reasons):
        what = "account and address" if standing.has_both else standing.kind
        hint = "" if standing.has_both else _HINTS.get(standing.kind, "")
        yield f"Not refused: no limit of this {what} is used up.{hint}"
    yield from lines_of(standing)
    yield ""
    for row in standing.rows:
        used = "; ".join(f"{use.used} of {use.burst} in {_each(use.period_us)}" for use in row.limits)
        yield f"  failed attempts {row.of}: {used}"
        if row.failures:
            yield f"    since the last proof: {row.failures}"
        if row.seen:
            others = "addresses" if row.party is Party.ACCOUNT else "accounts"
            yield f"    different {others} in the last hour: {row.seen}"


def _each(period_us: int) -> str:
    """`an hour`, `10 minutes`."""
    period = period_text(period_us)
    return period if period[0].isdigit() else f"an {period}" if period == "hour" else f"a {period}"


def as_json(standing: Standing) -> dict[str, Any]:
    """A standing as `sekisho look --json` prints it."""
    waits = [reason.wait_us for reason in standing.reasons if reason.refuses]
    return {
        "kind": standing.kind,
        "mode": standing.mode.value,
        "refused": standing.is_refused,
        "wait_s": -(-max(waits, default=0) // 1_000_000),
        "why": reasons_json(standing),
        "proxy": standing.proxy,
        "counters": [
            {
                "of": row.of,
                "limits": [
                    {
                        "burst": use.burst,
                        "period_s": use.period_us // 1_000_000,
                        "used": use.used,
                        "wait_s": -(-use.wait_us // 1_000_000),
                    }
                    for use in row.limits
                ],
                "seen": row.seen,
                "failures": row.failures,
            }
            for row in standing.rows
        ],
    }
