"""The settings that are one of a few words."""

from __future__ import annotations

from enum import Enum


class StoreFailure(Enum):
    """The behaviour while the store is unavailable."""

    LOCAL = "local"  # each worker counts for itself, within bounds
    CLOSED = "closed"  # every attempt is refused: 503
    OPEN = "open"  # every attempt is admitted, uncounted


class NoFactor(Enum):
    """The replacement for a step-up on a site without factors."""

    CHALLENGE = "challenge"
    REFUSE = "refuse"


class StepUpFrom(Enum):
    """When strangers are asked for a factor: from a posture on. The last two are for familiar ones only."""

    ALWAYS = "always"
    ELEVATED = "elevated"
    ATTACK = "attack"
    NEVER = "never"
    OWN_NETWORK = "own-network"  # in no calm; in an alarm as others are, unless their own network is quiet

    @property
    def level(self) -> int:
        """The number of the lowest posture in which strangers are asked; above all postures for the last two."""
        return tuple(StepUpFrom).index(self)


class Preset(Enum):
    """Which values settings take that are not set; see `sekisho.settings.presets`."""

    BALANCED = "balanced"
    FAMILIAR = "familiar"
    STRICT = "strict"
    PCI = "pci"
    JSDA = "jsda"
    QUIET = "quiet"
