"""Policies: the settings that a guard is simulated with, by name, as `policies.toml` has them."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import NamedTuple

from sekisho.simulate.laboratory.scenario import ScenarioError


class PlayedPolicy(NamedTuple):
    """Attributes:
    about: one line for the report.
    settings: by lower-case name, as keyword arguments of `LoginGuard`.
    """

    name: str
    about: str
    settings: dict[str, str]

    @property
    def has_factors(self) -> bool:
        return self.settings.get("factors", "none") != "none"


def policies(text: str | None = None) -> dict[str, PlayedPolicy]:
    """The policies of a TOML text; by default those of the package. Raises `ScenarioError`."""
    if text is None:
        text = (files("sekisho.simulate.laboratory") / "policies.toml").read_text()
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"policies: no TOML: {error}") from None
    return {name: _policy(name, table) for name, table in found.items()}


def _policy(name: str, table: object) -> PlayedPolicy:
    match table:
        case {"about": str(about), **settings} if all(isinstance(value, str) for value in settings.values()):
            return PlayedPolicy(name, about, {str(key): str(value) for key, value in settings.items()})
    raise ScenarioError(f"policy {name}: needs `about`, and settings as texts")
