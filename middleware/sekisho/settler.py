"""The settler refunds the charges of attempts, or lets them stand. It knows no HTTP.

begin      the attempt goes to the application
settle     its outcome is known: after a proven success, refund the charge and renew the device token; or `end`

An attempt that passed and does not go to the application ends otherwise: `not_tried`, where there is no room for it, or
`give_back`, where it was answered for another reason than its secret. One that must show work or a proof first is
`put_off`; `refund_worked` and `refund_proved` refund it afterwards.

Every method only queues: a client that hangs up on seeing the answer could cancel an await, and the outcome would be
lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.judge import Belief, RuleState, RuleTrust, SuccessTrust
from sekisho.judge.attempt_kind import tries_password
from sekisho.ledger.mistyped import Mistyped
from sekisho.ledger.receipt import pack_receipt
from sekisho.ledger.settlement import forgive, learn_as, refund_proved, refund_worked
from sekisho.model import Basis, Charged, Device, DoorKind, Effect, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.assessment import Assessment
    from sekisho.devices.token import Token
    from sekisho.feed import RefusalNotes
    from sekisho.judge.policy_choice import PolicyChoice
    from sekisho.ledger.awaited_refunds import AwaitedRefunds
    from sekisho.model import Attempt, Charge, Door, Ledger, Origin
    from sekisho.read import Digests

_FULL: Final = Belief.FULL  # the name alone is a call in Python 3.11


@final
class Settler:
    """Settles the attempts that a `Guard` has assessed, each exactly once. Belongs to one event loop.

    Args:
        ledger: has charged them.
        digests: made from the service's secrets.
        trust: how far successes are trusted.
        policies: from which devices successes are remembered.
        waits: the attempts that wait for refunds, which the guard has wait.
        clock_s: Unix time in seconds.
        networks_max: the networks around an address that this process limits.
        keeps_history: remember successes for each account, and credit for addresses.
        feed: notes the addresses of known devices for what stands in front; None where nothing does.
    """

    def __init__(  # noqa: PLR0913 - everything it works with arrives from outside
        self,
        *,
        ledger: Ledger,
        digests: Digests,
        trust: SuccessTrust,
        policies: PolicyChoice,
        waits: AwaitedRefunds,
        clock_s: Callable[[], float],
        networks_max: int,
        keeps_history: bool = False,
        feed: RefusalNotes | None = None,
    ) -> None:
        self._ledger = ledger
        self._digests = digests
        self._trust = trust
        self._policies = policies
        self._waits = waits
        self._clock_s = clock_s
        self._networks_max = networks_max
        self._keeps_history = keeps_history
        self._feed = feed
        self._mistyped = Mistyped()

    def begin(self, assessment: Assessment) -> None:
        """Note that the attempt goes to the application. From here on it must be settled exactly once."""
        self._waits.begin(assessment.charge)

    def settle(
        self, assessment: Assessment, outcome: Outcome, basis: Basis, *, renewed: bool, browser_key: str = ""
    ) -> None:
        """Refund the charge after a trusted success; after anything else the charge stands and counts as a failure.

        Args:
            assessment: of the attempt.
            outcome: of the attempt.
            basis: how the outcome is known.
            renewed: a new device token was sent. If the ledger recorded a renewal that was never sent, the holder of
                the old token would be refused.
            browser_key: of the browser that the answer was held for; empty elsewhere.
        """
        if outcome is not Outcome.SUCCEEDED:
            return self._end_unproved(assessment, outcome, basis)
        attempt, charge = assessment.attempt, assessment.charge
        rule = self._trust.rule(attempt.door, basis)
        belief = self._trust.belief(rule, attempt, charge)
        # Nearly every success is believed in full, and needs no clock.
        if belief is not _FULL and not self._trust.refunds(rule, attempt, charge, self._clock_s()):
            return self.end(assessment)
        # What enters the account's history and the credit of its address: successes that are believed in full.
        effects = self._policies.remembers(assessment.device) if charge.place and belief is _FULL else 0
        if tries_password(attempt):
            effects |= Effect.RIGHT
        if renewed and assessment.token is not None:
            effects |= Effect.RENEWED
        self._ledger.settle(charge, assessment.verdict, effects)
        if belief is _FULL:
            forgive(self._ledger, self._mistyped, charge, charge.place, browser_key)
        if effects & Effect.LEARNS and attempt.limit_key:
            learn_as(self._ledger, self._other_name(attempt, charge), charge, assessment.verdict)
        # Each account's devices vouch for one address a day: an attacker's own account does not keep a botnet in.
        if self._feed is not None and effects & Effect.EARNS and assessment.device is not Device.STRANGER:
            self._feed.known(attempt.origin, charge, assessment.verdict)
        if assessment.token is not None and attempt.door.kind is DoorKind.CODE:
            self._forgive_steps(assessment, assessment.token)
        self._waits.refunded(charge)
        if assessment.work_receipt:
            self.refund_worked(assessment.work_receipt)
        return self._waits.end(charge)

    def _end_unproved(self, assessment: Assessment, outcome: Outcome, basis: Basis) -> None:
        """End an attempt without a success: its charge stands, unless its secret is known to be right.

        HTTP Basic repeats the secret with each request, and an answer such as 404 shows nothing about it.
        """
        attempt, charge = assessment.attempt, assessment.charge
        if outcome is not Outcome.UNKNOWN or attempt.door.reads_body:
            self._note(assessment, "", is_wrong=True)
            return self.end(assessment)
        if not self._trust.knows(self._trust.rule(attempt.door, basis), attempt, charge, self._clock_s()):
            return self.end(assessment)
        self._ledger.settle(charge, assessment.verdict)
        self._waits.refunded(charge)
        return self._waits.end(charge)

    def _other_name(self, attempt: Attempt, charge: Charge) -> bytes:
        """The digest of an account as known devices are counted, where this is a stranger's; or reversed."""
        return self._digests.account(attempt.limit_key if charge.known_device else attempt.canonical)

    def _forgive_steps(self, assessment: Assessment, token: Token) -> None:
        """Clear the failures of a known device whose code was right.

        In an application with its own second step, a right password is not yet a success, so each log-in leaves one
        failure.
        """
        attempt, verdict = assessment.attempt, assessment.verdict
        if not (attempt.secret and verdict.charged & Charged.KNOWN_DEVICE):
            return
        # Failures are kept under the account; codes may be counted apart. Times of 0: this refunds no charge.
        charge = self._digests.charge(attempt, token.device, token_generation=token.generation)
        verdict = verdict._replace(charged=Charged.KNOWN_DEVICE, tagged=0, at_us=0, account_at_us=0)
        self._ledger.settle(charge, verdict, Effect.RIGHT)

    def withhold(self, assessment: Assessment, browser_key: str, *, is_wrong: bool) -> None:
        """End an attempt whose answer is sealed: its charge stands until the proof.

        Args:
            assessment: of the attempt.
            browser_key: of the browser that the answer is sealed to.
            is_wrong: no proof will open it. A right secret is noted as a wrong one is, or it would take less time.
        """
        self.end(assessment)
        self._note(assessment, browser_key, is_wrong=is_wrong)

    def _note(self, assessment: Assessment, browser_key: str, *, is_wrong: bool) -> None:
        charge, verdict, receipt = assessment.charge, assessment.verdict, assessment.work_receipt
        self._mistyped.note(charge, verdict, receipt, browser_key, is_wrong=is_wrong)

    def end(self, assessment: Assessment) -> None:
        """End an attempt that had no trusted success: its charge stands."""
        self._ledger.fail(assessment.charge, assessment.verdict)
        self._waits.end(assessment.charge)

    def give_back(self, assessment: Assessment) -> None:
        """Refund an attempt that never reached the application: no secret was tried.

        Its tags stay, because the secret was not found right. If they were removed, an attacker could erase the traces
        of every guess by asking for a new password that is refused.
        """
        self._ledger.settle(assessment.charge, assessment.verdict._replace(tagged=0))

    def not_tried(self, assessment: Assessment) -> None:
        """Settle an attempt for which the application had no room: its secret was not checked.

        The account's charge is refunded: otherwise a crowd would use up the strangers' budget of an account without one
        guess. The address's charge stands: a flood that is turned away must reach the limits, and then the shed.
        """
        verdict = assessment.verdict
        charged = verdict.charged & ~(Charged.NETWORK | Charged.CREDIT)
        self._ledger.settle(assessment.charge, verdict._replace(charged=charged, tagged=0))

    def put_off(self, assessment: Assessment) -> None:
        """Keep the charge of an attempt that must first show a proof, and stop others waiting for its refund."""
        if assessment.verdict.last:
            self._ledger.fail(assessment.charge, assessment.verdict)

    def work_receipt(self, assessment: Assessment) -> bytes:
        """Receipt of the charge of an attempt that is answered by asking for work; empty where nothing was charged.

        Many owners behind one address would use up its limit merely by being asked. A client that solves the work and
        then has the right secret gets this charge back too. An attacker gains nothing: each receipt is refunded once,
        needs work solved for it at the same door, account and browser, and returns only its own attempt's charge.
        """
        return pack_receipt(assessment.charge, assessment.verdict) if assessment.verdict.charged else b""

    def refund_worked(self, receipt: bytes, *, proved: bool = False) -> None:
        """Refund the charge of an attempt that was answered by asking for work, now that the work has led to a success.

        `receipt`: from `work_receipt`. `proved`: whether the success is a second proof.
        """
        if receipt:
            self._waits.refunded(refund_worked(self._ledger, receipt, proved=proved))

    def refund_proved(self, receipt: bytes, account: bytes, place: bytes = b"", browser_key: str = "") -> None:
        """Refund the charge of an attempt, now that the account's owner has shown a second factor.

        Args:
            receipt: of the attempt's charge.
            account: the account's digest.
            place: from the method of that name; empty where no history is kept.
            browser_key: of the browser that has shown the factor.
        """
        charge = refund_proved(self._ledger, receipt, account, place, self._networks_max)
        forgive(self._ledger, self._mistyped, charge, place, browser_key)
        self._waits.refunded(charge)

    def place(self, account: str, origin: Origin, family: int) -> bytes:
        """The network of a client, as an account's history names it: another name at each account.

        Empty where no history is kept.
        """
        return self._digests.place(account, origin, family) if self._keeps_history else b""

    def saw_success(self, assessment: Assessment, basis: Basis, now_s: float) -> tuple[Belief, RuleTrust | None]:
        """How far a success is believed, and the rule that it casts suspicion on, which must be tested or cleared.

        `now_s`: Unix time in seconds.
        """
        trust, attempt = self._trust, assessment.attempt
        rule = trust.rule(attempt.door, basis)
        suspected = trust.saw(rule, attempt, assessment.charge, now_s)
        return trust.belief(rule, attempt, assessment.charge), rule if suspected else None

    def is_wrong(self, door: Door) -> bool:
        """Whether a success rule of this door was found to be wrong."""
        return any(self._trust.rule(door, basis).state is RuleState.WRONG for basis in Basis)
