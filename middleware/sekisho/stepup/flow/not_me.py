"""What happens when an owner says that it was somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.model import Attempt
from sekisho.record.hook import Hook

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.asgi.reading import Reading
    from sekisho.model import Origin
    from sekisho.pipeline import Guard
    from sekisho.record import AccountHook


class NotMe:
    """Ends what the other person may hold: the trust of their device, step-ups under way, sessions.

    Args:
        guard: ends a device's trust.
        reading: reads the account.
        end_step_ups: ends the step-ups under way of an account, by its digest.
        hook: the service's function, which ends the account's sessions and has the owner choose another password.
    """

    def __init__(
        self, guard: Guard, reading: Reading, end_step_ups: Callable[[bytes], None], hook: AccountHook | None
    ) -> None:
        self._guard = guard
        self._accounts = reading.accounts
        self._door = reading.doors.all[0]
        self._end_step_ups = end_step_ups
        self._hook = Hook(hook) if hook is not None else None

    def __call__(self, account: str, device: bytes, origin: Origin) -> None:
        """End it.

        Args:
            account: exactly as the application reads it.
            device: 8 bytes; empty to end no device's trust.
            origin: of the request that says so.
        """
        if device:
            self.end_device(account, device, origin)
        self._end_step_ups(self._guard.account_digest(self._accounts, account))
        if self._hook is not None:
            self._hook(account)

    def end_device(self, account: str, device: bytes, origin: Origin) -> None:
        """End the trust of a device alone."""
        attempt = Attempt(self._door, origin, account, self._accounts.canonical(account), "")
        self._guard.devices.end_device(attempt, device)
