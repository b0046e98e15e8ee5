"""A charge in parts, one for each family of records: for a Redis Cluster, where no script sees two nodes.

The counts are those of `ledger.py`; what is added here is the order of asking. A stranger's families are asked at
once, each as though no other would refuse. Only the account needs to know of the others (it is not charged for what the
network refuses), so that its part may have to be taken back: one write that nobody waits for, made from what its
answer carried. Lost, the charge stands, as it does wherever something dies. A device's account is asked first and
alone, for in its lane it needs nothing else.

One after the other, attempts get the verdicts that the reference gives. Side by side they may be refused for a charge
that is about to be taken back, and are never let in for want of one.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from sekisho.ledger.redis import (
    ACCOUNT,
    FAIL,
    NETWORK,
    SECRET,
    SETTLE,
    VERDICT,
    Keys,
    failed_families,
    families_of,
    flags_of,
    pack_operation,
    unpack_verdict,
)
from sekisho.model import Charge, Charged, Spread, Tagged, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

PART, COMPENSATE = 3, 4
BEFORE = Struct("<H74s?")  # failures before this attempt, what only `ledger.lua` reads, whether there was no record
ANSWER_BYTES = VERDICT.size + BEFORE.size


class Part(NamedTuple):
    """One family's share of a charge, settlement or compensation.

    Attributes:
        family: `NETWORK`, `ACCOUNT` or `SECRET`.
        keys: of one slot, which the first of them tells.
        operation: what `ledger.lua` is to do with them. A charge's part is answered with `ANSWER_BYTES`; nothing else
            is answered.
    """

    family: int
    keys: list[bytes]
    operation: bytes


class GroupAnswer(NamedTuple):
    """What one family says. `before` is empty where it was judged without Redis: then nothing can be taken back."""

    verdict: Verdict
    before: bytes = b""


Answers: TypeAlias = "Mapping[int, GroupAnswer]"


def unpack_answer(packed: bytes) -> GroupAnswer:
    """The answer to a charge's part, of `ANSWER_BYTES`."""
    return GroupAnswer(unpack_verdict(packed[: VERDICT.size]), packed[VERDICT.size :])


