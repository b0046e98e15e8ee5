"""Owners in memory: for tests, demos, and services of one process that keep their users in memory too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.owners.port import (
    ENROLMENTS_MAX,
    RESET_DELAY_S,
    Enrolment,
    EnrolmentsFull,
    Held,
    Reset,
    holdable,
    usable_id,
    usable_sealed,
)
from sekisho.read.names import ACCOUNT_CHARS_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from sekisho.owners.port import Contact

HELD_MAX = 100_000  # in total; a service with more needs a database


class MemoryOwners:
    """An `Owners` without persistence.

    Args:
        contacts: by account exactly as the application reads it; read at every call, so it may change.
    """

    def __init__(self, contacts: Mapping[str, Contact]) -> None:
        self._contacts = contacts
        self._held: dict[str, Held] = {}
        self._resets: dict[str, Reset] = {}
        self._addresses: dict[str, bytes] = {}

    async def contact(self, account: str) -> Contact | None:
        return self._contacts.get(account) if holdable(account, chars_max=ACCOUNT_CHARS_MAX) else None

    async def enrolments(self, account_id: str) -> tuple[Enrolment, ...]:
        return tuple(sorted(self._of(usable_id(account_id)), key=lambda found: (found.created_s, found.id)))

    async def enrol(self, account_id: str, enrolment: Enrolment) -> None:
        if enrolment.id in self._held:
            raise ValueError("the enrolment's id is taken")
        if len(await self.enrolments(account_id)) >= ENROLMENTS_MAX or len(self._held) >= HELD_MAX:
            raise EnrolmentsFull(f"an account has at most {ENROLMENTS_MAX} enrolments, memory at most {HELD_MAX}")
        self._held[enrolment.id] = Held(account_id, enrolment)

    async def remove(self, account_id: str, enrolment_id: str) -> bool:
        held = self._held.get(enrolment_id)
        if held is None or held.account_id != usable_id(account_id):
            return False
        del self._held[enrolment_id]
        return True

    async def replace(self, enrolment_id: str, old_sealed: bytes, new_sealed: bytes) -> bool:
        usable_sealed(new_sealed)
        held = self._held.get(enrolment_id)
        if held is None or held.enrolment.sealed != old_sealed:
            return False
        found = held.enrolment
        self._held[enrolment_id] = Held(
            held.account_id, Enrolment(found.id, found.kind, found.label, found.created_s, new_sealed)
        )
        return True

    async def forget(self, account_id: str) -> None:
        self._resets.pop(usable_id(account_id), None)
        self._addresses.pop(account_id, None)
        for found in tuple(self._of(account_id)):
            del self._held[found.id]

    async def ask_reset(self, account_id: str, *, now_s: int) -> Reset:
        fresh = Reset(usable_id(account_id), asked_s=now_s, due_s=now_s + RESET_DELAY_S)
        return self._resets.setdefault(account_id, fresh)

    async def pending_reset(self, account_id: str) -> Reset | None:
        return self._resets.get(usable_id(account_id))

    async def cancel_reset(self, account_id: str) -> bool:
        return self._resets.pop(usable_id(account_id), None) is not None

    async def carry_out(self, reset: Reset, *, now_s: int) -> bool:
        pending = self._resets.get(reset.account_id)
        if pending is None or pending.asked_s != reset.asked_s or pending.due_s > now_s:
            return False
        await self.forget(reset.account_id)
        return True

    async def all_sealed(self) -> AsyncIterator[Held]:
        for held in tuple(self._held.values()):
            yield held

    async def addresses(self, account_id: str) -> bytes | None:
        return self._addresses.get(usable_id(account_id))

    async def replace_addresses(self, account_id: str, old: bytes | None, new: bytes) -> None:
        usable_sealed(new)
        is_held = account_id in self._addresses
        if self._addresses.get(usable_id(account_id)) == old and (is_held or len(self._addresses) < HELD_MAX):
            self._addresses[account_id] = new

    def _of(self, account_id: str) -> Iterator[Enrolment]:
        return (held.enrolment for held in self._held.values() if held.account_id == account_id)
