"""Policies: the settings that a guard is simulated with, by name, as `policies.toml` has them."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import NamedTuple

from sekisho.settings.choices import Preset
from sekisho.settings.presets import texts_of
from sekisho.simulate.laboratory.parameters import ScenarioError


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

    @property
    def estimates_posture(self) -> bool:
        """Whether strangers from familiar networks are not always asked for a proof: from some posture on, or never."""
        preset = texts_of(Preset(self.settings.get("preset", "balanced")))
        texts = {**{name.lower(): text for name, text in preset.items()}, **self.settings}
        return texts.get("step_up_familiar", texts.get("step_up", "always")) != "always"


def policies(text: str | None = None) -> dict[str, PlayedPolicy]:
    """Return the policies of a TOML text, by name; by default those of the package. Raises `ScenarioError`."""
    if text is None:
        text = (files("sekisho.simulate.laboratory") / "policies.toml").read_text("utf-8")
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"policies: no TOML: {error}") from None
    return {name: _policy(name, table) for name, table in found.items()}


def _policy(name: str, table: object) -> PlayedPolicy:
    if not isinstance(table, dict) or not isinstance(about := table.get("about"), str):
        raise ScenarioError(f"policy {name}: is no table with `about`, a text")
    for setting, value in table.items():
        if not isinstance(value, str):
            raise ScenarioError(f"policy {name}: {setting}: is no text in quotes")
    return PlayedPolicy(name, about, {setting: value for setting, value in table.items() if setting != "about"})


OUTSIDE = frozenset({
    "audit", "audit_checkpoints", "captcha_hosts", "captcha_secret", "captcha_sitekey", "captcha_url", "code_webhook",
    "code_webhook_key", "control_socket", "events_file", "hibp", "hibp_url", "login", "metrics_listen",
    "notices_webhook", "notices_webhook_secret", "oidc", "oidc_secret", "otel", "owners", "owners_query", "plugins",
    "secret", "smtp", "smtp_password", "store",
})  # fmt: skip
"""Settings that a laboratory does not take: its own door and secret, and what reaches stores, files and networks."""


def isolated(policy: PlayedPolicy) -> PlayedPolicy:
    """Return the policy. Raises `ScenarioError` if a setting of it reaches a store, a file or a network.

    A file of policies may have been written for replays. Invented log-ins must not be counted in the store of a
    service, nor be lines of its audit.
    """
    if found := sorted(policy.settings.keys() & OUTSIDE):
        raise ScenarioError(
            f"policy {policy.name}: {', '.join(found)}: is not taken here: a laboratory reaches nothing outside"
        )
    return policy
