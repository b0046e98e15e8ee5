"""Which class of device the running attempt comes from: set by the guard, read by `sekisho.passwords`.

A context variable, because handlers must not have to pass it on. It follows an attempt into the tasks that it creates,
and into threads that copy the context (`asyncio.to_thread`, `anyio.to_thread`, `asgiref`, Starlette's and FastAPI's
`def` handlers). It does not follow into `loop.run_in_executor`, another process, or a task that was created at the
start and takes its work from a queue: there the attempt counts as a stranger's.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from sekisho.model.signals import Device

DEVICE_CLASS: Final[ContextVar[Device]] = ContextVar("sekisho_device_class", default=Device.STRANGER)
"""Depends on the device token alone, never on the secret: what is served first must not tell which secret is right."""
