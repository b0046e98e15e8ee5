"""Proofs of identity: whose they are, how they are asked for, accepted once, enrolled and removed.

`Factors.person` finds whose account it is; `prove` takes what a client shows and gives a `Proof` or nothing. Who has
not enrolled what he shows, or does not exist, costs the same steps as who has: decoys stand in. What was shown behind
a wrong secret proves nothing and spends nothing of the owner's.

Needs the extra `step-up`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sekisho.challenge.factors.enrolling import Enrolling, TotpOffer
    from sekisho.challenge.factors.person import Early, Person, Proof, Shown
    from sekisho.challenge.factors.proving import Factors

__all__ = ["Early", "Enrolling", "Factors", "Person", "Proof", "Shown", "TotpOffer"]

_PLACES = {
    "Early": "person",
    "Enrolling": "enrolling",
    "Factors": "proving",
    "Person": "person",
    "Proof": "person",
    "Shown": "person",
    "TotpOffer": "enrolling",
}

if not TYPE_CHECKING:  # or every name would be taken for one that is here

    def __getattr__(name: str) -> Any:
        """Each where it is first asked for: a site that asks for work alone has no use for passkeys and their keys."""
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
