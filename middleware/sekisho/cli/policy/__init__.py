"""Policies before they are in force: are their settings sound, and what would change?

sekisho policy check FILE       whether a service would start with this file of variables, and what it would log
sekisho policy diff A B         the settings that differ between two files, presets, or this environment

`sekisho settings` shows those that are in force. What other limits would have refused in the past,
`sekisho simulate --replay AUDIT --policy NAME` tells.
"""

from __future__ import annotations

from sekisho.cli import Command

__all__ = ["COMMANDS"]

COMMANDS = {
    "check": Command("whether a service would start with a file of variables, and what it would log"),
    "diff": Command("the settings that differ between two files, presets, or this environment"),
}
