"""Ends a command that is interrupted while it is imported: nothing was done yet, and a traceback tells nothing.

An exception does not end the process there: Python wraps one that is raised while a class is made, and prints one that
is raised in a finalizer.
"""

from __future__ import annotations

import os
import signal
from typing import Any, Final

CODE: Final = 130  # 128 + SIGINT, as shells count
LINE: Final = b"sekisho: interrupted before anything was done\n"


def end_quietly() -> None:
    """Let an interrupt end this process at once, with one line. Where interrupts are ignored (nohup), they stay so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_again() -> None:
    """Undo `end_quietly`: from here on a command says what may be done in part."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(*_: Any) -> None:
    os.write(2, LINE)
    os._exit(CODE)
