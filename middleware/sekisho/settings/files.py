"""Reading a setting's file without waiting for ever: the start must end, with the setting or with its name."""

from __future__ import annotations

import os
import select
import stat
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PIPE_SECONDS_MAX = 5.0
"""How long somebody who hands a secret over by a FIFO (`<(…)` in a shell, a vault's agent) may take."""


class NotReadable(Exception):  # noqa: N818 - says which kind of thing stands there
    """What stands at the path can be no setting's file. The text says what it is, never where."""


def read_file(
    path: str | Path,
    *,
    bytes_max: int,
    seconds_max: float = PIPE_SECONDS_MAX,
    clock_s: Callable[[], float] = monotonic,
) -> bytes:
    """A regular file's content, or what a FIFO brings until its writer closes it; one byte more than the bound at most.

    Args:
        path: of the file.
        bytes_max: what is longer is cut off behind one byte more, so that it shows.
        seconds_max: for a FIFO. A plain `open` of one waits until somebody writes.
        clock_s: in seconds.

    Raises `OSError`, or `NotReadable` for a FIFO that brings nothing in time and for anything that is neither.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise NotReadable("is neither a regular file nor a FIFO")
        # A regular file is always ready.
        return _read(descriptor, bytes_max, seconds_max, clock_s)
    finally:
        os.close(descriptor)


def _read(descriptor: int, bytes_max: int, seconds_max: float, clock_s: Callable[[], float]) -> bytes:
    ends_s = clock_s() + seconds_max
    ready = select.poll()
    ready.register(descriptor, select.POLLIN)
    content = bytearray()
    # Before anybody has written, this waits; a read would take it for the end.
    while ready.poll(max(0.0, ends_s - clock_s()) * 1000):
        chunk = os.read(descriptor, bytes_max + 1 - len(content))
        content += chunk
        if not chunk or len(content) > bytes_max:
            return bytes(content)
    raise NotReadable(f"is a FIFO that nobody has written to, and closed, within {seconds_max:g} seconds")
