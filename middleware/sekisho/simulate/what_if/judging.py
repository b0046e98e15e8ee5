"""Counts and judges recorded attempts again, under rules of one's choice.

The ledger is the guard's own in memory, on a clock that the lines set, and so is the judge. What neither of them finds
is taken from the lines: leaked passwords, accounts at which a secret was tried, refusals by lists and plug-ins.
"""

from __future__ import annotations

from collections import OrderedDict
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.judge import decide
from sekisho.judge.familiarity import is_spared
from sekisho.judge.policy import is_tried
from sekisho.judge.policy_choice import PolicyChoice
from sekisho.ledger.gcra import wait_us
from sekisho.ledger.memory import MemoryLedger
from sekisho.ledger.mistyped import Mistyped
from sekisho.ledger.receipt import ID_BYTES, NO_TAG, pack_receipt
from sekisho.ledger.records import FRESH, network_keys
from sekisho.ledger.settlement import forgive, make_place, refund_proved, refund_worked, settle_untried
from sekisho.model import (
    Action,
    Charge,
    Charged,
    Decision,
    Device,
    Effect,
    Exposure,
    Finding,
    Pair,
    Signals,
)
from sekisho.simulate.what_if.items import Attempted, Proved, Settled
from sekisho.stepup.flow.browser_key import SECONDS as KEY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sekisho.model import AskedFrom, Door, LimitSet, Policy, Verdict
    from sekisho.simulate.what_if.items import Item
    from sekisho.simulate.what_if.tally import ReplayTally

ENTRIES_MAX: Final = 10_000_000
KEPT_MAX: Final = 200_000
"""Attempts that may still be settled, questions that may be answered, accounts that may be proved."""

JUDGED: Final = frozenset({
    "account_failures", "under_proof", "unproved_device", "familiar_address", "crowded_address", "ip_rate",
    "network_rate", "device_rate", "account_rate", "account_locked",
    "breached_password", "breached_pair", "breached_pair_variant",
    "device_token_reused", "device_token_over_budget", "counters_lost", "ip_failures", "ip_accounts",
    "network_accounts", "device_accounts", "account_ips", "secret_accounts", "shed",
})  # fmt: skip
"""Reasons that the judge finds again. Others are taken from the lines."""

SHED: Final = "shed"
_SECRET: Final = b"what"  # stands for all secrets: the number of accounts at which one was tried is in the line
_NOWHERE: Final = bytes(16)


class Rules(NamedTuple):
    """Attributes:
    limits: of the ledger.
    policy: of the judge, at a log-in whose owner can be asked.
    asked: the postures in which strangers are asked.
    doors: by their names; one that is missing is taken for a form with a password.
    """

    limits: LimitSet
    policy: Policy
    asked: AskedFrom
    doors: Mapping[str, Door] = MappingProxyType({})

    @property
    def choice(self) -> PolicyChoice:
        return PolicyChoice(self.policy, self.asked)

    def reads_body(self, door: str) -> bool:
        return door not in self.doors or self.doors[door].reads_body

    def tries_password(self, door: str) -> bool:
        return door not in self.doors or self.doors[door].secret_is_password


class _Open(NamedTuple):
    """An attempt that is judged and may be settled.

    Attributes:
        change: how its decision differs from what was recorded; negative: milder, positive: stricter.
        work_receipt: receipt of the attempt that was answered by asking for the work that this one brings.
    """

    attempted: Attempted
    charge: Charge
    verdict: Verdict
    decision: Decision
    change: int
    work_receipt: bytes


class _Kept(OrderedDict[str, _Open]):
    """The newest `KEPT_MAX` attempts by some key."""

    def keep(self, key: str, found: _Open) -> None:
        self[key] = found
        if len(self) > KEPT_MAX:
            self.popitem(last=False)


def judge_again(items: Iterable[Item], rules: Rules, tally: ReplayTally) -> None:
    """Count and judge recorded attempts again under `rules`, and add the decisions to `tally`.

    Raises `ValueError` for steps of a policy that do not exist.
    """
    judging = _Judging(rules, tally)
    for item in items:
        judging.hear(item)


