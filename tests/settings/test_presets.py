"""Presets: values for what is not set, each with its reason; a variable that is set wins."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sekisho import settings
from sekisho.model import FactorClass, Limit
from sekisho.settings import Preset, StepUpFrom
from sekisho.settings.presets import PRESETS
from tests.cli.operating import run
from tests.settings.loading import SECRET, load, wrong

if TYPE_CHECKING:
    from sekisho.settings.presets import PresetValue

MINUTE = 60_000_000
DATABASE = {
    "OWNERS": "sqlite+aiosqlite:////srv/users.db",
    "OWNERS_QUERY": "select email from users where name = :account",
}
PASSKEYS = {"FACTORS": "webauthn", "PASSKEY_DOMAIN": "shop.example", **DATABASE}


def test_balanced_is_the_default_and_changes_nothing() -> None:
    assert load() == load(PRESET="balanced")
    assert load().preset is Preset.BALANCED
    assert not load().account_lock


def test_familiar_spares_familiar_strangers_in_quiet_networks() -> None:
    loaded = load(PRESET="familiar")
    assert (loaded.step_up, loaded.step_up_familiar) == (StepUpFrom.ALWAYS, StepUpFrom.OWN_NETWORK)


def test_pci_locks_after_at_most_ten_attempts_for_thirty_minutes() -> None:
    """Five by strangers and five by a known device; one more in thirty minutes."""
    loaded = load(PRESET="pci")
    assert loaded.account_lock
    assert loaded.limits.account == loaded.limits.known_device == (Limit(5, 150 * MINUTE),)
    assert loaded.limits.account_failures_max == 10


def test_jsda_locks_and_accepts_passkeys_alone() -> None:
    loaded = load(PRESET="jsda", **PASSKEYS)
    assert loaded.account_lock
    assert loaded.floor is FactorClass.PHR
    assert loaded.limits.account == (Limit(5, 150 * MINUTE),)


def test_jsda_without_a_passkey_stops_the_start_and_names_the_preset() -> None:
    assert wrong(PRESET="jsda") == {
        "FACTORS": "is not set, and SEKISHO_PRESET=jsda asks for a factor at each log-in; set it to webauthn"
    }
    mistakes = wrong(PRESET="jsda", FACTORS="totp", **DATABASE)
    assert mistakes.keys() == {"FACTOR_FLOOR"}
    assert mistakes["FACTOR_FLOOR"].endswith("(SEKISHO_PRESET=jsda sets it)")


def test_a_variable_that_is_set_takes_precedence() -> None:
    """Also one that is set to the default."""
    loaded = load(PRESET="pci", LIMIT_ACCOUNT="3/hour", ACCOUNT_LOCK="off")
    assert (loaded.limits.account, loaded.account_lock) == ((Limit(3, 60 * MINUTE),), False)
    assert loaded.limits.known_device == (Limit(5, 150 * MINUTE),)


def test_a_keyword_takes_precedence_and_may_name_the_preset() -> None:
    loaded = settings.load({}, {"secret": SECRET, "preset": Preset.PCI, "limit_lane": "9/hour"})
    assert (loaded.account_lock, loaded.limits.known_device) == (True, (Limit(9, 60 * MINUTE),))


def test_an_unknown_preset_stops_the_start() -> None:
    assert wrong(PRESET="paranoid") == {"PRESET": "is none of balanced, familiar, strict, pci, jsda, quiet"}


def test_a_preset_against_a_variable_that_is_set_names_both() -> None:
    problem = wrong(PRESET="familiar", HISTORY="off")["STEP_UP_FAMILIAR"]
    assert problem.endswith("unset one of them (SEKISHO_PRESET=familiar sets it)")


@pytest.mark.parametrize("preset", Preset)
def test_every_preset_has_a_sentence_and_can_be_loaded(preset: Preset) -> None:
    assert PRESETS[preset].purpose.endswith(".")
    assert load(PRESET=preset.value, **PASSKEYS).preset is preset


@pytest.mark.parametrize("each", [one for about in PRESETS.values() for one in about.values], ids=lambda one: one.value)
def test_every_value_differs_from_the_default_and_has_a_reason(each: PresetValue) -> None:
    assert each.value != each.setting.default
    assert each.why
    assert not each.setting.secret


def test_the_command_shows_what_the_preset_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEKISHO_SECRET", SECRET)
    monkeypatch.setenv("SEKISHO_PRESET", "PCI")
    monkeypatch.setenv("SEKISHO_LIMIT_LANE", "9/hour")
    said = run("settings", "--json")
    rows = {row["name"]: (row["value"], row["from"]) for row in json.loads(said.out)["settings"]}
    assert rows["SEKISHO_LIMIT_ACCOUNT"] == ("5/150minute", "preset")
    assert rows["SEKISHO_LIMIT_LANE"] == ("9/hour", "environment")
    assert rows["SEKISHO_LIMIT_IP"] == ("20/10minute;100/day", "default")
    assert "SEKISHO_ACCOUNT_LOCK=on  [preset]" in run("settings", "--set").out.splitlines()
