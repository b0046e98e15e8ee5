"""Runs a module without what another platform lacks: `python -m tests.platforms macos|windows MODULE [WORD …]`.

It shows what fails for want of a module or a name of the standard library. How files and sockets of that platform
behave it does not show.
"""

from __future__ import annotations

import asyncio
import builtins
import importlib
import os
import pkgutil
import runpy
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, Final, cast

import sekisho

if TYPE_CHECKING:
    from types import ModuleType

MODULES: Final = {"macos": (), "windows": ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty")}
NAMES: Final[dict[str, dict[ModuleType, tuple[str, ...]]]] = {
    "macos": {
        socket: ("SOCK_CLOEXEC", "SOCK_NONBLOCK", "SO_PEERCRED"),
        os: ("O_PATH", "O_TMPFILE", "sched_getaffinity"),
    },
    "windows": {
        socket: ("SOCK_CLOEXEC", "SOCK_NONBLOCK", "SO_PEERCRED"),
        os: (
            *("O_CLOEXEC", "O_DIRECTORY", "O_NOCTTY", "O_NONBLOCK", "O_PATH", "O_TMPFILE"),
            *("fchmod", "geteuid", "getuid", "killpg", "pread", "pwrite", "register_at_fork"),
            *("sched_getaffinity", "statvfs", "uname"),
        ),
        signal: ("SIGHUP", "SIGKILL", "SIGUSR1"),
        asyncio: ("open_unix_connection", "start_unix_server"),
    },
}


def import_all() -> None:
    """Import every module of the package."""
    for found in pkgutil.walk_packages(sekisho.__path__, "sekisho."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)


def become(platform: str) -> None:
    """Take away what the platform lacks; what other packages need of it on this one is imported before."""
    import_all()
    for name in [name for name in sys.modules if name.partition(".")[0] == "sekisho"]:
        del sys.modules[name]
    import_module = builtins.__import__

    def importing(name: str, given: Any = None, *others: Any, **more: Any) -> Any:
        if name in MODULES[platform] and str((given or {}).get("__name__")).startswith("sekisho"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return import_module(name, given, *others, **more)

    builtins.__import__ = cast("Any", importing)
    for module, names in NAMES[platform].items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)


if __name__ == "__main__":
    _, chosen, run, *words = sys.argv
    sys.argv = [run, *words]
    become(chosen)
    runpy.run_module(run, run_name="__main__", alter_sys=True)
