"""The guard: what happens to an attempt, in order. Knows no HTTP.

at_the_gate   before the body is read: the deny list, and refusals that this worker remembers
assess        charge, look the secret up, judge, and where log-ins are under way wait for them
weigh_choice  look a new password up
settle        give back what a proven success still weighs, and renew its device token
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.judge import Belief, RuleState, SuccessTrust, decide
from sekisho.judge.trust import MARK_BYTES
from sekisho.model import (
    UNKNOWN,
    Action,
    Attempt,
    Basis,
    Charge,
    Charged,
    Decision,
    Device,
    DoorKind,
    Exposure,
    Finding,
    Ledger,
    Limits,
    LimitSet,
    Outcome,
    Policy,
    Signals,
    Unreadable,
    Verdict,
)
from sekisho.model.value import Value
from sekisho.observe.limiter.ledger import UNHINDERED
from sekisho.observe.limiter.receipt import pack_receipt, unpack_receipt
from sekisho.observe.limiter.waiting import MOMENT_US, PAUSES_S
from sekisho.read import contains, denies

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.challenge import DeviceTokens, Token
    from sekisho.judge import RuleTrust
    from sekisho.ledger.daily import DailyGuesses
    from sekisho.model import Door, Origin
    from sekisho.observe.breach.known import Breaches
    from sekisho.observe.limiter.shed import Shed
    from sekisho.observe.limiter.waiting import WaitingRoom
    from sekisho.read import Accounts, Digests, Networks, OriginDigests

REFUSED = UNHINDERED._replace(charged=0)
"""The verdict on what never came before the ledger: nothing was charged, so nothing can be given back."""

_PAUSES_S = (*PAUSES_S, 0.0)  # after the last one it is not asked again

DENIED = Decision(Action.DENY, Action.DENY, (Finding(Action.DENY, "deny_list"),), 0)


@final
class Assessment(Value):
    """An attempt with all that was found out about it. Settle it exactly once.

    `device`: the class that it was judged by.
    """

    __slots__ = ("attempt", "charge", "decision", "device", "exposure", "question", "token", "verdict")

    def __init__(
        self,
        attempt: Attempt,
        charge: Charge,
        verdict: Verdict,
        decision: Decision,
        token: Token | None,
        exposure: Exposure = UNKNOWN,
        question: bytes = b"",
        device: Device = Device.STRANGER,
    ) -> None:
        self.attempt: Final = attempt
        self.charge: Final = charge
        self.verdict: Final = verdict
        self.decision: Final = decision
        self.token: Final = token
        self.exposure: Final = exposure
        self.question: Final = question
        self.device: Final = device


class Guard:
    """Assesses and settles attempts for one event loop.

    Args:
        ledger: counts.
        limits: the same as the ledger's; how many may wait for one counter is read from them.
        digests, tokens: made from the service's secrets.
        policy: what counts as too much.
        shed: refusals of this worker.
        room: where attempts wait for log-ins under way.
        trust: how far successes are trusted.
        allow: addresses whose ip, network and device limits are lifted.
        deny: addresses that are refused.
        breaches: what is known of passwords.
        leaked_account: the account as lists of leaked pairs are searched for it.
        clock_s: Unix time in seconds.
        chance: `n -> n` random bytes.
        guesses: the day's cap on guesses at codes; None where there is none.
    """

    def __init__(  # noqa: PLR0913 - everything it works with arrives from outside
        self,
        *,
        ledger: Ledger,
        limits: LimitSet,
        digests: Digests,
        tokens: DeviceTokens,
        policy: Policy,
        shed: Shed,
        room: WaitingRoom,
        trust: SuccessTrust,
        allow: Networks | None,
        deny: Networks | None,
        breaches: Breaches,
        leaked_account: Callable[[Attempt], str],
        clock_s: Callable[[], float],
        chance: Callable[[int], bytes],
        guesses: DailyGuesses | None = None,
    ) -> None:
        self._ledger = ledger
        self._limits = limits
        self._digests = digests
        self._tokens = tokens
        # Where nobody is named, or an account is only just being opened, nobody's proof can be asked for.
        self._policies = {True: policy, False: policy.without_factors()}
        self._for_codes = {has_owner: one.for_small_secrets() for has_owner, one in self._policies.items()}
        self._shed = shed
        self._room = room
        self._trust = trust
        self._allow = allow
        self._deny = deny
        self._breaches = breaches
        self._leaked_account = leaked_account
        self._clock_s = clock_s
        self._chance = chance
        self._guesses = guesses

    def at_the_gate(
        self, origin: Origin, digests: OriginDigests, *, token: str = "", anybody: bool = False
    ) -> Decision | None:
        """A refusal that needs no look at the attempt, or None where it is looked at, as `anybody` is if that is set.

        A genuine device token earns a look at its lane. Any other would have a refused caller's body read for nothing.
        """
        if self._deny is not None and denies(self._deny, origin.address):
            return DENIED
        # What the shed keeps of a network was some neighbour's doing: it binds nobody whom that limit does not.
        if anybody or self._is_exempt(origin) or not (wait_us := self._shed.wait_us(digests.ids)):
            return None
        if self.has_genuine_token(token):
            return None
        return _shed(wait_us)

    async def assess(
        self,
        attempt: Attempt,
        digests: OriginDigests,
        *,
        family: int = 0,
        worked: bool = False,
        proved: bool = False,
        asker: bytes = b"",
        question: bytes = b"",
    ) -> Assessment:
        """Charge the attempt and judge it. Raises `StoreUnavailable` where the settings refuse to judge without it.

        `worked`: work was done for it. `proved`: its owner has shown a second proof for it. `asker`: the name of the
        browser, where it asked for the code that is tried. `question`: receipt of what was charged for asking for the
        work; see `question`.

        Charged before the secret is looked at, or a thousand parallel guesses would all see an empty bucket.
        """
        token = self._token(attempt, family)
        # A stolen token is no way round the shed: for another account, or over its budget, it counts for nothing.
        exempt = self._is_exempt(attempt.origin)
        if token is None and not exempt and not question and (wait_us := self._shed.wait_us(digests.ids)):
            return self._shed_late(attempt, digests, wait_us)
        bucket = b"" if _tries_password(attempt) else _bucket(attempt, asker)
        charge = self._digests.charge(
            attempt,
            token.device if token else b"",
            origin=digests,
            lane_generation=token.generation if token else 0,
            exempt=exempt,
            bucket=bucket,
        )
        exposure = self._exposure(attempt)
        policy = self._policy(attempt)
        tagged = 0
        for pause_s in _PAUSES_S:
            verdict = await self._ledger.charge(charge)
            if attempt.limit_key and charge.lane and not verdict.charged & Charged.LANE:
                self._ledger.settle(charge, verdict)
                # A stranger's attempt is counted by the limit key; a known device's lies with the account itself.
                charge = self._digests.charge(attempt, origin=digests, exempt=exempt, bucket=bucket)
                found = await self._ledger.charge(charge)
                verdict = found._replace(lane_wait_us=verdict.lane_wait_us, lane_spent=verdict.lane_spent)
            if question and verdict.throttle_wait_us:
                tagged |= verdict.tagged
                question = self._make_place(question)
                verdict = await self._ledger.charge(charge)
            device = Device.PROVED if proved else _device(token, verdict)
            decision = decide(Signals(verdict, device, exposure=exposure, worked=worked), policy)
            if decision.passes or not (pause_s and self._may_change(charge, verdict)):
                break
            if not await self._waits(charge, verdict, pause_s):
                break
            # It asks anew, so what it was charged for asking in vain goes back. Its tags stay, and stay its own.
            tagged |= verdict.tagged
            self._ledger.settle(charge, verdict._replace(tagged=0))
        verdict = verdict._replace(tagged=verdict.tagged | tagged) if tagged else verdict
        # Only for who would pass: a flood over its limits must not become a flood at the service that is asked.
        if decision.passes and _tries_password(attempt) and self._breaches.would_ask(exposure):
            exposure = await self._breaches.ask(attempt.secret, exposure)
            decision = decide(Signals(verdict, device, exposure=exposure, worked=worked), policy)
        if decision.passes and device is Device.STRANGER and _tries_code(attempt):
            decision = await self._within_the_day(attempt, decision, asked=bool(asker))
        if not decision.passes:
            self._refused(charge, verdict, decision)
        # A copy of a renewed token is not next in its line: after a success, its holder is a device of its own.
        spent = verdict.lane_spent
        return Assessment(attempt, charge, verdict, decision, None if spent else token, exposure, question, device)

    async def weigh_choice(self, attempt: Attempt) -> bool | None:
        """Whether the password that is chosen here has leaked; `None` where nobody can tell."""
        exposure = self._breaches.look(self._leaked_account(attempt), attempt.new_secret)
        if self._breaches.would_ask(exposure):
            exposure = await self._breaches.ask(attempt.new_secret, exposure)
        if exposure.is_breached(self._policies[True].prevalence_min):
            return True
        return None if exposure.password is None else False

    def give_back(self, assessment: Assessment) -> None:
        """Nothing was tried after all: the attempt never reached the application.

        Its tags stay: nobody has said that the secret is right. Were they taken out, whoever asks for a new password
        that is refused would be rid of the traces of every guess.
        """
        self._ledger.settle(assessment.charge, assessment.verdict._replace(tagged=0))

    def not_tried(self, assessment: Assessment) -> None:
        """There was no room for it in the application: nobody has looked at its secret.

        Its account gets the charge back, or a crowd would use up what strangers have at an account without one guess.
        Its address does not: a flood that is sent away has to come under the limits, and be shed.
        """
        verdict = assessment.verdict
        self._ledger.settle(assessment.charge, verdict._replace(charged=verdict.charged & ~Charged.NETWORK, tagged=0))

    def has_genuine_token(self, token: str) -> bool:
        """Whether this is a device token of ours, for whichever account."""
        return bool(token) and self._tokens.has_genuine(token, int(self._clock_s()))

    def put_off(self, assessment: Assessment) -> None:
        """It is not tried before something else is shown: its charge stands, and nobody need wait to see it go back."""
        if assessment.verdict.last:
            self._ledger.fail(assessment.charge, assessment.verdict)

    def question(self, assessment: Assessment) -> bytes:
        """Receipt of what an attempt was charged that is answered by a question; empty where nothing was.

        Many owners behind one address would use up its limit by being asked. Who does the work and then has the right
        secret gets this charge back with the other. Nobody gains by it: each receipt comes back once, with work that
        was done for it at the same door, account and browser, and returns what its own attempt was charged.
        """
        return pack_receipt(assessment.charge, assessment.verdict) if assessment.verdict.charged else b""

    def return_question(self, receipt: bytes) -> None:
        """Give back what the question was charged, now that its answer has succeeded."""
        if receipt:
            charge, verdict = unpack_receipt(receipt)
            self._ledger.settle(charge, verdict)
            for key in _counters(charge):
                self._room.settled(key)

    def _make_place(self, question: bytes) -> bytes:
        """Give back what the question was charged at its address, for its answer to be charged there; what is left.

        What it was charged at the account stays: the answer may be a repeat, which is free there.
        """
        charge, verdict = unpack_receipt(question)
        self._ledger.settle(charge, verdict._replace(charged=verdict.charged & Charged.NETWORK, tagged=0))
        left = verdict._replace(charged=verdict.charged & ~Charged.NETWORK)
        return pack_receipt(charge, left) if left.charged or left.tagged else b""

    def begin(self, assessment: Assessment) -> None:
        """The attempt goes to the application. From here on it is to be settled, exactly once."""
        self._room.begin(_counters(assessment.charge))

    def saw_success(self, assessment: Assessment, basis: Basis) -> tuple[Belief, RuleTrust | None]:
        """What a success is worth, and the rule that it raises a suspicion against: to be tested, or cleared."""
        trust, attempt = self._trust, assessment.attempt
        rule = trust.rule(attempt.door, basis)
        suspected = trust.saw(rule, attempt, assessment.charge, self._clock_s())
        return trust.belief(rule, attempt, assessment.charge), rule if suspected else None

    def is_wrong(self, door: Door) -> bool:
        """Whether a rule that tells successes at this door was found to be wrong."""
        return any(self._trust.rule(door, basis).state is RuleState.WRONG for basis in Basis)

    def settle(self, assessment: Assessment, outcome: Outcome, basis: Basis, *, renewed: bool) -> None:
        """Give the charge back after a success that is trusted; anything else leaves it standing, and is told to have
        failed.

        `renewed`: a new device token went out. One that was renewed in secret would send its own holder away.

        Only queues: an await here could be cancelled by a client that hangs up on seeing the answer, and its outcome
        would be lost.
        """
        charge, verdict = assessment.charge, assessment.verdict
        if outcome is not Outcome.SUCCEEDED or not self._refunds(assessment, basis):
            return self.end(assessment)
        renewed = renewed and assessment.token is not None
        self._ledger.settle(charge, verdict, renewed=renewed, right=_tries_password(assessment.attempt))
        if assessment.token is not None and assessment.attempt.door.kind is DoorKind.CODE:
            self._forgive_steps(assessment, assessment.token)
        for key in _counters(charge):
            self._room.settled(key)
        if assessment.question:
            self.return_question(assessment.question)
        return self._room.end(_counters(charge))

    def _forgive_steps(self, assessment: Assessment, token: Token) -> None:
        """Forget the failures of a known device whose code was right.

        At an application with a second step of its own no password is a success: each log-in leaves one behind.
        """
        attempt, verdict = assessment.attempt, assessment.verdict
        if not (attempt.secret and verdict.charged & Charged.LANE):
            return
        # They lie with the account, codes may be counted apart. At no time at all: nothing is given back with them.
        charge = self._digests.charge(attempt, token.device, lane_generation=token.generation)
        verdict = verdict._replace(charged=Charged.LANE, tagged=0, at_us=0, account_at_us=0)
        self._ledger.settle(charge, verdict, right=True)

    def end(self, assessment: Assessment) -> None:
        """The attempt has ended without a success that is trusted: its charge stands."""
        self._ledger.fail(assessment.charge, assessment.verdict)
        self._room.end(_counters(assessment.charge))

    def _refunds(self, assessment: Assessment, basis: Basis) -> bool:
        trust, attempt = self._trust, assessment.attempt
        return trust.refunds(trust.rule(attempt.door, basis), attempt, assessment.charge, self._clock_s())

    def refund(self, receipt: bytes, account: bytes) -> None:
        """Give back what an attempt still weighs whose owner has shown a second proof, and forget older failures.

        `account`: the digest of whose proof it was. Failures that a like name shares are not forgotten: whoever
        registers one, and proves to be its owner, would clear his victim's.
        """
        charge, verdict = unpack_receipt(receipt)
        self._ledger.settle(charge, verdict, proved=charge.account == account)
        for key in _counters(charge):
            self._room.settled(key)

    def counted(self, accounts: Accounts, account: str) -> bytes:
        """The digest of an account; nothing for what no account is called."""
        try:
            return self._digests.account(accounts.canonical(account))
        except Unreadable:
            return b""

    def now_s(self) -> float:
        """Unix time."""
        return self._clock_s()

    def proved_token(self, presented: str, account: str, family: int) -> tuple[str, bool]:
        """The device token after a second proof, and whether the device was a stranger until now."""
        now_s = int(self._clock_s())
        token = self._tokens.find(presented, account, family, now_s) if presented else None
        text = self._tokens.renewed(
            presented,
            account,
            # A new name for the device: its old token's lane may be known to whoever copied that.
            None,
            device_class=Device.PROVED,
            family=family,
            now_s=now_s,
            fresh=self._chance(8),
        )
        return text, token is None

    def new_token(self, assessment: Assessment, basis: Basis, family: int) -> str:
        """The device token after a success.

        A new device's name begins with the mark of the rule: if that turns out to be wrong, its tokens are void.
        """
        attempt, token = assessment.attempt, assessment.token
        return self._tokens.renewed(
            attempt.token,
            attempt.account,
            token,
            device_class=token.device_class if token else Device.SEEN,
            family=family,
            now_s=int(self._clock_s()),
            fresh=self._trust.rule(attempt.door, basis).mark + self._chance(8)[MARK_BYTES:],
        )

    def _policy(self, attempt: Attempt) -> Policy:
        policies = self._for_codes if _tries_code(attempt) else self._policies
        return policies[bool(attempt.account) and attempt.door.has_owner]

    async def _within_the_day(self, attempt: Attempt, decision: Decision, *, asked: bool) -> Decision:
        """The decision, or a refusal where the day has no guess left at this account's codes."""
        if self._guesses is None or not attempt.canonical:
            return decision
        counted = self._digests.account(attempt.limit_key or attempt.canonical)
        wait_us = await self._guesses.take(counted, asked=asked)
        return _throttled("account_guesses", wait_us) if wait_us else decision

    def _exposure(self, attempt: Attempt) -> Exposure:
        # For right secrets and wrong ones alike, and before anybody knows which it is: the time it takes says nothing.
        if not self._breaches.has_files or not _tries_password(attempt):
            return attempt.told
        return self._breaches.look(self._leaked_account(attempt), attempt.secret).worst(attempt.told)

    def _token(self, attempt: Attempt, family: int) -> Token | None:
        if not attempt.token or not attempt.account:
            return None
        token = self._tokens.find(attempt.token, attempt.account, family, int(self._clock_s()))
        if token is None or self._shed.wait_us((token.device,)):
            return None
        # A password was never right where a wrong rule said so. What a second proof earned stays good.
        void = self._trust.void
        return None if void and token.device_class is Device.SEEN and token.device[:MARK_BYTES] in void else token

    def _shed_late(self, attempt: Attempt, digests: OriginDigests, wait_us: int) -> Assessment:
        charge = self._digests.charge(attempt, origin=digests)
        return Assessment(attempt, charge, REFUSED, _shed(wait_us), None)

    def _is_exempt(self, origin: Origin) -> bool:
        # An allowed balancer that forwards for everybody would lift the limits of everybody.
        return self._allow is not None and not origin.forwarded_by_stranger and contains(self._allow, origin.address)

    def _refused(self, charge: Charge, verdict: Verdict, decision: Decision) -> None:
        if not self._may_change(charge, verdict):
            self._shed.remember(charge, verdict)
        # Of who is asked for something the middleware knows more: behind a step-up it is tried all the same.
        if verdict.last and decision.asked not in {Action.CHALLENGE, Action.STEP_UP}:
            self._ledger.fail(charge, verdict)

    def _may_change(self, charge: Charge, verdict: Verdict) -> bool:
        """Whether the refusal rests on log-ins that are still under way, wherever, or on what is left of such."""
        if not verdict.young:
            return False
        wait_us, key, _ = self._longest_wait(charge, verdict)
        return wait_us <= MOMENT_US or key in _counters(charge)

    async def _waits(self, charge: Charge, verdict: Verdict, pause_s: float) -> bool:
        """Wait for the counter that refuses longest, among at most as many as it lets in at once."""
        wait_us, key, waiters_max = self._longest_wait(charge, verdict)
        seconds_max = wait_us / 1e6 if wait_us <= MOMENT_US else pause_s
        return await self._room.wait(key, waiters_max=waiters_max, seconds_max=seconds_max)

    def _longest_wait(self, charge: Charge, verdict: Verdict) -> tuple[int, bytes, int]:
        limits = self._limits
        return max(
            (verdict.account_wait_us, charge.account, _burst(limits.account)),
            (verdict.ip_wait_us, charge.ip, _burst(limits.ip)),
            (verdict.device_wait_us, charge.device, _burst(limits.device)),
            (verdict.network_wait_us, charge.networks[0], _burst(limits.networks[0])),
        )


