"""Trust in success rules: a wrong secret that a rule takes for a success gets a refund and a device token.

Two different secrets cannot both be right. If one exact account succeeds with two, its success rule is *suspected*:
refunds and tokens pause there until an invented log-in decides. If the rule takes that for a success too, the rule is
*wrong* until it changes, and the tokens issued under it are void. A changed password or an attacker's own account
raises suspicions as well, but can never make a rule wrong.

A guess (no rule, no report) is trusted less: no token, and refunds only up to a cap, until it is proved.

Pure: keys and times arrive as arguments. The memory of secrets stays in this process.
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
ACCOUNTS_MAX: Final = 4_096  # in one window; further accounts are not remembered
REFUNDS_MAX: Final = 16_384  # accounts and addresses with guessed refunds in one window; further ones get none
SECRETS_MAX: Final = 8
"""Different secrets with which one account may succeed in two windows: more app passwords than an owner has."""
CLEARED_S: Final = 600
"""Seconds without a new suspicion after an invented log-in failed, so that strangers cannot trigger tests at will."""

ID_BYTES: Final = 8
MARK_BYTES: Final = 2
"""The bytes of a rule's id in a device's name. One earlier name in 65,536 carries the same bytes by chance."""


_RULE: Final = Basis.RULE
_GUESS: Final = Basis.GUESS
_BASES: Final = (Basis.RULE, Basis.GUESS, Basis.REPORT)


class Belief(Enum):
    """What a success earns."""

    FULL = "full"  # a refund, a device token
    CAPPED = "capped"  # refunds up to a cap, no token
    NOTHING = "nothing"


class RuleState(Enum):
    TRUSTED = "trusted"
    SUSPECTED = "suspected"  # an invented log-in is under way
    WRONG = "wrong"  # it took an invented log-in for a success


@final
class RuleTrust:
    """The trust in one way to recognise a success at one door.

    Attributes:
        door: the door.
        basis: the way: the door's rules, a guess, or the application's report.
        id: 8 bytes, the same in every worker that has this rule.
        mark: the first bytes of the device names in tokens issued under this rule.
        state: see `RuleState`.
        proved: an operator has verified that an invented log-in fails and a right one succeeds.
        cleared_until_s: the time until which no suspicion is raised.
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
        """End the suspicion of the rule: an invented log-in has failed, or could not be sent.

        No new suspicion is raised for `CLEARED_S` seconds.
        """
        if self.state is RuleState.SUSPECTED:
            self.state = RuleState.TRUSTED
            self.cleared_until_s = now_s + CLEARED_S


