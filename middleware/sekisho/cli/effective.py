"""The settings in force in an environment, as they may be shown: secrets are hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from sekisho.cli import operator
from sekisho.cli.output import printable
from sekisho.settings import SettingsErrors
from sekisho.settings.choices import Preset
from sekisho.settings.presets import texts_of
from sekisho.settings.store import CLUSTER, SENTINEL
from sekisho.settings.table import CAPTCHA_URL, CODE_WEBHOOK, PRESET, STORE, TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.settings.table import Setting
    from sekisho.wiring.checks import Found

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


def setting_rows(environ: Mapping[str, str]) -> list[SettingRow]:
    """A row for each setting, in the order of the documentation: its value in this environment, and its source.

    Secrets are hidden.
    """
    preset = _preset(environ)
    return [_row(setting, preset, environ) for setting in TABLE]


def examined_in(environ: Mapping[str, str]) -> Found:
    """What a service with this environment would log at its start, and the mistakes for which it would not start."""
    from sekisho.wiring.checks import Found, examined  # noqa: PLC0415 - Redis, and all that a guard is made of

    try:
        return examined(operator.settings_in(environ))
    except SettingsErrors as errors:
        return Found(errors.mistakes, ())


def found_as_json(found: Found) -> dict[str, Any]:
    """`mistakes` and `warnings`, as `--json` prints them."""
    return {
        "mistakes": [{"name": mistake.name, "problem": mistake.problem} for mistake in found.mistakes],
        "warnings": [
            {"number": each.hazard.number, "what": each.what, "write": each.write} for each in found.diagnoses
        ],
    }


def _preset(environ: Mapping[str, str]) -> dict[str, str]:
    """What the preset sets, by the settings' names; nothing where there is no such preset."""
    try:
        return texts_of(Preset(environ.get(PRESET.variable, Preset.BALANCED.value).strip().lower()))
    except ValueError:
        return {}


def _row(setting: Setting[Any], preset: dict[str, str], environ: Mapping[str, str]) -> SettingRow:
    text = environ.get(setting.variable)
    if text is not None:
        return SettingRow(setting.variable, _shown(setting, text), "environment")
    if setting.secret and f"{setting.variable}_FILE" in environ:
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
    return printable(text)


def _origin(text: str) -> str:
    """The beginning of a URL, without a name, a password, a path or a query."""
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return HIDDEN
    return f"{parts.scheme}://{parts.hostname or ''}{port}/…"