class Families:
    """Takes charges apart and puts verdicts together. Holds nothing but where records live: `keys` of a namespace."""

    def __init__(self, namespace: str, keys: type[Keys] = Keys) -> None:
        self._keys = keys(namespace)

    def first(self, charge: Charge) -> list[Part]:
        """Whom to ask at once."""
        return self._charges(charge, ACCOUNT if charge.lane else families_of(charge))

    def rest(self, charge: Charge, answers: Answers) -> list[Part]:
        """Whom to ask then: nobody, unless a device was not let into its lane."""
        if not charge.lane or _in_lane(answers):
            return []
        return self._charges(charge, families_of(charge) & ~ACCOUNT)

    def combine(self, charge: Charge, answers: Answers) -> tuple[Verdict, list[Part]]:
        """The verdict on the whole attempt, and what account and secret must be told for it to be true.

        A family without an answer refuses nothing, has seen nothing and was not charged.
        """
        network, account, secret = (_verdict(answers, family) for family in (NETWORK, ACCOUNT, SECRET))
        if _in_lane(answers):
            return account, []
        throttled = network.throttle_wait_us > 0
        compensations = self._compensations(charge, answers) if throttled else []
        told = {part.family for part in compensations}
        account_gone = throttled and _was_gone(answers)
        at_us = network.at_us or account.at_us or secret.at_us
        verdict = Verdict(
            at_us=at_us,
            charged=network.charged if throttled else network.charged | account.charged,
            ip_wait_us=network.ip_wait_us,
            network_wait_us=network.network_wait_us,
            device_wait_us=network.device_wait_us,
            account_wait_us=account.account_wait_us,
            lane_wait_us=account.lane_wait_us,
            lane_spent=account.lane_spent,
            failures=_failures_before(answers) if throttled else account.failures,
            young=_refuses(network, account) and all(part.young for part in (network, account) if _refuses(part)),
            counters_lost=any(answer.verdict.counters_lost for answer in answers.values()),
            spread=Spread(
                network.spread.accounts_per_ip,
                network.spread.accounts_per_network,
                network.spread.accounts_per_device,
                0 if account_gone else account.spread.ips_per_account,
                0 if SECRET in told else secret.spread.accounts_per_secret,
            ),
            account_at_us=account.at_us if account.at_us != at_us else 0,
            tagged=(0 if throttled else account.tagged) | (0 if SECRET in told else secret.tagged),
            last=not throttled and (network.last or account.last),
            network_at=network.network_at,
        )
        return verdict, compensations

    def settlements(
        self, charge: Charge, verdict: Verdict, *, renewed: bool = False, proved: bool = False, right: bool = False
    ) -> list[Part]:
        """What `verdict` charged, given back family by family: see `sekisho.model.Ledger.settle`."""
        flags, charged = flags_of(charge, renewed=renewed, proved=proved, right=right), verdict.charged
        at_us = {NETWORK: verdict.at_us, ACCOUNT: verdict.account_at_us or verdict.at_us, SECRET: 0}
        families = families_of(charge)
        if not charged & Charged.NETWORK:
            families &= ~NETWORK
        if charged & Charged.LANE or not verdict.tagged & Tagged.MEMBER:
            families &= ~SECRET  # it knows nothing of the attempt
        return [
            self._part(charge, each, pack_operation(charge, SETTLE, flags, each, charged, at_us[each], verdict.tagged))
            for each in at_us
            if families & each
        ]

    def failures(self, charge: Charge, verdict: Verdict) -> list[Part]:
        """That an attempt has failed, for the families in which it makes a difference."""
        families, flags, charged = failed_families(verdict), flags_of(charge), verdict.charged
        at_us = {NETWORK: verdict.at_us, ACCOUNT: verdict.account_at_us or verdict.at_us}
        return [
            self._part(charge, each, pack_operation(charge, FAIL, flags, each, charged, at_us[each]))
            for each in at_us
            if families & each
        ]

    def _charges(self, charge: Charge, families: int) -> list[Part]:
        flags = flags_of(charge)
        return [
            self._part(charge, each, pack_operation(charge, PART, flags, each, 0, 0))
            for each in (NETWORK, ACCOUNT, SECRET)
            if families & each
        ]

    def _compensations(self, charge: Charge, answers: Answers) -> list[Part]:
        """What takes back the parts of an attempt that the network refused; all that it has left in the account, and
        of the secret a record that was not there.
        """
        account, secret = answers.get(ACCOUNT, _SILENT), _verdict(answers, SECRET)
        found = []
        if not account.verdict.account_wait_us and account.before:  # else it was not charged either
            charged, at_us = account.verdict.charged, account.verdict.at_us
            operation = pack_operation(charge, COMPENSATE, flags_of(charge), ACCOUNT, charged, at_us)
            found.append(self._part(charge, ACCOUNT, operation + account.before))
        if secret.tagged & Tagged.MEMBER and secret.spread.accounts_per_secret == 1:
            operation = pack_operation(charge, SETTLE, flags_of(charge), SECRET, 0, 0)
            found.append(self._part(charge, SECRET, operation))
        return found

    def _part(self, charge: Charge, family: int, operation: bytes) -> Part:
        if family == NETWORK:
            return Part(family, self._keys.network(charge), operation)
        keys = [*self._keys.account(charge)] if family == ACCOUNT else [self._keys.secret(charge)]
        return Part(family, keys, operation)


_SILENT = GroupAnswer(unpack_verdict(bytes(VERDICT.size)))


def _verdict(answers: Answers, family: int) -> Verdict:
    return answers.get(family, _SILENT).verdict


def _in_lane(answers: Answers) -> bool:
    return _verdict(answers, ACCOUNT).charged & Charged.LANE != 0


def _refuses(*parts: Verdict) -> bool:
    return any(part.throttle_wait_us or part.account_wait_us for part in parts)


def _failures_before(answers: Answers) -> int:
    answer = answers.get(ACCOUNT, _SILENT)
    if not answer.before:
        return answer.verdict.failures
    failures: int = BEFORE.unpack(answer.before)[0]
    return failures


def _was_gone(answers: Answers) -> bool:
    answer = answers.get(ACCOUNT, _SILENT)
    gone: bool = bool(answer.before) and BEFORE.unpack(answer.before)[2]
    return gone
