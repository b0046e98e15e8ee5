"""The device class of the running attempt: set by the guard, read by `sekisho.passwords`.

It is a context variable, so that handlers need not pass it on. Tasks that the attempt creates inherit it, and so do
threads that copy the context (`asyncio.to_thread`, `anyio.to_thread`, `asgiref`, Starlette's and FastAPI's `def`
handlers). `loop.run_in_executor`, other processes and long-lived tasks that take work from a queue do not inherit it:
there the attempt counts as a stranger's.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from sekisho.model.signals import Device

DEVICE_CLASS: Final[ContextVar[Device]] = ContextVar("sekisho_device_class", default=Device.STRANGER)
"""Depends on the device token alone, never on the secret: the order of service must not reveal a right secret."""