class _Judging:
    def __init__(self, rules: Rules, tally: ReplayTally) -> None:
        self._rules = rules
        self._choice = rules.choice
        self._tally = tally
        self._now_us = 0
        self._ledger = MemoryLedger(rules.limits, entries_max=ENTRIES_MAX, clock_us=lambda: self._now_us)
        self._policies: dict[str, Policy] = {}
        self._judged: OrderedDict[str, None] = OrderedDict()
        self._open, self._asked, self._withheld = _Kept(), _Kept(), _Kept()
        self._shared: OrderedDict[str, bytes] = OrderedDict()
        self._mistyped = Mistyped()
        self._browsers: OrderedDict[str, tuple[str, int]] = OrderedDict()

    def hear(self, item: Item) -> None:
        # Late lines do not set the clock back.
        self._now_us = max(self._now_us, item.at_us)
        if isinstance(item, Attempted):
            # Two lines name it: of its decision and of its settlement.
            if self._is_first(item.key):
                self._judge(item)
        elif isinstance(item, Settled):
            self._settle(item)
        else:
            self._prove(item)

    def _is_first(self, key: str) -> bool:
        if key in self._judged:
            return False
        self._judged[key] = None
        if len(self._judged) > KEPT_MAX:
            self._judged.popitem(last=False)
        return True

    def _judge(self, attempted: Attempted) -> None:
        charge = self._charge(attempted)
        policy = self._policy(attempted.counted.steps)
        if not attempted.counted.charged and SHED in attempted.reasons and self._is_full(charge):
            self._tally.judged(attempted, _decision(Action.THROTTLE, SHED))
            return
        asked = self._asked.pop(_client(attempted), None) if attempted.counted.worked else None
        work_receipt = pack_receipt(asked.charge, asked.verdict) if asked is not None and asked.verdict.charged else b""
        verdict, work_receipt = self._charged(charge, work_receipt)
        verdict = _with_recorded(verdict, attempted)
        decision = _decided(attempted, verdict, policy)
        if verdict.is_spared and not is_tried(verdict, decision, reads_body=self._rules.reads_body(attempted.door)):
            verdict = settle_untried(self._ledger, charge, verdict)
        change = self._tally.judged(attempted, decision)
        self._keep(_Open(attempted, charge, verdict, decision, change, work_receipt))

    def _charged(self, charge: Charge, work_receipt: bytes) -> tuple[Verdict, bytes]:
        """Charge, if need be in the place of the attempt that was asked for work; and the rest of its receipt."""
        verdict = self._ledger.charge_now(charge)
        if not (work_receipt and verdict.throttle_wait_us):
            return verdict, work_receipt
        left = make_place(self._ledger, charge, verdict, work_receipt)
        again = self._ledger.charge_now(charge)
        return again._replace(tagged=again.tagged | verdict.tagged), left

    def _keep(self, found: _Open) -> None:
        attempted, was_refused = found.attempted, found.attempted.action is not Action.ALLOW
        self._open.keep(attempted.key, found)
        if found.decision.passes:
            # Nothing says whether its secret is right.
            if was_refused and attempted.action is not Action.STEP_UP:
                self._ledger.fail(found.charge, found.verdict)
            return
        if found.verdict.last:
            self._ledger.fail(found.charge, found.verdict)
        if found.decision.asked in {Action.CHALLENGE, Action.STEP_UP}:
            self._asked.keep(_client(attempted), found)

    def _settle(self, settled: Settled) -> None:
        found = self._open.pop(settled.key, None)
        if found is None:
            return
        self._tally.settled(found.change, settled.result)
        decision = found.decision
        self._had_no_question(found)
        if not decision.passes and decision.asked is not Action.STEP_UP:
            return  # it would not have reached the application
        if settled.result == "succeeded" and _is_told(found, is_withheld=settled.is_withheld):
            self._succeeded(found)
            return
        self._ledger.fail(found.charge, found.verdict)
        if settled.result != "succeeded":
            self._note(found, settled)
        elif settled.is_withheld:
            self._withheld.keep(found.attempted.account, found)

    def _note(self, found: _Open, settled: Settled) -> None:
        """Note a wrong secret, as the settler does."""
        if settled.result == "failed" or self._rules.reads_body(found.attempted.door):
            browser_key = self._browser_key(found.attempted) if settled.is_withheld else ""
            self._mistyped.note(found.charge, found.verdict, found.work_receipt, browser_key, is_wrong=True)

    def _browser_key(self, attempted: Attempted) -> str:
        """What stands for the key of the browser that an answer was sealed to: no line names it. It ends as its cookie.

        An owner who comes back after that has another one.
        """
        client = _client(attempted)
        begun, until_us = self._browsers.get(client, ("", 0))
        key = begun if attempted.at_us < until_us else attempted.key
        self._browsers[client] = key, attempted.at_us + KEY_SECONDS * 1_000_000
        if len(self._browsers) > KEPT_MAX:
            self._browsers.popitem(last=False)
        return key

    def _had_no_question(self, found: _Open) -> None:
        """The application has run for this attempt: it was not answered by asking for work."""
        asked = self._asked.get(_client(found.attempted))
        if asked is not None and asked.attempted.key == found.attempted.key:
            del self._asked[_client(found.attempted)]

    def _succeeded(self, found: _Open) -> None:
        attempted = found.attempted
        effects = self._choice.remembers(attempted.device) if found.charge.place else 0
        if self._rules.tries_password(attempted.door):
            effects |= Effect.RIGHT
        self._ledger.settle(found.charge, found.verdict, effects)
        is_held = not found.decision.passes or attempted.device is not Device.PROVED
        browser_key = self._browser_key(attempted) if is_held else ""
        forgive(self._ledger, self._mistyped, found.charge, found.charge.place, browser_key)
        self._refund_worked(found, proved=False)

    def _prove(self, proved: Proved) -> None:
        if (found := self._withheld.pop(proved.account, None)) is None:
            return
        charge = found.charge
        own = b"" if found.attempted.counted.similar else charge.account
        receipt = pack_receipt(charge, found.verdict)
        refund_proved(self._ledger, receipt, own, charge.place, len(self._rules.limits.networks))
        forgive(self._ledger, self._mistyped, charge, charge.place, self._browser_key(found.attempted))
        self._refund_worked(found, proved=True)

    def _refund_worked(self, found: _Open, *, proved: bool) -> None:
        if found.work_receipt:
            refund_worked(self._ledger, found.work_receipt, proved=proved)

    def _counted_name(self, attempted: Attempted) -> bytes:
        """The name under which an account is counted here: of its two, that which similar accounts share.

        The guard learns a success under both, and a line names one.
        """
        counted = attempted.counted
        if not counted.place:
            return counted.account
        if counted.similar:
            self._shared[attempted.account] = counted.account
            if len(self._shared) > KEPT_MAX:
                self._shared.popitem(last=False)
        return self._shared.get(attempted.account, counted.account)

    def _is_full(self, charge: Charge) -> bool:
        """Whether the limits of the address refuse. Nothing is charged: a worker's shed asks no ledger."""
        limits = self._rules.limits
        each = (*limits.networks[: len(charge.networks)], limits.ip, limits.device)
        tats = (self._ledger.book.get(key, FRESH).tats for key in network_keys(charge))
        return any(wait_us(one, its, self._now_us) > 0 for one, its in zip(tats, each, strict=True))

    def _policy(self, steps: str) -> Policy:
        policy = self._policies.get(steps)
        if policy is None:
            rules = self._rules
            policy = rules.policy.repeated(steps, rules.asked)
            self._policies[steps] = policy
        return policy

    def _charge(self, attempted: Attempted) -> Charge:
        counted = attempted.counted
        networks = tuple(map(_id, counted.networks[: len(self._rules.limits.networks)]))
        address = bytes.fromhex(attempted.address) or _NOWHERE
        has_bucket = bool(counted.known_device) and not counted.spent
        return Charge(
            networks[-1],
            networks,
            address,
            bytes.fromhex(attempted.fingerprint) or _NOWHERE,
            _id(self._counted_name(attempted)),
            counted.known_device if has_bucket else b"",
            counted.generation if has_bucket else 0,
            _SECRET if counted.has_secret else b"",
            counted.who or NO_TAG,
            address[:4],
            counted.pair or counted.who or NO_TAG,
            counted.pair or counted.who or NO_TAG,
            counted.exempt,
            counted.place,
            counted.may_spend,
            tries=counted.tries,
        )


