"""How far a success is trusted: a wrong guess that is taken for one refunds its charge and earns a device token.

Two different secrets cannot both be right. One exact account that succeeds with two raises a *suspicion* against the
rule that said so. Refunds and tokens pause there until an invented log-in decides: if that is believed too, the rule is
*wrong* until it changes, and the tokens issued under it are void. A changed password or an attacker's own account
raises suspicions as well, and can never make a rule wrong.

A guess (no rule, no report) is trusted less from the start: no token, and refunds up to a cap, until it is proved.

Pure: keys and times arrive as arguments. What is remembered of secrets stays in this process.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from enum import Enum
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, final

from sekisho.model import Basis, DoorKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.model import Attempt, Charge, Door, SuccessRule

WINDOW_S: Final = 3_600
ACCOUNTS_MAX: Final = 4_096  # in one window; newcomers beyond it are not remembered
REFUNDS_MAX: Final = 16_384  # accounts and addresses with guessed refunds in one window; newcomers get none
SECRETS_MAX: Final = 8
"""Different secrets that one account may succeed with in two windows: more than anybody has app passwords."""
CLEARED_S: Final = 600
"""How long a rule is not suspected again after an invented log-in failed: its test is no lever for strangers."""

ID_BYTES: Final = 8
MARK_BYTES: Final = 2
"""What a device's name carries of its rule's id. One name in 65,536 that was issued before carries it by chance."""


_RULE: Final = Basis.RULE
_GUESS: Final = Basis.GUESS
_BASES: Final = (Basis.RULE, Basis.GUESS, Basis.REPORT)


class Belief(Enum):
    """What a success is worth."""

    FULL = "full"  # a refund, a device token
    CAPPED = "capped"  # refunds up to a cap, no token
    NOTHING = "nothing"


class RuleState(Enum):
    TRUSTED = "trusted"
    SUSPECTED = "suspected"  # an invented log-in is under way
    WRONG = "wrong"  # an invented log-in was believed


@final
class RuleTrust:
    """What is thought of one way to recognise a success at one door.

    Attributes:
        door: where.
        basis: how: the door's rules, a guess, or the application's report.
        id: 8 bytes, the same in every worker that has this rule.
        mark: how the names of devices begin whose tokens are issued under it.
        state: see `RuleState`.
        proved: an invented log-in failed and a right one succeeded; an operator has seen to that.
        cleared_until_s: until when no suspicion is raised.
    """

    __slots__ = ("basis", "cleared_until_s", "door", "id", "mark", "proved", "state")

    def __init__(self, door: Door, basis: Basis, rule_id: bytes) -> None:
        self.door = door
        self.basis = basis
        self.id = rule_id
        self.mark = rule_id[:MARK_BYTES]
        self.state = RuleState.TRUSTED
        self.proved = False
        self.cleared_until_s = 0.0

    @property
    def belief(self) -> Belief:
        if self.state is not RuleState.TRUSTED:
            return Belief.NOTHING
        return Belief.CAPPED if self.basis is Basis.GUESS and not self.proved else Belief.FULL

    def clear(self, now_s: float) -> None:
        """An invented log-in has failed, or could not be sent: the suspicion is over, for a while."""
        if self.state is RuleState.SUSPECTED:
            self.state = RuleState.TRUSTED
            self.cleared_until_s = now_s + CLEARED_S


class SuccessTrust:
    """Of a process: every event loop adds to it and goes by it.

    Args:
        doors: all of them.
        rule_key: makes the ids of rules; the same in every worker, and after a restart.
        account_burst, ip_burst: how many guessed refunds an account and an address get in an hour.
    """

    def __init__(self, doors: Iterable[Door], *, rule_key: bytes, account_burst: int, ip_burst: int) -> None:
        self._by_door: dict[str, list[RuleTrust]] = {
            door.name: [RuleTrust(door, basis, rule_id(door, basis, rule_key)) for basis in _BASES] for door in doors
        }
        self._rules = [rule for rules in self._by_door.values() for rule in rules]
        self._bursts = (account_burst, ip_burst)
        self._caps = self._bursts
        self._secrets = _Secrets()
        self._refunds = _Refunds()
        self.void: frozenset[bytes] = frozenset()
        """The marks of wrong rules."""

    @property
    def rules(self) -> tuple[RuleTrust, ...]:
        return tuple(self._rules)

    @property
    def statements(self) -> frozenset[bytes]:
        """What other workers should know: `w` (wrong) or `p` (proved), and the rule's id."""
        wrong = [b"w" + rule.id for rule in self._rules if rule.state is RuleState.WRONG]
        proved = [b"p" + rule.id for rule in self._rules if rule.proved]
        return frozenset([*wrong, *proved])

    def hear(self, statements: Iterable[bytes]) -> list[RuleTrust]:
        """What other workers know. Returns the rules of ours that turn out to be wrong."""
        told = list(statements)
        self.prove([one[1:] for one in told if one[:1] == b"p"])
        return self.latch([one[1:] for one in told if one[:1] == b"w"])

    def rule(self, door: Door, basis: Basis) -> RuleTrust:
        # Not by the basis as a key: Python hashes a member of an enumeration in Python.
        ruled, guessed, reported = self._by_door[door.name]
        return ruled if basis is _RULE else guessed if basis is _GUESS else reported

    def share(self, workers: int) -> None:
        """So many workers count guessed refunds, each for itself."""
        self._caps = (max(1, self._bursts[0] // workers), max(1, self._bursts[1] // workers))

    def saw(self, rule: RuleTrust, attempt: Attempt, charge: Charge, now_s: float) -> bool:
        """Note with which secret an account succeeded. Whether that raises a suspicion, which somebody has to test."""
        # Elsewhere secrets are meant to differ (codes), or to be replaced (a change of the password).
        if rule.door.kind is not DoorKind.LOGIN:
            return False
        if not self._secrets.differs(rule.mark, attempt, charge, now_s):
            return False
        if rule.state is not RuleState.TRUSTED or now_s < rule.cleared_until_s:
            return False
        rule.state = RuleState.SUSPECTED
        return True

    def belief(self, rule: RuleTrust, attempt: Attempt, charge: Charge) -> Belief:
        """What a success is worth now."""
        return Belief.NOTHING if self._secrets.has_too_many(rule.mark, attempt, charge) else rule.belief

    def refunds(self, rule: RuleTrust, attempt: Attempt, charge: Charge, now_s: float) -> bool:
        """Whether a success gives its charge back. To be asked once for each."""
        belief = self.belief(rule, attempt, charge)
        if belief is not Belief.CAPPED:
            return belief is Belief.FULL
        return self._refunds.take(((charge.account, self._caps[0]), (charge.ip, self._caps[1])), now_s)

    def latch(self, rule_ids: Iterable[bytes]) -> list[RuleTrust]:
        """These rules are wrong. Returns those of ours of which that is news."""
        wanted = frozenset(rule_ids)
        news = [rule for rule in self._rules if rule.id in wanted and rule.state is not RuleState.WRONG]
        for rule in news:
            rule.state = RuleState.WRONG
            rule.proved = False
        if news:
            self.void = self.void | {rule.mark for rule in news}
        return news

    def prove(self, rule_ids: Iterable[bytes]) -> None:
        """An operator has seen an invented log-in fail and a right one succeed under these rules."""
        wanted = frozenset(rule_ids)
        for rule in self._rules:
            if rule.id in wanted and rule.state is not RuleState.WRONG:
                rule.proved = True


_Key = tuple[bytes, bytes, int]


class _Secrets:
    """With which secrets accounts have succeeded lately. Bounded in number and in time.

    By what an attempt was charged with: an account's digest and the tag of secret and account, both under the
    service's key. They are made for every attempt anyway, and this memory leaves the process nowhere.
    """

    def __init__(self) -> None:
        self._young: dict[_Key, tuple[bytes, ...]] = {}
        self._old: dict[_Key, tuple[bytes, ...]] = {}
        self._until_s = 0.0
        self._overfull: set[_Key] = set()  # a part of the young ones

    def differs(self, mark: bytes, attempt: Attempt, charge: Charge, now_s: float) -> bool:
        """Whether this account has succeeded with another secret before."""
        if now_s >= self._until_s:
            self._rotate(now_s)
        key, secret = _key(mark, attempt, charge), charge.member_tag
        before = self._young.get(key) or self._old.get(key) or ()
        if secret in before:
            self._keep(key, before)
            return False
        self._keep(key, (*before, secret)[-SECRETS_MAX:])
        if len(before) >= SECRETS_MAX and key in self._young:
            self._overfull.add(key)
        return bool(before)

    def has_too_many(self, mark: bytes, attempt: Attempt, charge: Charge) -> bool:
        """Whether this account has succeeded with more secrets than can be right."""
        return bool(self._overfull) and _key(mark, attempt, charge) in self._overfull

    def _keep(self, key: _Key, secrets: tuple[bytes, ...]) -> None:
        if key in self._young or len(self._young) < ACCOUNTS_MAX:
            self._young[key] = secrets

    def _rotate(self, now_s: float) -> None:
        self._old = self._young if now_s < self._until_s + WINDOW_S else {}
        self._young = {}
        self._until_s = now_s + WINDOW_S
        self._overfull = set()


def _key(mark: bytes, attempt: Attempt, charge: Charge) -> _Key:
    # The exact account: where an application tells `Alice` from `alice`, each has a secret of its own. They are
    # counted as one, so Python's own hash tells the spellings apart; equal by chance, they raise a suspicion at most.
    return mark, charge.account, hash(attempt.account)


class _Refunds:
    """How many guessed successes were refunded in this window and the one before: never more than a cap in an hour."""

    def __init__(self) -> None:
        self._young: dict[bytes, int] = {}
        self._old: dict[bytes, int] = {}
        self._until_s = 0.0

    def take(self, wanted: tuple[tuple[bytes, int], ...], now_s: float) -> bool:
        """One refund for all of these keys, each with its cap; for none of them where one has had its own."""
        if now_s >= self._until_s:
            self._rotate(now_s)
        young, old = self._young, self._old
        for key, cap in wanted:
            # Forgetting others would hand out their refunds anew: a list of accounts would be a way round the cap.
            is_full = key not in young and len(young) >= REFUNDS_MAX
            if is_full or young.get(key, 0) + old.get(key, 0) >= cap:
                return False
        for key, _ in wanted:
            young[key] = young.get(key, 0) + 1
        return True

    def _rotate(self, now_s: float) -> None:
        self._old = self._young if now_s < self._until_s + WINDOW_S else {}
        self._young = {}
        self._until_s = now_s + WINDOW_S


def rule_id(door: Door, basis: Basis, key: bytes) -> bytes:
    """A rule's name among workers: it changes with the door and with the rule, and with nothing else."""
    rules = "|".join([_text(rule) for rule in door.success]) if basis is Basis.RULE else ""
    text = f"{door.kind.value}\n{door.name}\n{basis.value}\n{rules}"
    return blake2b(text.encode(), key=key[:64], digest_size=ID_BYTES, person=b"sekisho.rule").digest()


def _text(rule: SuccessRule) -> str:
    # What has its default is left out: a version that knows one more attribute gives old rules their old ids.
    found = [(one.name, getattr(rule, one.name)) for one in fields(rule) if one.default is not MISSING]
    defaults = {one.name: one.default for one in fields(rule)}
    told = [f"{name}={value!r}" for name, value in found if value != defaults[name]]
    return f"{rule.by.value}({','.join(told)})"
