"""How often a code may be guessed: a few times in a challenge, and a few more over all challenges of an account.

A cap per challenge alone is none, since a new challenge costs only the password (CVE-2026-8760). A cap per account
alone lets anybody who knows a name burn its owner's tries. So the account is counted only where the secret was right,
and what is done behind a wrong one looks the same from outside: as many steps in the store, on names of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sekisho.challenge.keys import VaultKeys
    from sekisho.store.vault import Vault

CHALLENGE_TRIES_MAX = 5
ACCOUNT_TRIES_MAX = 10  # an hour; of six digits with three steps valid, that is one chance in 33,000
PERIOD_S = 3_600


class Trial(NamedTuple):
    """Whose proof is tried.

    Attributes:
        challenge: its id, random, known to one browser.
        account: what the enrolments hang on, `Contact.account_id`: the same for every spelling of one account, or each
            spelling would bring ten tries of its own.
        behind_right_secret: whether the application said yes. Where it did not, nothing can be proved.
        lane: empty, or a constant of ours: which of an account's counts are used. Where nobody has been asked for the
            secret before, anybody may guess, and must not use up what is left for log-ins.
    """

    challenge: bytes
    account: str
    behind_right_secret: bool
    lane: bytes = b""

    def __repr__(self) -> str:
        # Tracebacks print values; whether the password was right is what nobody may learn.
        return "Trial(...)"


def owner_key(keys: VaultKeys, kind: bytes, trial: Trial) -> bytes:
    """Where something is counted for the owner; behind a wrong secret, a place that concerns nobody."""
    if trial.behind_right_secret:
        return keys.of(kind, b"account" + trial.lane, trial.account)
    return keys.of(kind, b"nobody", trial.challenge)


class Tries:
    """Counts tries, before anything is compared: a thousand parallel guesses must not all see room.

    An owner's own success is not taken back: ten proofs an hour are plenty, and a refund would hand whoever guesses
    beside him a fresh set of tries.
    """

    def __init__(
        self,
        vault: Vault,
        keys: VaultKeys,
        *,
        challenge_max: int = CHALLENGE_TRIES_MAX,
        account_max: int = ACCOUNT_TRIES_MAX,
    ) -> None:
        self._vault = vault
        self._keys = keys
        self._challenge_max = challenge_max
        self._account_max = account_max

    async def in_challenge(self, trial: Trial) -> bool:
        """Whether this challenge has a try left, which is now used. Raises `StoreUnavailable`."""
        key = self._keys.of(b"challenge tries", trial.challenge)
        return await self._vault.count(key, seconds=PERIOD_S) <= self._challenge_max

    async def of_guessable(self, trial: Trial) -> bool:
        """The same for a code short enough to be guessed: the account must have a try left as well.

        A challenge that has none left takes none of the account's.
        """
        if not await self.in_challenge(trial):
            return False
        key = owner_key(self._keys, b"account tries", trial)
        return await self._vault.count(key, seconds=PERIOD_S) <= self._account_max
