"""Proofs of identity: look-up of the account owner, questions, one-time acceptance, enrolment and removal.

`Factors.owner` finds the owner of an account; `prove` takes the client's proof and returns a `Proof` or None. An
unknown account, or one without that factor, takes the same steps as one with it: decoys replace the missing parts. A
proof behind a wrong secret is worthless and uses up no limit of the owner's.

Needs the extra `step-up`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sekisho.stepup.factors.account_owner import AccountOwner, Early, Proof, ShownFactor
    from sekisho.stepup.factors.enrolling import Enrolling, TotpOffer
    from sekisho.stepup.factors.proving import Factors

__all__ = ["AccountOwner", "Early", "Enrolling", "Factors", "Proof", "ShownFactor", "TotpOffer"]

_PLACES = {
    "Early": "account_owner",
    "Enrolling": "enrolling",
    "Factors": "proving",
    "AccountOwner": "account_owner",
    "Proof": "account_owner",
    "ShownFactor": "account_owner",
    "TotpOffer": "enrolling",
}

if not TYPE_CHECKING:  # otherwise mypy would take every name for an attribute of this module

    def __getattr__(name: str) -> Any:
        """Import each name when it is first used: a site with challenges only loads no library for passkeys."""
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
