"""What the commands for corpora share: naming files, reading their settings, ending tidily."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sekisho.cli.usage import Misused
from sekisho.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from sekisho.settings import Settings

__all__ = ["NOT_REPEATED", "existing", "settings", "tidily"]

NOT_REPEATED = "(not repeated here: it might be a password, and those are no arguments)"


def existing(name: str, path: str) -> Path:
    """The path of a file that is there.

    Raises:
        Misused: it is not. Says which argument, `name`, and never what stood there.
    """
    found = Path(path)
    try:
        if found.is_file():
            return found
        problem = "is a folder, not a file" if found.is_dir() else "is no file that can be found from here"
    except OSError:  # nothing that could be a path, or a folder that is closed to us
        problem = "is no file that can be looked at"
    raise Misused(f"{name} {problem} {NOT_REPEATED}")


def settings(*names: str) -> Settings:
    """Some settings of the service and the defaults of all others: no command needs the service's secret for a look-up.

    Raises:
        SettingsError: one of them makes no sense.
    """
    wanted = {f"SEKISHO_{name}{file}" for name in names for file in ("", "_FILE")}
    # An empty variable is how a shell says "unset" for one command.
    given = {name: text for name, text in os.environ.items() if name in wanted and text}
    return load(given, ephemeral_secret=secrets.token_bytes(32))


@contextmanager
def tidily() -> Iterator[None]:
    """Ended by SIGTERM, or by a terminal that goes away, work cleans up behind itself as it does on Ctrl-C.

    Both are turned into that. The process then ends with 128 + the signal, as a shell would have counted.
    """
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        received.append(number)
        # An event loop has its own way to be interrupted; started in the background, a shell had it ignored.
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)

    # `nohup` ignores SIGHUP, and is obeyed.
    taken = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is signal.SIG_DFL]
    for one in taken:
        signal.signal(one, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        if received:
            sys.exit(128 + received[0])
        raise
    finally:
        for one in taken:
            signal.signal(one, signal.SIG_DFL)
