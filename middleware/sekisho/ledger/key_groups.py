"""Splits a charge by family of records, for a Redis Cluster, where no script sees two nodes.

The counts are those of `arithmetic.py`; this module adds the order of the questions. A stranger's families are asked at
the same time, each as though no other would refuse. Only the account depends on the others, since it is not charged for
attempts that the network refuses. So its part may have to be undone: one write, made from the data that its answer
carried, without waiting for it. If the write is lost, the charge stands, as always. For a known device the account is
asked first and alone, because in its own bucket the device needs no other family.

Sequential attempts get exactly the reference's verdicts. A parallel attempt may be refused because of a charge that is
about to be undone, but is never let in because one is missing.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from sekisho.ledger.history import is_known_here
from sekisho.ledger.redis import (
    ACCOUNT,
    BUCKET,
    CREDIT,
    FAIL,
    IN_FLAGS,
    NETWORK,
    SECRET,
    SETTLE,
    VERDICT,
    Keys,
    deeds_of,
    failed_families,
    families_of,
    flags_of,
    pack_operation,
    settled_families,
    unpack_verdict,
)
from sekisho.model import Charge, Charged, Marked, Spread, Tagged, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

PART, COMPENSATE = 3, 4
BEFORE = Struct("<H74s?")  # failures before, data that only `ledger.lua` reads, whether there was no record
ANSWER_BYTES = VERDICT.size + BEFORE.size


class Part(NamedTuple):
    """One family's part of a charge, settlement or compensation.

    Attributes:
        family: `NETWORK`, `ACCOUNT` or `SECRET`.
        keys: all in one slot; the first key determines it.
        operation: the operation for `ledger.lua`. The part of a charge is answered with `ANSWER_BYTES`; other parts
            have no answer.
    """

    family: int
    keys: list[bytes]
    operation: bytes


class GroupAnswer(NamedTuple):
    """One family's answer. `before` is empty if Redis did not judge it; then there is nothing to undo."""

    verdict: Verdict
    before: bytes = b""


Answers: TypeAlias = "Mapping[int, GroupAnswer]"


def unpack_answer(packed: bytes) -> GroupAnswer:
    """Read the bytes with which Redis answered a charge's part, `ANSWER_BYTES` of them."""
    return GroupAnswer(unpack_verdict(packed[: VERDICT.size]), packed[VERDICT.size :])


