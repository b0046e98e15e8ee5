"""Presets: the values that settings take where they are not set themselves, with the reason for each number.

A value that says *assumed* has no source; the others name theirs. A variable that is set takes precedence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sekisho.settings.choices import Preset
from sekisho.settings.table import (
    ACCOUNT_FAILURES_MAX,
    ACCOUNT_LOCK,
    DEVICE_DAYS,
    FACTOR_FLOOR,
    LIMIT_ACCOUNT,
    LIMIT_IP,
    LIMIT_LANE,
    LIMIT_NETWORK,
    LIMIT_PROVIDER,
    NO_FACTOR,
    STEP_UP,
    STEP_UP_FAMILIAR,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.settings.table import Setting


class PresetValue(NamedTuple):
    """Attributes:
    setting: which is not set.
    value: the text that is parsed instead of its default.
    why: the reason for the value, with its source.
    """

    setting: Setting[Any]
    value: str
    why: str


class PresetAbout(NamedTuple):
    """Attributes:
    purpose: one sentence for the operator.
    values: what differs from the defaults.
    """

    purpose: str
    values: tuple[PresetValue, ...] = ()


PRESETS: Final[Mapping[Preset, PresetAbout]] = {
    Preset.BALANCED: PresetAbout("The defaults."),
    Preset.FAMILIAR: PresetAbout(
        "Spares owners the question on a new device at home or at work.",
        (
            PresetValue(
                STEP_UP_FAMILIAR,
                "own-network",
                "a stranger from a network where the account succeeded is likelier its owner than a bot (Freeman et "
                "al., NDSS 2016); in an alarm as well, while little fails in that network",
            ),
        ),
    ),
    Preset.STRICT: PresetAbout(
        "For few accounts of high value: fewer guesses, and shorter trust.",
        (
            PresetValue(LIMIT_IP, "10/10minute;50/day", "half of the default; assumed"),
            PresetValue(LIMIT_NETWORK, "50/10minute", "half of the default; assumed"),
            PresetValue(
                LIMIT_PROVIDER,
                "200/hour;1000/day",
                "one attacker may own a /32, and with it 65,536 /48; failures of strangers at a small site; assumed",
            ),
            PresetValue(LIMIT_ACCOUNT, "5/hour", "five failures (PSD2 RTS, EU 2018/389, art. 4(3)(b))"),
            PresetValue(ACCOUNT_FAILURES_MAX, "20", "a fifth of what NIST SP 800-63B-4 allows; assumed"),
            PresetValue(DEVICE_DAYS, "30", "a device that was not used for a month is unknown; assumed"),
            PresetValue(NO_FACTOR, "refuse", "where no proof can be asked for, a leaked password opens nothing"),
        ),
    ),
    Preset.PCI: PresetAbout(
        "PCI DSS 4.0.1, requirement 8.3.4: at most ten attempts, then 30 minutes or a confirmed identity.",
        (
            PresetValue(ACCOUNT_LOCK, "on", "8.3.4 locks the user out"),
            PresetValue(
                LIMIT_ACCOUNT,
                "5/150minute",
                "five attempts by strangers, and five by a known device (`LIMIT_LANE`): ten; one refills in 30 minutes",
            ),
            PresetValue(LIMIT_LANE, "5/150minute", "as above"),
            PresetValue(ACCOUNT_FAILURES_MAX, "10", "ten failures over any time, until a proof (8.3.4)"),
        ),
    ),
    Preset.JSDA: PresetAbout(
        "For Japan's brokers (guideline of the JSDA, 2025-10-15, read in secondary texts): a lock after failures in a "
        "row, and a factor that no phishing page can relay. It needs `FACTORS` with `webauthn`.",
        (
            PresetValue(ACCOUNT_LOCK, "on", "the guideline asks for a lock after failures in a row"),
            PresetValue(
                LIMIT_ACCOUNT,
                "5/150minute",
                "five, as in PSD2 RTS, and 30 minutes, as in PCI DSS 8.3.4: we know of no number in the guideline",
            ),
            PresetValue(FACTOR_FLOOR, "phr", "passkeys: relayed one-time codes opened accounts in 2025"),
            PresetValue(NO_FACTOR, "refuse", "where no proof can be asked for, a leaked password opens nothing"),
        ),
    ),
    Preset.QUIET: PresetAbout(
        "For little of value: as few questions and refusals as an attack permits.",
        (
            PresetValue(STEP_UP, "attack", "strangers are asked while their failures show an attack"),
            PresetValue(LIMIT_IP, "60/10minute;600/day", "a company's proxy with some hundred people; assumed"),
            PresetValue(LIMIT_NETWORK, "400/10minute", "a carrier's NAT; assumed"),
        ),
    ),
}


def texts_of(preset: Preset) -> dict[str, str]:
    """The values that a preset sets, as texts, by the settings' names."""
    return {each.setting.name: each.value for each in PRESETS[preset].values}


def rows() -> list[str]:
    """The table of presets in `docs/settings.md`."""
    found = ["| preset | setting | value | why |", "|---|---|---|---|"]
    for preset, (purpose, values) in PRESETS.items():
        found.append(f"| `{preset.value}` | | | {purpose} |")
        found += [f"| | `{each.setting.variable}` | `{each.value}` | {each.why} |" for each in values]
    return found
