"""Settings: the environment goes in, one frozen `Settings` comes out, or one error that names every mistake.

A guard that starts with a setting it did not understand is a guard that somebody believes in. So nothing here
is guessed, skipped or half applied, and nothing that was set is ever printed: values hold secrets.
"""

from __future__ import annotations

from sekisho.settings.document import markdown
from sekisho.settings.doors import door_text, parse_doors
from sekisho.settings.load import SettingsErrors, load
from sekisho.settings.table import TABLE, Setting
from sekisho.settings.values import NoFactor, Settings, StoreFailure

__all__ = [
    "TABLE",
    "NoFactor",
    "Setting",
    "Settings",
    "SettingsErrors",
    "StoreFailure",
    "door_text",
    "load",
    "markdown",
    "parse_doors",
]
