"""Which policy judges an attempt: by what it tries, by the posture and by what an operator asks of its account."""

from __future__ import annotations

from typing import Final, final

from sekisho.judge.attempt_kind import tries_code
from sekisho.model import AskedFrom, Attempt, Device, DoorKind, Effect, Nearby, Policy, Posture

ALWAYS: Final = AskedFrom()


@final
class PolicyChoice:
    """The variants of one policy, made once and chosen from for each attempt.

    Args:
        policy: what the settings say of log-ins.
        asked: the postures in which strangers are asked for a factor at log-ins.

    Attributes:
        plain: the policy itself.
        calm: at log-ins in calm.
        aged: at a log-in on a device that was seen for long; see `heeds_age`.
    """

    def __init__(self, policy: Policy, asked: AskedFrom = ALWAYS) -> None:
        self.plain: Final = policy
        # Each pair: without an account's owner who could be asked for a factor, and with one.
        self._passwords: tuple[Policy, ...] = (policy.without_factors(), policy)
        self._links = tuple([each.for_links() for each in self._passwords])
        self._codes = tuple([each.for_small_secrets() for each in self._passwords])
        self._under_proof = policy.under_proof()
        postures = tuple([policy.in_posture(each, asked) for each in Posture])
        # By what is known of the network, as `Nearby` numbers it.
        self._postures = (
            postures,
            tuple([each.at_loud_network(asked) for each in postures]),
            tuple([each.at_quiet_network(asked) for each in postures]),
        )
        self._under_proof_in = tuple([tuple(map(_under_proof, each)) for each in self._postures])
        self.calm: Final = postures[Posture.CALM]
        self.aged: Final = self.calm.for_aged()
        self._proofs_earn = policy.factors and self.calm.asks_strangers

    def remembers(self, device: Device) -> int:
        """Return the effects of a success on a device of this class, as flags of `Effect`.

        A success is added to the account's history, and may earn its address credit. Where strangers are asked in calm,
        only a proved device earns credit: otherwise an attacker who has many passwords could buy guesses with them.
        Elsewhere few devices are proved, and owners behind a NAT would have no credit at all.
        """
        earns = device is Device.PROVED or not self._proofs_earn
        return Effect.LEARNS | Effect.EARNS if earns else Effect.LEARNS

    def at_log_in(self, posture: Posture, *, under_proof: bool, nearby: Nearby = Nearby.UNASKED) -> Policy:
        """Return the policy for a log-in in this posture. `under_proof`: an operator asks the account for a proof.

        The posture counts then too: a question at another time than elsewhere would tell which accounts these are.
        """
        return (self._under_proof_in if under_proof else self._postures)[nearby][posture]

    def at_door(self, attempt: Attempt, *, under_proof: bool) -> Policy:
        """Return the policy for an attempt that the posture does not concern, as at all doors but log-ins.

        `under_proof`: an operator asks the account for a proof.
        """
        if under_proof:
            return self._under_proof
        policies = self._codes if tries_code(attempt) else self._passwords
        if attempt.door.kind is DoorKind.LINK and attempt.secret and attempt.door.success:
            policies = self._links
        # An attempt that names no account, or registers one, has no account owner who could be asked for a factor.
        return policies[bool(attempt.account) and attempt.door.has_owner]


def _under_proof(policy: Policy) -> Policy:
    # Where strangers are spared, a question before the secret is right would tell which accounts are under proof.
    return policy.under_proof() if policy.asks_strangers or not policy.factors else policy


def heeds_age(posture: Posture, *, under_proof: bool) -> bool:
    """Whether a device's age may spare its account a question: in calm, for an account that is not asked for a proof.

    Otherwise not: a thief who was let in before the attack or the takeover was recognised has a device that was seen.
    """
    return posture is Posture.CALM and not under_proof
