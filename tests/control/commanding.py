"""Tells one worker what an operator did, as its next read of the control record would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.control import Act, ControlMac, ControlRecord
from sekisho.testing import SECRET

if TYPE_CHECKING:
    from sekisho.model import Mode
    from sekisho.wiring import LoginGuard

FAR_S = 4_000_000_000
MAC = ControlMac([SECRET], "sekisho")


def tell(guard: LoginGuard, mode: Mode | None = None, *, unblocked: tuple[bytes, ...] = ()) -> None:
    """A record with this mode, and with these accounts unblocked."""
    assert guard._loops is not None
    control = guard._loops.control
    number = control.record.number + 1
    act = Act(number, FAR_S, "unblock", of="account", by="jane (uid 1000)", digests=unblocked)
    record = ControlRecord(number, mode, acts=(*control.record.acts, *((act,) if unblocked else ())))
    assert control.hear(MAC.sign(record.encode()))
