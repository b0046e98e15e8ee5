"""No value of a setting is in an error or in a representation."""

from __future__ import annotations

import pytest

from sekisho import settings
from tests.settings.loading import OTHER, SECRET, load

CANARY = "C4n4ry-p@ss:w0rd/\"'%{}"


def told(environ: dict[str, str], overrides: dict[str, object]) -> str:
    """All text that loading produces, with or without success."""
    try:
        return repr(settings.load({"SEKISHO_SECRET": SECRET, **environ}, overrides))
    except settings.SettingsErrors as error:
        led_to = [
            error.__context__,
            *(hidden for one in error.mistakes for hidden in (one.__context__, one.__traceback__)),
        ]
        return "".join([str(error), repr(error), repr(error.mistakes), *map(repr, filter(None, led_to))])


@pytest.mark.parametrize("setting", settings.TABLE, ids=lambda setting: setting.name)
@pytest.mark.parametrize(
    "shape",
    ["{}", "redis://:{}@h:x/", "memory://{}", "POST /{} form", "POST {}", "5/minute;{}", "https://{}", "10.0.0.0/{}"],
)
def test_no_value_is_in_any_error(setting: settings.Setting[object], shape: str) -> None:
    """A password in the wrong variable is in no message, `repr` or attached exception."""
    text = shape.replace("{}", CANARY)

    assert "traceback object" not in told({setting.variable: text}, {})
    assert "c4n4ry" not in told({setting.variable: text}, {}).lower()
    assert "c4n4ry" not in told({}, {setting.name.lower(): [text]}).lower()
    assert "c4n4ry" not in told({f"{setting.variable}_FILE": text}, {}).lower()


def test_secrets_stores_and_addresses_are_in_no_representation() -> None:
    """Secrets, stores and addresses are in no `repr`."""
    loaded = load(
        STORE="redis://:sesame@redis:6379/0",
        TRUSTED_PROXIES="192.0.2.7",
        ALLOW="198.51.100.7",
        DENY="203.0.113.7",
        PAIRS="/srv/pairs",
        PAIRS_KEY=OTHER,
    )
    said = repr(loaded)

    assert not [part for part in (SECRET, OTHER, "sesame", "redis://", "192.0.2", "198.51", "203.0") if part in said]
