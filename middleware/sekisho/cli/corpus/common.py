"""Shared by the commands for corpora: finding files, loading settings, cleaning up on signals."""

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
    """The path of an existing file.

    Raises:
        Misused: there is none. The text names the argument, `name`, and never its value.
    """
    found = Path(path)
    try:
        if found.is_file():
            return found
        problem = "is a folder, not a file" if found.is_dir() else "is no file that can be found from here"
    except OSError:  # an invalid path, or a folder without permission
        problem = "is no file that can be looked at"
    raise Misused(f"{name} {problem} {NOT_REPEATED}")


def settings(*names: str) -> Settings:
    """Load some settings of the service, and defaults for all others: a look-up needs no service secret.

    Raises:
        SettingsError: a setting is invalid.
    """
    wanted = {f"SEKISHO_{name}{file}" for name in names for file in ("", "_FILE")}
    # An empty variable means "unset": shells can set variables for one command, but not unset them.
    given = {name: text for name, text in os.environ.items() if name in wanted and text}
    return load(given, ephemeral_secret=secrets.token_bytes(32))


@contextmanager
def tidily() -> Iterator[None]:
    """A context in which SIGTERM, and the SIGHUP of a closed terminal, act like Ctrl-C, so that the work cleans up.

    The process then exits with 128 + the signal, as shells report it.
    """
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        received.append(number)
        # An event loop installs its own handler. In the background, shells make processes ignore SIGINT.
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)

    # Under `nohup`, SIGHUP stays ignored.
    ends = [one for name in ("SIGTERM", "SIGHUP") if (one := getattr(signal, name, None))]  # Windows has no SIGHUP
    taken = [one for one in ends if signal.getsignal(one) is signal.SIG_DFL]
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
