"""Proofs of identity: whose they are, how they are asked for, accepted once, enrolled and removed.

`Factors.person` finds whose account it is; `prove` takes what a client shows and gives a `Proof` or nothing. Who has
not enrolled what he shows, or does not exist, costs the same steps as who has: decoys stand in. What was shown behind
a wrong secret proves nothing and spends nothing of the owner's.

Needs the extra `step-up`.
"""

from __future__ import annotations

from sekisho.challenge.factors.enrolling import Enrolling, TotpOffer
from sekisho.challenge.factors.person import Person, Proof, Shown
from sekisho.challenge.factors.proving import Factors

__all__ = ["Enrolling", "Factors", "Person", "Proof", "Shown", "TotpOffer"]
