"""The errors of factors: a proof that does not hold, and a factor that cannot be removed."""

from __future__ import annotations

from sekisho.model import SekishoError


class ProofFailed(SekishoError):  # noqa: N818 - a verdict about a proof
    """A proof does not hold. Clients get no reason: it would tell an attacker what to try next.

    Attributes:
        reason: a stable word for logs and metrics; contains nothing that the client sent.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class StillNeeded(SekishoError):  # noqa: N818 - a state, not a mistake
    """The factor is the last strong one of an owner who refuses weaker ones. Nothing was changed."""
