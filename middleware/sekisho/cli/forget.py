"""Remove everything that is stored about one account, and say what stays and why (APPI article 35, GDPR article 17).

  sekisho forget - --because "the owner closed the account"
  sekisho forget hana --owner-id 4711 --yes      an account that the service has deleted

Print it first (`sekisho export`). It shows what it will remove and asks, unless you give --yes. Then it removes
counters, history, counts of codes and letters, sums at caps, and in the database of owners the factors, a pending
reset, addresses, log-ins and notices. Step-ups under way end within a second. It can be repeated.

An owner without factors logs in with the password alone until a new factor is enrolled: where the account goes on,
identify the owner first. For an attacker it is the best way around a factor.

Every worker records the act as an event, with your name and reason; the event names the account by a digest.

Exit code: 0 if it is removed; 1 if not, or not all, or if you do not confirm; 2 if the command line is wrong.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho.cli import asking
from sekisho.cli.operator import NotConfirmed, add_because, desk, reason
from sekisho.cli.personal.everything import found
from sekisho.cli.personal.parts import STAYS, STORED
from sekisho.cli.target import account_arguments

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

__all__ = ["arguments", "interrupted", "run"]


class Forgotten(NamedTuple):
    """How many entries of each part were there, and the parts that could not be looked at."""

    removed: Mapping[str, int]
    not_read: list[str]


def arguments(parser: argparse.ArgumentParser) -> None:
    account_arguments(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    add_because(parser)


def run(args: argparse.Namespace) -> int:
    done = asyncio.run(_run(args, reason(args.because)))
    print(json.dumps(_as_json(done)) if args.json else "\n".join(_as_text(done)))
    return 0


def interrupted(_: argparse.Namespace) -> str:
    return "the account may be removed in part; run it again"


async def _run(args: argparse.Namespace, why: str) -> Forgotten:
    async with desk() as service, found(service, args, changes=True) as account:
        stored = await account.read()
        done = Forgotten(_counted(stored), [part for part in STORED if part not in stored])
        if not args.yes and not asking.confirmed(f"Remove {_sum(done)}?"):
            raise NotConfirmed("nothing was removed: it was not confirmed")
        await account.forget(why)
        return done


def _counted(stored: Mapping[str, Any]) -> dict[str, int]:
    return {part: _size(part, stored[part]) for part in STORED if part in stored}


def _size(part: str, entries: Any) -> int:
    if part == "devices":  # tokens that were replaced or ended stay: see `spent_tokens`
        return sum(not one.get("since") for one in entries)
    if part in {"guesses", "step_up_counts"}:
        return sum(entries.values())
    return int(entries is not None) if part in {"reset", "history"} else len(entries)


def _sum(done: Forgotten) -> str:
    """`2 counters, 1 history and 3 factors`."""
    named = [f"{number} {part.replace('_', ' ')}" for part, number in done.removed.items() if number]
    return " and ".join(filter(None, (", ".join(named[:-1]), *named[-1:]))) or "nothing (nothing is stored)"


def _as_text(done: Forgotten) -> list[str]:
    lines = [f"removed: {number} of {STORED[part]}" for part, number in done.removed.items() if number]
    lines = lines or ["removed: nothing was stored"]
    lines += [f"not looked at: {STORED[part]}" for part in done.not_read]
    lines += [f"stays: {one.part.replace('_', ' ')}: {one.why} (until: {one.until})" for one in STAYS]
    return [*lines, "every worker follows within a second"]


def _as_json(done: Forgotten) -> dict[str, Any]:
    return {
        "removed": dict(done.removed),
        "not_read": done.not_read,
        "stays": [staying._asdict() for staying in STAYS],
    }
