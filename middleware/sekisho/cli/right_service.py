"""Warns an operator whose command runs with another secret or namespace than the service: it would reach no worker."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from redis.exceptions import ResponseError

from sekisho.control.beacon import BeaconMac, Seen, ServiceBeacon, namespaces
from sekisho.ledger.worker_sync import SyncKeys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.settings import Settings
    from sekisho.store import AnyStoreConnection

UNBELIEVED: Final = (
    "the service at this SEKISHO_STORE and SEKISHO_NAMESPACE has another secret, and no worker believes this command: "
    "set SEKISHO_SECRET to that of the service\n"
)


async def warn_of_other_service(settings: Settings, line: AnyStoreConnection) -> bool:
    """Write a line to standard error where another service than this command's is on the store.

    Workers of earlier versions leave no mark; a control record, and their exchange while they run, show them. Returns
    whether the service has another secret, so that its workers would not follow. Raises `StoreUnavailable`.
    """
    # What the store forbids is said by the command itself, which needs more rights than this.
    with suppress(ResponseError):
        seen = await _seen(settings, line)
        if seen is Seen.FOREIGN:
            sys.stderr.write(UNBELIEVED)
            return True
        if seen is Seen.NONE and not await _was_used(settings.namespace, line):
            sys.stderr.write(other_namespace(settings.namespace, await namespaces(line)))
    return False


async def _seen(settings: Settings, line: AnyStoreConnection) -> Seen:
    mac = BeaconMac(settings.listed, settings.namespace)
    return await ServiceBeacon(line, settings.namespace, mac).seen()


async def _was_used(namespace: str, line: AnyStoreConnection) -> bool:
    if await line.execute(b"GET", f"{namespace}:{{control}}".encode()):
        return True
    return bool(await line.execute(b"ZCARD", SyncKeys.of(namespace).workers))


def other_namespace(namespace: str, found: Sequence[str]) -> str:
    """The line for a namespace that no service has used; empty where the store has no others."""
    if not found:
        return ""
    return (
        f"no service has run at this SEKISHO_STORE under SEKISHO_NAMESPACE={namespace}: "
        f"set SEKISHO_NAMESPACE to that of the service, which is among: {', '.join(found)}\n"
    )
