"""Print the settings in force: each value, and where it came from. Secrets are hidden.

  sekisho settings              all of them
  sekisho settings --set        those that are set

Run it with the service's environment. `environment` and `file` (SEKISHO_…_FILE) name what was set; `preset` what
SEKISHO_PRESET sets, and `default` what nothing does. Keyword arguments of LoginGuard take precedence over all of these,
and cannot be seen from here.
Values of settings that hold secrets are never printed, and of URLs that may hold one only the beginning.

What the service would log of them at its start stands below, with the numbers of docs/warnings.md.

Exit code: 0 if the service would start with these settings, 1 if not (each mistake is printed), 2 if the command line
is wrong.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from sekisho.cli import operator
from sekisho.settings import SettingsErrors
from sekisho.settings.presets import texts_of
from sekisho.settings.store import CLUSTER, SENTINEL
from sekisho.settings.table import CAPTCHA_URL, CODE_WEBHOOK, PRESET, STORE, TABLE
from sekisho.settings.values import Preset

if TYPE_CHECKING:
    import argparse

    from sekisho.settings.table import Setting
    from sekisho.wiring.checks import Found

__all__ = ["arguments", "run"]

HIDDEN = "(hidden)"
_SCHEMES = frozenset({"memory", "redis", "rediss", "unix", "redis+unix", *CLUSTER, *SENTINEL})
_URLS = frozenset({CAPTCHA_URL.name, CODE_WEBHOOK.name})


class SettingRow(NamedTuple):
    """A setting: its variable, its value as it may be shown, and where it came from."""

    variable: str
    value: str | None
    source: str

    def __str__(self) -> str:
        value = "(none)" if self.value is None else self.value
        return f"{self.variable}={value}  [{self.source}]"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--set", dest="is_set", action="store_true", help="leave out the defaults")


def run(args: argparse.Namespace) -> int:
    preset = _preset()
    rows = [_row(setting, preset) for setting in TABLE]
    if args.is_set:
        rows = [row for row in rows if row.source != "default"]
    found = _found()
    if args.json:
        print(json.dumps(_as_json(rows, found), indent=2))
    else:
        print("\n".join(map(str, rows)))
        sys.stderr.writelines(f"{mistake.name}: {mistake.problem}\n" for mistake in found.mistakes)
        sys.stderr.writelines(f"{diagnosis.logged}\n" for diagnosis in found.diagnoses)
    return 1 if found.mistakes else 0


def _found() -> Found:
    from sekisho.wiring.checks import Found, examined  # noqa: PLC0415 - Redis, and all that a guard is made of

    try:
        return examined(operator.settings())
    except SettingsErrors as errors:
        return Found(errors.mistakes, ())


def _preset() -> dict[str, str]:
    """What the preset sets, by the settings' names; nothing where there is no such preset."""
    try:
        return texts_of(Preset(os.environ.get(PRESET.variable, Preset.BALANCED.value).strip().lower()))
    except ValueError:
        return {}


def _row(setting: Setting[Any], preset: dict[str, str]) -> SettingRow:
    text = os.environ.get(setting.variable)
    if text is not None:
        return SettingRow(setting.variable, _shown(setting, text), "environment")
    if setting.secret and f"{setting.variable}_FILE" in os.environ:
        return SettingRow(setting.variable, HIDDEN, "file")
    if setting.name in preset:
        return SettingRow(setting.variable, preset[setting.name], "preset")
    return SettingRow(setting.variable, setting.default, "default")


def _shown(setting: Setting[Any], text: str) -> str:
    if setting.secret:
        scheme = text.partition("://")[0]
        # Of a URL only the scheme. Other secrets may contain `://` by chance.
        return f"{scheme}://{HIDDEN}" if setting is STORE and scheme in _SCHEMES else HIDDEN
    if setting.name in _URLS:
        return _origin(text)
    return text if text.isprintable() else ascii(text)


def _origin(text: str) -> str:
    """The beginning of a URL, without a name, a password, a path or a query."""
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return HIDDEN
    return f"{parts.scheme}://{parts.hostname or ''}{port}/…"


def _as_json(rows: list[SettingRow], found: Found) -> dict[str, Any]:
    return {
        "settings": [{"name": row.variable, "value": row.value, "from": row.source} for row in rows],
        "mistakes": [{"name": mistake.name, "problem": mistake.problem} for mistake in found.mistakes],
        "warnings": [
            {"number": each.hazard.number, "what": each.what, "write": each.write} for each in found.diagnoses
        ],
    }
