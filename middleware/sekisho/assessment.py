"""An attempt with all that was found about it: what the guard hands out, and the settler takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.model import UNKNOWN, Attempt, Charge, Decision, Device, Exposure, Policy, Verdict
from sekisho.model.value import Value

if TYPE_CHECKING:
    from sekisho.devices.token import Token


@final
class Assessment(Value):
    """An attempt with all findings about it. Settle it exactly once.

    Attributes:
        attempt: as it was read.
        charge, verdict: the question to the ledger, and its answer.
        decision: the judgement.
        device: the class by which it was judged.
        policy: by which it was judged.
        exposure: whether its secret is in known leaks.
        token: of the known device, which a success renews; None for a stranger, and where a copy was shown.
        work_receipt: of the attempt that was answered by asking for work, as far as it is not refunded; see `Settler`.
        worked: work was done for it.
    """

    __slots__ = (
        "attempt", "charge", "decision", "device", "exposure", "policy", "token", "verdict", "work_receipt", "worked"
    )  # fmt: skip

    def __init__(  # noqa: PLR0913, PLR0917 - all findings
        self,
        attempt: Attempt,
        charge: Charge,
        verdict: Verdict,
        decision: Decision,
        token: Token | None,
        policy: Policy,
        exposure: Exposure = UNKNOWN,
        work_receipt: bytes = b"",
        device: Device = Device.STRANGER,
        worked: bool = False,
    ) -> None:
        self.attempt: Final = attempt
        self.charge: Final = charge
        self.verdict: Final = verdict
        self.decision: Final = decision
        self.token: Final = token
        self.exposure: Final = exposure
        self.work_receipt: Final = work_receipt
        self.device: Final = device
        self.policy: Final = policy
        self.worked: Final = worked

    def proved(self, attempt: Attempt) -> Assessment:
        """This assessment for a client that has proved whose account it is and got its charge back.

        `attempt`: names the account.
        """
        verdict = self.verdict._replace(charged=0, tagged=0)
        return Assessment(
            attempt, self.charge, verdict, self.decision, None, self.policy, self.exposure, self.work_receipt,
            Device.PROVED, self.worked,
        )  # fmt: skip
