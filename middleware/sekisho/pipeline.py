"""The guard charges and judges attempts, in this order of calls. It knows no HTTP.

assess        charge, look the secret up, judge; wait where the refusal rests on log-ins that are still under way
weigh_choice  look a new password up

Before the body is read, `sekisho.gate` has let the client pass. Each assessed attempt is then settled by
`sekisho.settler`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.assessment import Assessment
from sekisho.devices.token import Token, class_by
from sekisho.judge import decide, decide_with
from sekisho.judge.attempt_kind import asks_owner, counter_scope, is_log_in, tries_password
from sekisho.judge.familiarity import is_spared
from sekisho.judge.policy import asks_all, is_tried, throttled
from sekisho.judge.policy_choice import PolicyChoice, heeds_age
from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.ledger.crowded_tries import CrowdedTries
from sekisho.ledger.settlement import make_place, settle_untried
from sekisho.model import (
    Action,
    Attempt,
    Charge,
    Charged,
    Decision,
    Device,
    DoorKind,
    Exposure,
    Ledger,
    Nearby,
    Policy,
    Posture,
    Signals,
    Unreadable,
    Verdict,
)
from sekisho.model.shown_proofs import NOTHING_SHOWN, ShownProofs

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.breach.lookup import BreachLookup
    from sekisho.detect import PostureWatch
    from sekisho.gate import Gate
    from sekisho.known_devices import KnownDevices
    from sekisho.ledger.awaited_refunds import AwaitedRefunds
    from sekisho.ledger.daily_refusals import DailyRefusals
    from sekisho.model import Door
    from sekisho.plugins.running import PluginSignals
    from sekisho.read import Accounts, Digests, OriginDigests
    from sekisho.record.decision_times import Stopwatch

REFUSED = UNHINDERED._replace(charged=0)
"""The verdict on an attempt that was refused without the ledger: nothing was charged, so nothing can be refunded."""

_LOGIN: Final = DoorKind.LOGIN
SECOND_US: Final = 1_000_000


class Guard:
    """Assesses attempts for one event loop.

    Args:
        ledger: counts.
        digests: made from the service's secrets.
        devices: which devices are known, and by which tokens.
        policies: which findings lead to which action.
        gate: remembers refusals, and knows which addresses are exempt.
        waits: where refused attempts wait for refunds of log-ins under way.
        breaches: looks passwords up in breach data.
        clock_s: Unix time in seconds.
        times: takes how long each decision took; None for no record.
        daily: refuses what is over a day's limit; None where no door needs it.
        watch: the posture by which strangers are asked for a factor at log-ins; None where they always are.
        keeps_history: successes are remembered for each account, and earn credit for addresses.
        signals: finds more about an attempt, by its plug-ins; None where there are none.
    """

    def __init__(  # noqa: PLR0913 - everything it works with arrives from outside
        self,
        *,
        ledger: Ledger,
        digests: Digests,
        devices: KnownDevices,
        policies: PolicyChoice,
        gate: Gate,
        waits: AwaitedRefunds,
        breaches: BreachLookup,
        clock_s: Callable[[], float],
        times: Stopwatch | None = None,
        daily: DailyRefusals | None = None,
        watch: PostureWatch | None = None,
        keeps_history: bool = False,
        signals: PluginSignals | None = None,
    ) -> None:
        self._ledger = ledger
        self._digests = digests
        self.devices: Final = devices
        self._policies = policies
        self._watch = watch
        self._gate = gate
        self._waits = waits
        self._breaches = breaches
        self._checks_further = breaches.has_service or daily is not None
        self._clock_s = clock_s
        self._times = times
        self._daily = daily
        self._keeps_history = keeps_history
        self._signals = signals
        self._crowded = CrowdedTries()

    async def assess(  # noqa: C901 - the order of things, in one place
        self, attempt: Attempt, digests: OriginDigests, *, family: int = 0, shown: ShownProofs = NOTHING_SHOWN
    ) -> Assessment:
        """Charge an attempt and judge it; returns the assessment, to be settled exactly once.

        Raises `StoreUnavailable` where the settings refuse to judge without the store.

        The charge comes before the secret is looked at: otherwise a thousand parallel guesses would all see an empty
        bucket.
        """
        began_us = self._times.clock_us() if self._times is not None else 0
        token = self.devices.trusted_token(attempt, family)
        exempt, work_receipt, tagged, waited = self._gate.is_exempt(attempt.origin), shown.work_receipt, 0, 0
        # A stolen token does not get around the shed: for another account, or over its budget, it is ignored.
        if token is None and not exempt and not work_receipt and (wait_us := self._gate.shed_us(digests)):
            return self._shed_late(attempt, digests, wait_us)
        policy = self._policy(attempt, digests, family, token)
        charge = self._charge(attempt, digests, token, family, shown, policy, exempt=exempt)
        exposure = self._breaches.exposure_of(attempt)
        # Charge and judge; once more after each wait, where the refusal rests on log-ins that may still be refunded.
        while True:
            verdict = await self._ledger.charge(charge)
            if attempt.limit_key and charge.known_device and not verdict.charged & Charged.KNOWN_DEVICE:
                # A stranger's attempt is counted under the limit key, a known device's under the account itself.
                before, charge = charge, self._charge(attempt, digests, None, family, shown, policy, exempt=exempt)
                verdict = await self._charge_instead(charge, before, verdict)
            if work_receipt and verdict.throttle_wait_us:
                verdict, work_receipt = await self._charge_in_its_place(charge, verdict, work_receipt)
            device = Device.PROVED if shown.proved else class_by(token, verdict)
            decision = self._judge(attempt, verdict, device, exposure, policy, worked=shown.worked)
            waits = not decision.passes and self._may_be_lifted(charge, verdict, decision)
            if not waits or not await self._waits.wait(charge, verdict, waited, is_each_request=attempt.door.by_header):
                break
            waited += 1
            # The next round charges again, so this round's charge is refunded. Its tags stay, and stay its own.
            tagged |= verdict.tagged
            self._ledger.settle(charge, verdict._replace(tagged=0))
        if tagged:
            verdict = verdict._replace(tagged=verdict.tagged | tagged)
        if verdict.marks:
            verdict = self._at_shared_address(attempt.door, charge, verdict, decision)
        # A copy of a renewed token is not renewed again, nor is a token from before a change of the password: after a
        # success its client gets a new device name.
        kept = None if verdict.token_spent else token
        assessment = Assessment(
            attempt, charge, verdict, decision, kept, policy, exposure, work_receipt, device, shown.worked
        )
        if decision.passes and self._is_checked_further(assessment, shown):
            assessment = await self._checked_further(assessment, digests, shown, exempt=exempt)
        if not assessment.decision.passes:
            self._refused(assessment)
        if self._times is not None:
            self._times.stop(began_us, attempt.door.name, assessment.decision)
        return assessment

    async def weigh_choice(self, attempt: Attempt) -> bool | None:
        """Whether the newly chosen password has leaked; `None` where no source could tell."""
        exposure = await self._breaches.of_choice(attempt)
        if exposure.is_breached(self._policies.plain.prevalence_min):
            return True
        return None if exposure.password is None else False

    def _at_shared_address(self, door: Door, charge: Charge, verdict: Verdict, decision: Decision) -> Verdict:
        """The verdict on an attempt at an address that may have credit."""
        if verdict.is_of_many:
            self._gate.spare(charge)
        if verdict.is_spared and not is_tried(verdict, decision, reads_body=door.reads_body):
            return settle_untried(self._ledger, charge, verdict)
        if verdict.is_spared and charge.tries:
            self._crowded.take(charge.ip, self._now_us())
        return verdict

    def crowding(self, charge: Charge, verdict: Verdict) -> float:
        """Return how much of its room for tries a crowded address has used up, 0 to 1; 0 at any other address.

        Whether the account exists or is known there changes nothing: each that was tried has taken as much.
        """
        return self._crowded.used(charge.ip, self._now_us()) if verdict.is_crowded else 0.0

    def account_digest(self, accounts: Accounts, account: str) -> bytes:
        """The digest of an account; empty for text that cannot be an account name."""
        try:
            return self._digests.account(accounts.canonical(account))
        except Unreadable:
            return b""

    def _now_us(self) -> int:
        return int(self._clock_s() * SECOND_US)

    def aged_device(self, assessment: Assessment) -> bytes:
        """The name of a device that is let in by its age alone; empty for all others."""
        token = assessment.token
        if token is None or not self.devices.is_aged(assessment.attempt, token):
            return b""
        return b"" if is_spared(assessment.verdict, self._policies.calm) else token.device

    def _policy(self, attempt: Attempt, digests: OriginDigests, family: int, token: Token | None) -> Policy:
        # Threat E31: a thief who was let in before the attack was recognised has a device that was seen.
        under_proof = self.devices.asked is not None and asks_owner(attempt) and self.devices.is_under_proof(attempt)
        if self._watch is not None and attempt.account and is_log_in(attempt):
            posture = self._watch.of(attempt.door.name, digests, family)
            if heeds_age(posture, under_proof=under_proof) and self.devices.is_aged(attempt, token):
                return self._policies.aged
            raised = posture is not Posture.CALM
            nearby = self._watch.nearby(attempt.door.name, digests) if raised else Nearby.UNASKED
            return self._policies.at_log_in(posture, under_proof=under_proof, nearby=nearby)
        return self._policies.at_door(attempt, under_proof=under_proof)

    def _charge(
        self,
        attempt: Attempt,
        digests: OriginDigests,
        token: Token | None,
        family: int,
        shown: ShownProofs,
        policy: Policy,
        *,
        exempt: bool,
    ) -> Charge:
        scope = counter_scope(attempt, shown.asker)
        place, may_spend, tries = b"", False, False
        if self._keeps_history and attempt.door.kind is _LOGIN and attempt.secret and attempt.account:
            place = self._digests.place(attempt.account, attempt.origin, family)
            # Where nobody can be asked for work, credit is spent without.
            may_spend = shown.worked or not policy.work
            tries = may_spend and policy.factors and self._crowded.has_room(digests.ip, self._now_us())
        return self._digests.charge(
            attempt,
            token.device if token else b"",
            origin=digests,
            token_generation=token.generation if token else 0,
            token_issued_us=token.issued_s * SECOND_US if token else 0,
            exempt=exempt,
            scope=scope,
            place=place,
            worked=may_spend,
            tries=tries,
        )

    async def _charge_instead(self, charge: Charge, before: Charge, verdict: Verdict) -> Verdict:
        """Refund a charge and charge another; the verdict on the device's own bucket stays."""
        self._ledger.settle(before, verdict)
        found = await self._ledger.charge(charge)
        return found._replace(known_device_wait_us=verdict.known_device_wait_us, token_spent=verdict.token_spent)

    async def _charge_in_its_place(self, charge: Charge, verdict: Verdict, receipt: bytes) -> tuple[Verdict, bytes]:
        """Charge again, in the place of the attempt that was answered by asking for work; and the rest of its receipt.

        That attempt may have had the last place of its address.
        """
        left = make_place(self._ledger, charge, verdict, receipt)
        again = await self._ledger.charge(charge)
        return again._replace(tagged=again.tagged | verdict.tagged), left

    def _may_be_lifted(self, charge: Charge, verdict: Verdict, decision: Decision) -> bool:
        """Whether an attempt waits for log-ins under way, whose refunds may lift its refusal."""
        # An account that is spared would not have to wait for its question: nor may others.
        return not asks_all(verdict, decision) and self._waits.may_lift(charge, verdict)

    def _judge(
        self, attempt: Attempt, verdict: Verdict, device: Device, exposure: Exposure, policy: Policy, *, worked: bool
    ) -> Decision:
        familiar = is_spared(verdict, policy)
        seen = Signals(verdict, device, exposure=exposure, worked=worked, familiar=familiar)
        if self._signals is None:
            return decide(seen, policy)
        return decide_with(self._signals.of(attempt, device), seen, policy)

    def _is_checked_further(self, assessment: Assessment, shown: ShownProofs) -> bool:
        """Whether an attempt that passes so far is checked where the answer takes a round trip."""
        return self._checks_further and (self._looks_up(assessment) or self._has_day_limit(assessment.attempt, shown))

    async def _checked_further(
        self, assessment: Assessment, digests: OriginDigests, shown: ShownProofs, *, exempt: bool
    ) -> Assessment:
        """Ask the breach service about the secret; if the attempt still passes, count it against the day's limits."""
        attempt = assessment.attempt
        if self._looks_up(assessment):
            exposure = await self._breaches.ask(attempt.secret, assessment.exposure)
            decision = self._judge(
                attempt, assessment.verdict, assessment.device, exposure, assessment.policy, worked=assessment.worked
            )
            assessment = assessment._replace(exposure=exposure, decision=decision)
        if self._daily is None or not assessment.decision.passes or not self._has_day_limit(attempt, shown):
            return assessment
        known = assessment.device is not Device.STRANGER
        refusal = await self._daily.of(attempt, digests, shown, known=known, exempt=exempt)
        return assessment if refusal is None else assessment._replace(decision=refusal)

    def _looks_up(self, assessment: Assessment) -> bool:
        """Whether the breach service is asked about a secret, whether it is right or wrong.

        Only for attempts that would pass: a flood over the limits must not become a flood at the breach service. A
        spared account is not looked up either: the wait would show that it is spared.
        """
        if assessment.verdict.is_spared or not tries_password(assessment.attempt):
            return False
        return self._breaches.would_ask(assessment.exposure)

    def _has_day_limit(self, attempt: Attempt, shown: ShownProofs) -> bool:
        return self._daily is not None and not (attempt.door.secret_is_password or shown.contacted)

    def _shed_late(self, attempt: Attempt, digests: OriginDigests, wait_us: int) -> Assessment:
        charge = self._digests.charge(attempt, origin=digests)
        return Assessment(attempt, charge, REFUSED, throttled("shed", wait_us), None, self._policies.plain)

    def _refused(self, assessment: Assessment) -> None:
        """Remember a refusal: in the shed, in the feed, and in the ledger as a failure."""
        charge, verdict = assessment.charge, assessment.verdict
        if not self._waits.may_lift(charge, verdict):
            self._gate.remember(assessment.attempt.origin, charge, verdict)
        # Challenges and step-ups are left to the middleware: behind a step-up the attempt is still tried.
        if verdict.last and assessment.decision.asked not in {Action.CHALLENGE, Action.STEP_UP}:
            self._ledger.fail(charge, verdict)
