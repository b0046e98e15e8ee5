"""The settings' page is generated from the table; these tests keep it current."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sekisho import settings

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_what_the_table_says() -> None:
    """The page equals the table. Refresh it with: python -m sekisho.settings > docs/settings.md."""
    assert settings.markdown() == (ROOT / "docs" / "settings.md").read_text("utf-8")


def test_the_command_prints_it() -> None:
    """The command of the test above prints the page."""
    done = subprocess.run([sys.executable, "-m", "sekisho.settings"], capture_output=True, check=True)

    assert settings.markdown() == done.stdout.decode("utf-8")


@pytest.mark.parametrize("setting", settings.TABLE, ids=lambda setting: setting.name)
def test_every_default_and_example_can_be_used(setting: settings.Setting[object]) -> None:
    """Defaults and examples on the page can be used, as users copy them; a secret's example is a command."""
    setting.fallback()
    if setting.name == "SECRET":
        assert "python3 -c" in setting.example
    else:
        setting.parse(setting.example, setting.variable)


@pytest.mark.parametrize("setting", settings.TABLE, ids=lambda setting: setting.name)
def test_every_setting_is_on_the_page(setting: settings.Setting[object]) -> None:
    """Every setting is on the page with a sentence."""
    assert f"`{setting.variable}`" in settings.markdown()
    assert setting.meaning.endswith(".")


def test_the_table_has_each_name_once() -> None:
    """The table has each name once, and every name that is documented elsewhere."""
    names = [setting.name for setting in settings.TABLE]
    promised = """
    SECRET STORE MODE LOGIN SIGNUP RESET CHANGE CODE LINK LOGOUT PROTECT LIMIT_IP LIMIT_NETWORK
    LIMIT_ACCOUNT LIMIT_DEVICE NAMESPACE MOUNT CHALLENGES FACTORS NO_FACTOR OWNERS OWNERS_QUERY SMTP TRUSTED_PROXIES
    CLIENT_IP_HEADER DEVICE_HEADERS ORIGINS CORPUS PAIRS HIBP ON_STORE_FAILURE WORKERS ALLOW DENY
    """.split()  # noqa: SIM905 - forty quoted names would be harder to compare with the contract

    assert len(set(names)) == len(names)
    assert set(promised) <= set(names)
