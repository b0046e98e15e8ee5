"""Read a setting's file within a time limit, so that the start cannot hang: it ends with the value or an error."""

from __future__ import annotations

import os
import select
import stat
from time import monotonic
from typing import TYPE_CHECKING

from sekisho.files import AS_IT_IS

if TYPE_CHECKING:
    from pathlib import Path

PIPE_SECONDS_MAX = 5.0
"""The time that the writer of a FIFO (`<(…)` in a shell, a vault's agent) has to pass a secret."""


class NotReadable(Exception):  # noqa: N818 - says which kind of thing stands there
    """The object at the path cannot be a setting's file. The text names its kind, never its path."""


def read_file(path: str | Path, *, bytes_max: int, seconds_max: float = PIPE_SECONDS_MAX) -> bytes:
    """Read a regular file, or a FIFO until its writer closes it. Returns at most one byte more than `bytes_max`.

    Args:
        path: of the file.
        bytes_max: the limit; longer content is cut after one byte more, so that the caller can detect it.
        seconds_max: how long to wait for a FIFO's writer. A plain `open` of a FIFO waits for a writer without limit.

    Raises `OSError`, or `NotReadable` for a FIFO that is not closed in time and for any other kind of object.
    """
    descriptor = os.open(path, os.O_RDONLY | AS_IT_IS)
    try:
        mode = os.fstat(descriptor).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise NotReadable("is neither a regular file nor a FIFO")
        if stat.S_ISFIFO(mode):
            return _read_fifo(descriptor, bytes_max, seconds_max)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(bytes_max + 1)
    finally:
        os.close(descriptor)


def _read_fifo(descriptor: int, bytes_max: int, seconds_max: float) -> bytes:
    ends_s = monotonic() + seconds_max
    ready = select.poll()
    ready.register(descriptor, select.POLLIN)
    content = bytearray()
    # Wait for the first data: a read before it would look like the end of the file.
    while ready.poll(max(0.0, ends_s - monotonic()) * 1000):
        chunk = os.read(descriptor, bytes_max + 1 - len(content))
        content += chunk
        if not chunk or len(content) > bytes_max:
            return bytes(content)
    raise NotReadable(f"is a FIFO that nobody has written to, and closed, within {seconds_max:g} seconds")
