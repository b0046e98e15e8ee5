"""Settings: parse the environment into one frozen `Settings`, or raise one error that names every mistake.

An operator would rely on a setting that was silently ignored. So nothing is guessed, skipped or half applied. Values
are never printed: they hold secrets.
"""

from __future__ import annotations

from sekisho.settings.choices import NoFactor, Preset, StepUpFrom, StoreFailure
from sekisho.settings.document import markdown
from sekisho.settings.doors import (
    asks_for_name_first,
    door_text,
    parse_doors,
    reads_other_fields,
    respelt_text,
    stepped_text,
)
from sekisho.settings.load import SettingsErrors, load
from sekisho.settings.table import TABLE, Setting
from sekisho.settings.values import Settings

__all__ = [
    "TABLE",
    "NoFactor",
    "Preset",
    "Setting",
    "Settings",
    "SettingsErrors",
    "StepUpFrom",
    "StoreFailure",
    "asks_for_name_first",
    "door_text",
    "load",
    "markdown",
    "parse_doors",
    "reads_other_fields",
    "respelt_text",
    "stepped_text",
]