def _id(name: bytes) -> bytes:
    """A name of the line as long as those that receipts hold; an empty one stays empty."""
    return name and name.ljust(ID_BYTES, b"\0")


def _with_recorded(verdict: Verdict, attempted: Attempted) -> Verdict:
    """The verdict, with what only the line can tell."""
    counted = attempted.counted
    has_bucket = bool(counted.known_device) and not counted.spent
    over_budget = "device_token_over_budget" in attempted.reasons and not has_bucket
    return verdict._replace(
        spread=verdict.spread._replace(accounts_per_secret=counted.secret_accounts),
        token_spent=counted.spent,
        known_device_wait_us=1 if over_budget else verdict.known_device_wait_us,
        counters_lost=counted.lost,
    )


def _decided(attempted: Attempted, verdict: Verdict, policy: Policy) -> Decision:
    seen = Signals(
        verdict,
        _device(attempted, verdict),
        exposure=_exposure(attempted, policy),
        worked=attempted.counted.worked,
        familiar=is_spared(verdict, policy),
    )
    return _with_foreign(decide(seen, policy), attempted)


def _is_told(found: _Open, *, is_withheld: bool) -> bool:
    """Whether a success is answered as one before a proof."""
    was_asked = found.attempted.action is Action.STEP_UP
    if found.decision.passes:
        return was_asked or not is_withheld
    # A familiar stranger is asked like all others, and let in without a proof behind a right secret.
    return was_asked and not is_withheld


def _device(attempted: Attempted, verdict: Verdict) -> Device:
    if not attempted.counted.known_device or attempted.counted.spent:
        return attempted.device
    if not verdict.charged & Charged.KNOWN_DEVICE:
        return Device.STRANGER
    return attempted.device or Device.SEEN


def _exposure(attempted: Attempted, policy: Policy) -> Exposure:
    """What leaks told of its secret: a leaked password is taken to have leaked often enough under any rules."""
    reasons = attempted.reasons
    pair = Pair.VARIANT if "breached_pair_variant" in reasons else None
    return Exposure(
        policy.prevalence_min if "breached_password" in reasons else None,
        Pair.EXACT if "breached_pair" in reasons else pair,
    )


def _with_foreign(decision: Decision, attempted: Attempted) -> Decision:
    """The decision; or the one in the line, where something else than the judge made it and it is sterner."""
    foreign = [reason for reason in attempted.reasons if reason not in JUDGED]
    if not foreign or attempted.action <= decision.asked:
        return decision
    return _decision(attempted.action, *foreign)


def _decision(action: Action, *reasons: str) -> Decision:
    return Decision(action, action, tuple(Finding(action, reason) for reason in reasons), 0)


def _client(attempted: Attempted) -> str:
    return f"{attempted.account} {attempted.address}"