class SuccessTrust:
    """The trust in all success rules of one process, shared by its event loops.

    Args:
        doors: all doors.
        rule_key: the key for the ids of rules; the same in every worker, and after a restart.
        account_burst, ip_burst: guessed refunds per account and per address in an hour.
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
        """Statements for other workers: `w` (wrong) or `p` (proved), followed by the rule's id."""
        wrong = [b"w" + rule.id for rule in self._rules if rule.state is RuleState.WRONG]
        proved = [b"p" + rule.id for rule in self._rules if rule.proved]
        return frozenset([*wrong, *proved])

    def hear(self, statements: Iterable[bytes]) -> list[RuleTrust]:
        """Apply the `statements` of other workers. Return the rules of this process that become wrong by them."""
        told = list(statements)
        self.prove([one[1:] for one in told if one[:1] == b"p"])
        return self.latch([one[1:] for one in told if one[:1] == b"w"])

    def rule(self, door: Door, basis: Basis) -> RuleTrust:
        # No dictionary with the basis as its key: the hash of an enumeration member runs as Python code.
        ruled, guessed, reported = self._by_door[door.name]
        return ruled if basis is _RULE else guessed if basis is _GUESS else reported

    def share(self, workers: int) -> None:
        """Set this worker's caps on refunds of guessed successes to its share: each of so many workers counts alone."""
        self._caps = (max(1, self._bursts[0] // workers), max(1, self._bursts[1] // workers))

    def saw(self, rule: RuleTrust, attempt: Attempt, charge: Charge, now_s: float) -> bool:
        """Record the secret of a success. Return whether that raises a suspicion; the caller then tests the rule.

        Only log-in doors raise one, if the account has succeeded with another secret before.
        """
        # At other doors secrets differ by design (codes), or are replaced (a change of the password).
        if rule.door.kind is not DoorKind.LOGIN:
            return False
        if not self._secrets.differs(rule.mark, attempt, charge, now_s):
            return False
        if rule.state is not RuleState.TRUSTED or 0 < rule.cleared_until_s - now_s <= CLEARED_S:
            return False
        rule.state = RuleState.SUSPECTED
        return True

    def belief(self, rule: RuleTrust, attempt: Attempt, charge: Charge) -> Belief:
        """Return how far a success under this rule is believed now: nothing, up to a cap, or in full."""
        return Belief.NOTHING if self._secrets.has_too_many(rule.mark, attempt, charge) else rule.belief

    def refunds(self, rule: RuleTrust, attempt: Attempt, charge: Charge, now_s: float) -> bool:
        """Whether the attempt's charge is refunded for its success. Each call counts against the caps: call it once."""
        belief = self.belief(rule, attempt, charge)
        if belief is not Belief.CAPPED:
            return belief is Belief.FULL
        return self._refunds.take(((charge.account, self._caps[0]), (charge.ip, self._caps[1])), now_s)

    def knows(self, rule: RuleTrust, attempt: Attempt, charge: Charge, now_s: float) -> bool:
        """Whether the account has succeeded with this secret under this rule lately, in this process."""
        return rule.state is RuleState.TRUSTED and self._secrets.holds(rule.mark, attempt, charge, now_s)

    def latch(self, rule_ids: Iterable[bytes]) -> list[RuleTrust]:
        """Mark these rules as wrong. Returns the rules of this process that were not marked before."""
        wanted = frozenset(rule_ids)
        news = [rule for rule in self._rules if rule.id in wanted and rule.state is not RuleState.WRONG]
        for rule in news:
            rule.state = RuleState.WRONG
            rule.proved = False
        if news:
            self.void = self.void | {rule.mark for rule in news}
        return news

    def prove(self, rule_ids: Iterable[bytes]) -> None:
        """Mark these rules as proved: an operator saw an invented log-in fail and a right one succeed under them."""
        wanted = frozenset(rule_ids)
        for rule in self._rules:
            if rule.id in wanted and rule.state is not RuleState.WRONG:
                rule.proved = True


class _Secrets:
    """The secrets with which accounts have succeeded lately. Bounded in number and in time.

    It stores values from the charge: the account's digest and the tag of secret and account, both under the service's
    key. Every attempt computes them anyway, and this memory never leaves the process.
    """

    def __init__(self) -> None:
        self._young: dict[object, tuple[bytes, ...]] = {}
        self._old: dict[object, tuple[bytes, ...]] = {}
        self._until_s = 0.0
        self._overfull: set[object] = set()  # a subset of the young keys

    def differs(self, mark: bytes, attempt: Attempt, charge: Charge, now_s: float) -> bool:
        """Whether this account has succeeded with another secret before."""
        self._keep_time(now_s)
        key, secret = _key(mark, attempt, charge), charge.member_tag
        before = self._young.get(key) or self._old.get(key)
        if before is None:
            self._keep(key, (secret,))
            return False
        if secret in before:
            self._keep(key, before)
            return False
        self._keep(key, (*before, secret)[-SECRETS_MAX:])
        if len(before) >= SECRETS_MAX and key in self._young:
            self._overfull.add(key)
        return True

    def holds(self, mark: bytes, attempt: Attempt, charge: Charge, now_s: float) -> bool:
        """Whether this account has succeeded with this secret in this window or the one before."""
        self._keep_time(now_s)
        key = _key(mark, attempt, charge)
        return charge.member_tag in (self._young.get(key) or self._old.get(key) or ())

    def has_too_many(self, mark: bytes, attempt: Attempt, charge: Charge) -> bool:
        """Whether this account has succeeded with more secrets than `SECRETS_MAX`."""
        return bool(self._overfull) and _key(mark, attempt, charge) in self._overfull

    def _keep(self, key: object, secrets: tuple[bytes, ...]) -> None:
        if len(self._young) < ACCOUNTS_MAX or key in self._young:
            self._young[key] = secrets

    def _keep_time(self, now_s: float) -> None:
        if self._until_s - WINDOW_S <= now_s < self._until_s:
            return
        # The window is over, or was begun before the clock was set back.
        self._old = self._young if now_s < self._until_s + WINDOW_S else {}
        self._young = {}
        self._until_s = now_s + WINDOW_S
        self._overfull = set()


def _key(mark: bytes, attempt: Attempt, charge: Charge) -> object:
    # An object to the compiler: it would make a typed tuple anew for each look-up.
    # The exact account: if an application distinguishes `Alice` from `alice`, each has its own secret. Both have one
    # counter, so Python's own hash distinguishes the spellings; a collision raises a suspicion at most.
    return mark, charge.account, hash(attempt.account)


class _Refunds:
    """Refunds of guessed successes in this window and the one before: never more than a cap in an hour."""

    def __init__(self) -> None:
        self._young: dict[bytes, int] = {}
        self._old: dict[bytes, int] = {}
        self._until_s = 0.0

    def take(self, wanted: tuple[tuple[bytes, int], ...], now_s: float) -> bool:
        """Take one refund for each of these (key, cap) pairs, or for none if one key has reached its cap."""
        if not self._until_s - WINDOW_S <= now_s < self._until_s:  # over, or begun before the clock was set back
            self._rotate(now_s)
        young, old = self._young, self._old
        for key, cap in wanted:
            # Evicting other keys would reset their counts: an attacker with a list of accounts would evade the cap.
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
    """Return the id of a rule: 8 bytes, equal in all workers. It changes with the door, the rule and the key alone."""
    rules = "|".join([_text(rule) for rule in door.success]) if basis is Basis.RULE else ""
    text = f"{door.kind.value}\n{door.name}\n{basis.value}\n{rules}"
    return blake2b(text.encode(), key=key[:64], digest_size=ID_BYTES, person=b"sekisho.rule").digest()


def _text(rule: SuccessRule) -> str:
    # Attributes with default values are left out: a version with one more attribute keeps the ids of old rules.
    found = [(one.name, getattr(rule, one.name)) for one in fields(rule) if one.default is not MISSING]
    defaults = {one.name: one.default for one in fields(rule)}
    told = [f"{name}={value!r}" for name, value in found if value != defaults[name]]
    return f"{rule.by.value}({','.join(told)})"
