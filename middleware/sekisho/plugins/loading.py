"""Loads the plug-ins that SEKISHO_PLUGINS names, and nothing else: an installed package alone runs no code here."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sekisho.model import SettingsError
from sekisho.plugins import KINDS, ChallengePlugin, SignalPlugin, SinkPlugin

if TYPE_CHECKING:
    from collections.abc import Sequence

SETTING: Final = "SEKISHO_PLUGINS"
REASONS_MAX: Final = 16
_REASON: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_SOURCE: Final = re.compile(r"https://[A-Za-z0-9*.:/_-]+")


class Loaded(NamedTuple):
    """The plug-ins of a process, by their full names (`sinks:siem`)."""

    signals: dict[str, SignalPlugin]
    challenges: dict[str, ChallengePlugin]
    sinks: dict[str, SinkPlugin]


def load(names: Sequence[str]) -> Loaded:
    """Load and make the plug-ins with these full names. Raises `SettingsError`, which names the one that is broken."""
    loaded = Loaded({}, {}, {})
    for name in names:
        kind, _, short = name.partition(":")
        getattr(loaded, kind)[name] = _sound(name, _made(name, kind, short))
    return loaded


def _made(name: str, kind: str, short: str) -> object:
    found = entry_points(group=f"sekisho.{kind}", name=short)
    if len(found) != 1:
        told = "no installed package announces it" if not found else "several installed packages announce it"
        raise SettingsError(SETTING, f"{name}: {told} as an entry point of sekisho.{kind}")
    try:
        (entry,) = found
        return entry.load()()
    except Exception as error:
        # Only its type: the message may contain the plug-in's own secrets.
        raise SettingsError(SETTING, f"{name}: it does not start: {type(error).__name__}") from error


def _sound(name: str, made: Any) -> object:
    port = KINDS[name.partition(":")[0]]
    if not isinstance(made, port):
        raise SettingsError(SETTING, f"{name}: it is no {port.__name__} (see docs/plugins.md)")
    if isinstance(made, SignalPlugin) and not _are_codes(made.reasons):
        raise SettingsError(SETTING, f"{name}: its reasons are no set of at most {REASONS_MAX} codes")
    if isinstance(made, ChallengePlugin) and not _is_safe(made):
        raise SettingsError(SETTING, f"{name}: its widget names something else than https sources")
    return made


def _are_codes(reasons: object) -> bool:
    return (
        isinstance(reasons, frozenset)
        and 0 < len(reasons) <= REASONS_MAX
        and all(isinstance(one, str) and _REASON.fullmatch(one) for one in reasons)
    )


def _is_safe(challenge: ChallengePlugin) -> bool:
    """Whether the widget can stand in a policy: a semicolon there would add a directive."""
    widget = challenge.widget
    return all(_SOURCE.fullmatch(one) for one in (widget.script, *widget.hosts.split()))
