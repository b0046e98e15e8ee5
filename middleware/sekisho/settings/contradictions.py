"""What contradicts itself among settings that are valid one by one; those of step-ups are in `settings.step_up`.

They stay here and not in the rooms: `load` returns no settings that contradict each other.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from sekisho.model import DoorKind, SettingsError
from sekisho.settings import table
from sekisho.settings.audit import AuditIdentity, AuditKind
from sekisho.settings.doors import (
    SAME_ROUTE,
    TWO_CHARSETS,
    TWO_TENANCIES,
    other_tenancy,
    two_charsets_at_one_path,
    two_doors_for_one_request,
)
from sekisho.settings.store import MEMORY
from sekisho.settings.table import DOOR_SETTINGS, PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.settings.step_up import Understood
    from sekisho.settings.values import Settings

ATTEMPTED: Final = frozenset(DoorKind) - {DoorKind.LOGOUT}


def conflicts_of(settings: Settings, understood: Understood) -> Iterator[SettingsError]:
    """Yield an error for each conflict between settings that are valid one by one.

    `understood`: returns whether the settings of all the names that it is given were valid.
    """
    alone = settings.store == MEMORY and understood(table.STORE.name)
    if alone and settings.workers is not None and settings.workers > 1:
        problem = "several processes cannot count together in memory://; set SEKISHO_STORE to a Redis they share"
        yield SettingsError(table.WORKERS.variable, problem)
    if settings.control_socket:
        yield from _contradictions_of_control(has_store=not alone and understood(table.STORE.name))
    if settings.feed:
        yield from _contradictions_of_feed(settings, alone=alone)
    if settings.pairs and not settings.pairs_key and understood(table.PAIRS_KEY.name):
        yield SettingsError(table.PAIRS_KEY.variable, "is not set, and SEKISHO_PAIRS can only be read with its key")
    if understood(table.METRICS_TOKEN.name):
        yield from _contradictions_of_metrics(settings)
    if settings.pairs_key and settings.pairs_key in settings.secrets:
        problem = "is SEKISHO_SECRET as well; pairs want a key of their own, which other services may share"
        yield SettingsError(table.PAIRS_KEY.variable, problem)
    if understood(table.AUDIT.name, table.AUDIT_RECIPIENT.name, table.AUDIT_CHECKPOINTS.name, table.STORE.name):
        yield from _contradictions_of_audit(settings)
    trusts = settings.trusted_proxies or settings.trust_unix or not understood(table.TRUSTED_PROXIES.name)
    if settings.exposed_header and not trusts:
        problem = "is believed from trusted proxies alone, and SEKISHO_TRUSTED_PROXIES names none"
        yield SettingsError(table.EXPOSED_HEADER.variable, problem)
    if understood(table.MOUNT.name, *(setting.name for setting in DOOR_SETTINGS)):
        yield from _contradictions_of_doors(settings)


def _contradictions_of_control(*, has_store: bool) -> Iterator[SettingsError]:
    if has_store:
        problem = "is for memory:// alone; with SEKISHO_STORE the record is kept there, for all workers"
        yield SettingsError(table.CONTROL_SOCKET.variable, problem)
    if not hasattr(socket, "AF_UNIX"):
        yield SettingsError(table.CONTROL_SOCKET.variable, "is a Unix socket, and Python has none on this system")


def _contradictions_of_metrics(settings: Settings) -> Iterator[SettingsError]:
    if settings.metrics_token and settings.metrics_token in settings.secrets:
        # Prometheus keeps its token in a file of its own, which more people read than the service's secret.
        yield SettingsError(table.METRICS_TOKEN.variable, "is SEKISHO_SECRET as well; it wants a token of its own")
    if settings.metrics_listen and not settings.metrics_token:
        # Loopback too is open to the machine's other users, and to requests that the application is tricked into.
        problem = "is not set, and SEKISHO_METRICS_LISTEN answers to nothing else"
        yield SettingsError(table.METRICS_TOKEN.variable, problem)


def _contradictions_of_feed(settings: Settings, *, alone: bool) -> Iterator[SettingsError]:
    if alone:
        yield SettingsError(table.FEED.variable, "wants a Redis, and SEKISHO_STORE names none")
    if not settings.history:
        problem = "needs SEKISHO_HISTORY=on, which tells the addresses that many owners share"
        yield SettingsError(table.FEED.variable, problem)


def _contradictions_of_audit(settings: Settings) -> Iterator[SettingsError]:
    for setting, found in ((table.AUDIT, settings.audit), (table.AUDIT_CHECKPOINTS, settings.audit_checkpoints)):
        if found is not None and found.kind is AuditKind.REDIS and settings.store == MEMORY:
            yield SettingsError(setting.variable, "wants a Redis, and SEKISHO_STORE names none")
    if settings.audit_identity is AuditIdentity.SEALED and not settings.audit_recipient:
        problem = "is not set, and SEKISHO_AUDIT_IDENTITY=sealed seals names for it; `sekisho audit key FILE` makes one"
        yield SettingsError(table.AUDIT_RECIPIENT.variable, problem)


def _contradictions_of_doors(settings: Settings) -> Iterator[SettingsError]:
    if not any(door.kind in ATTEMPTED for door in settings.doors):
        # A guard without a door lets every guess pass, and looks as if it guarded.
        problem = "is none, and no other setting names a door; to switch the guard off, set SEKISHO_MODE=off"
        yield SettingsError(table.LOGIN.variable, problem)
    if second := two_doors_for_one_request(settings.doors):
        yield SettingsError(PREFIX + second.kind.name, SAME_ROUTE)
    if second := two_charsets_at_one_path(settings.doors):
        yield SettingsError(PREFIX + second.kind.name, TWO_CHARSETS)
    if second := other_tenancy(settings.doors):
        yield SettingsError(PREFIX + second.kind.name, TWO_TENANCIES)
    if any(door.path == settings.mount or door.path.startswith(settings.mount + "/") for door in settings.doors):
        yield SettingsError(table.MOUNT.variable, "a door's path lies below it; sekisho's own pages would hide it")