def _counters(charge: Charge) -> tuple[bytes, ...]:
    """What attempts wait for. Ten log-ins at once are one person's or one house's, never a whole network's."""
    return charge.account, charge.ip


def _tries_password(attempt: Attempt) -> bool:
    return attempt.door.secret_is_password and bool(attempt.secret)


def _tries_code(attempt: Attempt) -> bool:
    return attempt.door.secret_is_small and bool(attempt.secret)


def _bucket(attempt: Attempt, asker: bytes) -> bytes:
    """What is counted apart from the account's passwords: requests that try no secret, and an asker's guesses.

    Four requests for a reset must not use up the log-ins of an account, nor a stranger's guesses those of the browser
    that asked for the code.
    """
    if not attempt.secret or attempt.door.secret_is_new:
        return attempt.door.kind.value.encode()
    return b"asker" + asker if asker else b""


def _shed(wait_us: int) -> Decision:
    return _throttled("shed", wait_us)


def _throttled(code: str, wait_us: int) -> Decision:
    return Decision(Action.THROTTLE, Action.THROTTLE, (Finding(Action.THROTTLE, code, wait_us),), wait_us)


def _device(token: Token | None, verdict: Verdict) -> Device:
    """What the token is worth now: nothing outside its own lane."""
    in_lane = token is not None and verdict.charged & Charged.LANE
    return token.device_class if token is not None and in_lane else Device.STRANGER


def _burst(limits: Limits) -> int:
    return min(limit.burst for limit in limits)
