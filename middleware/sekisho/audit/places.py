"""Where lines go: a file that rotates, standard output, a logger, or a stream in Redis."""

from __future__ import annotations

import errno
import logging
import os
from typing import TYPE_CHECKING, Final, Protocol, final

from sekisho.record.appender import blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STDOUT: Final = 1


class LinePlace(Protocol):
    """Takes lines. `sekisho.record.appender.Appender` is one."""

    def open(self) -> bool:
        """Open the place. Returns whether lines go to another file than before. Raises `OSError`."""
        ...

    def write(self, lines: Iterable[bytes]) -> Iterator[int]:
        """Write lines to what `open` has opened; yields the number of lines in each write. Raises `OSError`."""
        ...


@final
class StandardOutput:
    """Standard output, which a log shipper reads. A full pipe holds up the writing thread and nothing else."""

    def open(self) -> bool:
        return False

    def write(self, lines: Iterable[bytes]) -> Iterator[int]:
        for number, block in blocks(lines):
            rest = memoryview(block)
            while rest:
                rest = rest[os.write(STDOUT, rest) :]
            yield number


@final
class LoggerPlace:
    """Python's logger `sekisho.audit`: its handlers, or those of the root logger, take the lines."""

    def __init__(self) -> None:
        self._logger: Final = logging.getLogger("sekisho.audit")
        if self._logger.level == logging.NOTSET:  # the root logger's WARNING would hide all lines
            self._logger.setLevel(logging.INFO)

    def open(self) -> bool:
        if not (self._logger.isEnabledFor(logging.INFO) and self._logger.hasHandlers()):
            raise OSError(errno.ENOENT, "no handler of the logger sekisho.audit takes INFO")
        return False

    def write(self, lines: Iterable[bytes]) -> Iterator[int]:
        for line in lines:
            self._logger.info("%s", line.decode().rstrip("\n"))
            yield 1
