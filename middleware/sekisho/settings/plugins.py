"""The names of plug-ins in SEKISHO_PLUGINS."""

from __future__ import annotations

import re
from typing import Final

from sekisho.model import SettingsError
from sekisho.settings import parse

PLUGINS_MAX: Final = 16
_NAME: Final = re.compile(r"(signals|challenges|sinks):[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def plugins(text: str, setting: str) -> tuple[str, ...]:
    """Read full names of plug-ins, such as `sinks:siem`, in the order in which they run. Raises `SettingsError`."""
    found = parse.items(text, setting, most=PLUGINS_MAX)
    for position, name in enumerate(found, 1):
        if not _NAME.fullmatch(name):
            problem = f"item {position} is no signals:NAME, challenges:NAME or sinks:NAME"
            raise SettingsError(setting, problem)
    if sum(name.startswith("challenges:") for name in found) > 1:
        raise SettingsError(setting, "names two challenges; keep one of them")
    return found
