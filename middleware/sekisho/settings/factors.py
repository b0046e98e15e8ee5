"""The names of factors, and of challenges before a secret is checked. In order, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.model import FactorClass, SettingsError
from sekisho.model.factor_class import NAMED
from sekisho.settings import parse

if TYPE_CHECKING:
    from collections.abc import Callable

FACTORS: Final = ("webauthn", "totp", "oidc", "email", "webhook")
POW: Final = "pow"
STRANGER_NOTICES: Final = ("failures", "link")
CAPTCHAS: Final = ("turnstile", "hcaptcha")
NONE: Final = "none"


def factors(text: str, setting: str) -> tuple[str, ...]:
    """Read a list of factors; returns them in order of preference, () for `none`. Raises `SettingsError`."""
    return _names(FACTORS)(text, setting)


def challenges(text: str, setting: str) -> tuple[str, ...]:
    """Read a list of challenges: proof of work, a captcha, or both. Returns () for `none`. Raises `SettingsError`."""
    found = _names((POW, *CAPTCHAS))(text, setting)
    if len(set(CAPTCHAS).intersection(found)) > 1:
        raise SettingsError(setting, "names two captchas; keep one of " + ", ".join(CAPTCHAS))
    return found


def stranger_notices(text: str, setting: str) -> tuple[str, ...]:
    """Read a list of the notices to owners that strangers may cause; returns () for `none`. Raises `SettingsError`."""
    return _names(STRANGER_NOTICES)(text, setting)


def floor(text: str, setting: str) -> str:
    """Read the name of the weakest class of factor that the site accepts; returned in lower case.

    Raises `SettingsError`.
    """
    if class_named(text.lower()) is None:
        raise SettingsError(setting, "is none of phr, app, sent")
    return text.lower()


def class_named(text: str) -> FactorClass | None:
    """The class of factors that has this name; None if no class has it."""
    return next((one for one in NAMED if one.text == text), None)


def _names(known: tuple[str, ...]) -> Callable[[str, str], tuple[str, ...]]:
    def read(text: str, setting: str) -> tuple[str, ...]:
        if text.lower() == NONE:
            return ()
        found = parse.items(text.lower(), setting, most=len(known))
        if not set(found) <= set(known):
            raise SettingsError(setting, f"names one that is none of {', '.join(known)}; or write {NONE} alone")
        return found

    return read
