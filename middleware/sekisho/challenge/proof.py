"""What every factor answers when a proof does not hold."""

from __future__ import annotations

from sekisho.model import SekishoError


class ProofFailed(SekishoError):  # noqa: N818 - a verdict about what was shown
    """What was shown proves nothing. Clients hear no more than that: a reason would tell them what to try next.

    Attributes:
        reason: a stable word for logs and metrics; holds nothing the client sent.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