class Families:
    """Splits charges and combines verdicts. Its only state is the layout of keys in a namespace."""

    def __init__(self, namespace: str, keys: type[Keys] = Keys) -> None:
        self._keys = keys(namespace)

    def first(self, charge: Charge) -> list[Part]:
        """Return the parts of a charge that are to be asked first, all at once."""
        return self._charges(charge, ACCOUNT if charge.known_device else families_of(charge))

    def rest(self, charge: Charge, answers: Answers) -> list[Part]:
        """Return the parts to ask after `first`: none, unless a known device was not admitted to its bucket."""
        if not charge.known_device or _in_bucket(answers):
            return []
        return self._charges(charge, families_of(charge) & ~ACCOUNT)

    def combine(self, charge: Charge, answers: Answers) -> tuple[Verdict, list[Part]]:
        """Return the verdict on the whole attempt, and the compensations to send so that the records match it.

        A family without an answer refuses nothing, has seen nothing and was not charged.
        """
        network, account, secret = (_verdict(answers, family) for family in (NETWORK, ACCOUNT, SECRET))
        if _in_bucket(answers):
            return account, []
        spared = _is_spared(charge, network, account)
        throttled = network.throttle_wait_us > 0 and not spared
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
            known_device_wait_us=account.known_device_wait_us,
            token_spent=account.token_spent,
            failures=_failures_before(answers) if throttled else account.failures,
            young=(throttled or account.account_wait_us > 0)
            and all(part.young for part in (network, account) if _refuses(part)),
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
            marks=network.marks | account.marks | (Marked.SPARED if spared else 0),
            history=account.history,
        )
        return verdict, compensations

    def settlements(self, charge: Charge, verdict: Verdict, effects: int = 0) -> list[Part]:
        """Return the parts that refund a charge, one for each family of records: see `sekisho.model.Ledger.settle`."""
        flags, charged = flags_of(charge) | effects & IN_FLAGS, verdict.charged
        deeds = deeds_of(verdict, effects)
        at_us = {NETWORK: verdict.at_us, ACCOUNT: verdict.account_at_us or verdict.at_us, SECRET: 0}
        families = settled_families(charge, verdict, effects)
        at_node = {NETWORK: families & (NETWORK | CREDIT), ACCOUNT: families & ACCOUNT, SECRET: families & SECRET}
        return [
            Part(
                each,
                self._keys.of_families(charge, with_bucket(its)),
                pack_operation(charge, SETTLE, flags, with_bucket(its), charged, at_us[each], verdict.tagged, deeds),
            )
            for each, its in at_node.items()
            if its
        ]

    def failures(self, charge: Charge, verdict: Verdict) -> list[Part]:
        """Return the parts that report a failed attempt, one for each family that it changes; mostly none."""
        families, flags, charged = failed_families(verdict), flags_of(charge), verdict.charged
        at_us = {NETWORK: verdict.at_us, ACCOUNT: verdict.account_at_us or verdict.at_us}
        return [
            self._part(charge, each, pack_operation(charge, FAIL, flags, with_bucket(each), charged, at_us[each]))
            for each in at_us
            if families & each
        ]

    def _charges(self, charge: Charge, families: int) -> list[Part]:
        flags = flags_of(charge)
        return [
            self._part(charge, each, pack_operation(charge, PART, flags, with_bucket(each), 0, charge.token_issued_us))
            for each in (NETWORK, ACCOUNT, SECRET)
            if families & each
        ]

    def _compensations(self, charge: Charge, answers: Answers) -> list[Part]:
        """Return the operations that undo an attempt which the network refused: all its effects on the account, and the
        secret's record if the attempt created it.
        """
        account, secret = answers.get(ACCOUNT, _SILENT), _verdict(answers, SECRET)
        found = []
        if not account.verdict.account_wait_us and account.before:  # otherwise it was not charged
            charged, at_us = account.verdict.charged, account.verdict.at_us
            operation = pack_operation(charge, COMPENSATE, flags_of(charge), with_bucket(ACCOUNT), charged, at_us)
            found.append(self._part(charge, ACCOUNT, operation + account.before))
        if secret.tagged & Tagged.MEMBER and secret.spread.accounts_per_secret == 1:
            operation = pack_operation(charge, SETTLE, flags_of(charge), SECRET, 0, 0)
            found.append(self._part(charge, SECRET, operation))
        return found

    def _part(self, charge: Charge, family: int, operation: bytes) -> Part:
        return Part(family, self._keys.of_families(charge, with_bucket(family)), operation)


def with_bucket(families: int) -> int:
    """Return the families with the account's bucket.

    A node that hands over a slot looks which of the named keys it still has. An account in its bucket has no key of its
    own: named alone, that key would send the operation to the other node before the bucket is there.
    """
    return families | BUCKET if families & ACCOUNT else families


_SILENT = GroupAnswer(unpack_verdict(bytes(VERDICT.size)))


def _verdict(answers: Answers, family: int) -> Verdict:
    return answers.get(family, _SILENT).verdict


def _in_bucket(answers: Answers) -> bool:
    return _verdict(answers, ACCOUNT).charged & Charged.KNOWN_DEVICE != 0


def _refuses(*parts: Verdict) -> bool:
    return any(part.throttle_wait_us or part.account_wait_us for part in parts)


def _is_spared(charge: Charge, network: Verdict, account: Verdict) -> bool:
    """As in the reference: at an address that many owners share, without credit, for an account known there."""
    if not charge.place or not network.throttle_wait_us or account.account_wait_us:
        return False
    shared_only = network.marks & (Marked.SHARED | Marked.CREDIT) == Marked.SHARED
    return shared_only and (charge.tries or is_known_here(account.history))


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
