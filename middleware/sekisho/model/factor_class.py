"""The strength of a factor: how far a proof can be passed on by a phishing page that relays it."""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class FactorClass(IntEnum):
    """Classes of factors, weakest first. `text` is the name in settings and in `acr_values` (RFC 9470)."""

    NONE = 0  # no proof, or one whose class is not known
    SENT = 1  # a code by mail or message: readable in the mailbox, and relayed by a phishing page
    RECOVERY = 2  # 80 bits on paper; a phishing page can ask for them
    APP = 3  # a code of an authenticator app, or a log-in elsewhere: relayed by a phishing page at once
    PHR = 4  # a passkey with user verification signs the page's origin: nothing to relay

    @property
    def text(self) -> str:
        return self.name.lower()


CLASS_OF: Final[Mapping[str, FactorClass]] = MappingProxyType(
    {
        "webauthn": FactorClass.PHR,
        "totp": FactorClass.APP,
        "oidc": FactorClass.APP,
        "recovery": FactorClass.RECOVERY,
        "email": FactorClass.SENT,
        "webhook": FactorClass.SENT,
    }
)
"""The class of each factor. An operator may give `oidc` a stronger one: see `OidcRegistration`."""

NAMED: Final = (FactorClass.PHR, FactorClass.APP, FactorClass.SENT)
"""The classes that a setting may require, strongest first."""
