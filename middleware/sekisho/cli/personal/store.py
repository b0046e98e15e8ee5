"""Reads and removes what the store keeps of one account."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sekisho.cli import target
from sekisho.cli.personal.counters import counter_json, devices_json, history_json, is_empty
from sekisho.ledger.daily import day_of, guess_key, message_key
from sekisho.store.redis_vault import RedisVault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.cli.operator import Desk
    from sekisho.cli.target import Target
    from sekisho.ledger.counters import NamedCounter
    from sekisho.store import AnyStoreConnection


async def counters(service: Desk, found: Target) -> dict[str, Any]:
    """Read an account's counters, known devices and history of successes, as JSON values. Raises `StoreUnavailable`."""
    counted, buckets = [], list[Any]()
    for counter in target.account_counters(found, service.settings):
        now_us, (record,) = await service.counters.of_account(counter.charge)
        if not is_empty(record):
            counted.append(counter_json(counter, record, service.settings.limits.account, now_us))
        buckets += record.buckets
    return {"counters": counted, "devices": devices_json(buckets), "history": history_json(buckets)}


async def forget_counters(service: Desk, counted: Sequence[NamedCounter]) -> None:
    """Remove an account's counters and history; its devices stay known. Raises `StoreUnavailable`."""
    for counter in counted:
        await service.counters.forget_account(counter.charge)


async def guesses(line: AnyStoreConnection, namespace: str, counted: Sequence[NamedCounter]) -> dict[str, int]:
    """How often codes of the account were guessed today: `asked`, by browsers that asked for the code; `others`. And
    how many messages to its owner were asked for within an hour.

    Raises `StoreUnavailable`.
    """
    vault = RedisVault(line, namespace)
    messages = [int(await vault.get(message_key(counter.digest)) or 0) for counter in counted]
    found = {"asked": 0, "others": 0, "messages": sum(messages)}
    for asked, name in ((True, "asked"), (False, "others")):
        for key in _guess_keys(counted, asked=asked):
            found[name] += int(await vault.get(key) or 0)
    return found


async def forget_guesses(line: AnyStoreConnection, namespace: str, counted: Sequence[NamedCounter]) -> None:
    """Remove today's guesses at codes of these counters, and counts of messages. Raises `StoreUnavailable`."""
    vault = RedisVault(line, namespace)
    for counter in counted:
        await vault.forget(message_key(counter.digest))
    for asked in (True, False):
        for key in _guess_keys(counted, asked=asked):
            await vault.forget(key)


def _guess_keys(counted: Sequence[NamedCounter], *, asked: bool) -> list[bytes]:
    day = day_of(time.time())
    return [guess_key(counter.digest, day, asked=asked) for counter in counted]
