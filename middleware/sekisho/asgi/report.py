"""What the application finds in `scope["state"]["sekisho"]` of an attempt, and says there of its outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.model import Attempt, Basis, Decision, Device, Door, Exposure, Origin, Outcome
from sekisho.model.value import Value

if TYPE_CHECKING:
    from sekisho.asgi.past_log_ins import PastLogIns
    from sekisho.model.previous_log_in import PreviousLogIn


@final
class ReportedAttempt(Value):
    """An attempt as the application may see it: without its secrets and its device token.

    Attributes:
        door: where it was made.
        origin: the client.
        account: as the application reads it.
        canonical: the same for all spellings of the account.
    """

    __slots__ = ("account", "canonical", "door", "origin")

    def __init__(self, door: Door, origin: Origin, account: str, canonical: str) -> None:
        self.door: Final = door
        self.origin: Final = origin
        self.account: Final = account
        self.canonical: Final = canonical

    def __repr__(self) -> str:
        # Error reporters print it, and an account is personal data.
        return f"ReportedAttempt(door={self.door.name!r}, ...)"


class Report:
    """The object that the application finds in `scope["state"]["sekisho"]`.

    It refers to no secret and no token: error reporters send `scope["state"]` to other services.

    Attributes:
        door: where the attempt was made.
        decision: the judgement. `decision.change_password`: if the secret is right, ask its owner to choose another,
            because this one has leaked.
        exposure: whether the secret is in known leaks: `None` where no source could tell, which is not *clean*.
        device: `STRANGER`, `SEEN` or `PROVED` (see `sekisho.Device`), known before the secret is looked at. Serve known
            devices first if your own pool checks passwords.
        account: the application's own id of the account, once it has reported one.
        outcome: as the application has reported it; `None` until it does.
    """

    __slots__ = (
        "_canonical",
        "_origin",
        "_past",
        "_submitted",
        "account",
        "decision",
        "device",
        "door",
        "exposure",
        "outcome",
    )

    def __init__(
        self,
        attempt: Attempt,
        decision: Decision,
        exposure: Exposure,
        device: Device = Device.STRANGER,
        past: PastLogIns | None = None,
    ) -> None:
        self.door: Final = attempt.door
        self._origin: Final = attempt.origin
        self._submitted: Final = attempt.account
        self._canonical: Final = attempt.canonical
        self.decision = decision
        self.exposure = exposure
        self.device = device
        self.account: str | None = None
        self.outcome: Outcome | None = None
        self._past: Final = past

    async def previous_log_in(self) -> PreviousLogIn | None:
        """The account's log-in before this one; None where none is known, or nothing keeps log-ins.

        Call it once the secret was right. Where a proof is asked for, nobody sees the answer before that proof.
        """
        return None if self._past is None else await self._past.previous_log_in(self._submitted)

    def report(self, *, success: bool, account: str | None = None) -> None:
        """Report the outcome of the attempt where the response does not show it, preferably before the response begins.

        Args:
            success: whether the secret was right.
            account: the application's own id of the account. Where the form names none, as at a reset by a mailed
                token, the name that its owner types at the log-in: otherwise nothing of the account ends.
        """
        self.outcome = Outcome.SUCCEEDED if success else Outcome.FAILED
        self.account = account

    @property
    def passkey_account(self) -> str | None:
        """The account whose passkey began this log-in, as the application read it when it accepted that account.

        None at all other doors. It is proved: log this account in, and ask for nothing more.
        """
        return self._submitted if self.door.shows_passkey else None

    @property
    def attempt(self) -> ReportedAttempt:
        """The attempt at this door as the guard has read it, without its secrets."""
        # Made on request: most applications never ask.
        return ReportedAttempt(self.door, self._origin, self._submitted, self._canonical)

    @property
    def basis(self) -> Basis:
        """How this attempt's outcome is known by now: by the application's report, the door's rule, or a guess."""
        if self.outcome is not None:
            return Basis.REPORT
        return Basis.RULE if self.door.success else Basis.GUESS
