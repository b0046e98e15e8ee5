"""How often a code may be guessed: a few times in a challenge, and a few more over all challenges of an account.

A cap per challenge alone is none, since a new challenge costs only the password (CVE-2026-8760). A cap per account
alone lets anybody who knows a name burn its owner's tries. So the account is counted only where the secret was right,
and what is done behind a wrong one looks the same from outside: as many steps in the store, on names of its own.

Neither is enough for the codes of an app, whose secret stays: ten an hour, for whoever has the password and patience,
hit one of three valid steps of a million with a chance of one in four within a year. So tries without any proof between
them add up, to a hundred (NIST SP 800-63B-4, 3.2.2); from then on no code of an app is taken, until its owner has shown
something that cannot be guessed, or has been bound to another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sekisho.challenge.keys import VaultKeys
    from sekisho.store.vault import Vault

CHALLENGE_TRIES_MAX = 5
ACCOUNT_TRIES_MAX = 10  # an hour; of six digits with three steps valid, that is one chance in 33,000
PERIOD_S = 3_600
APP_TRIES_MAX = 100  # since the last proof
APP_PERIOD_S = 90 * 86_400  # then forgotten: a chance of one in 3,300, four times a year
DOOR = b"door"
"""The lane of tries at doors where nobody has been asked for the secret before."""


class Trial(NamedTuple):
    """Whose proof is tried.

    Attributes:
        challenge: its id, random, known to one browser.
        account: what the enrolments hang on, `Contact.account_id`: the same for every spelling of one account, or each
            spelling would bring ten tries of its own.
        behind_right_secret: whether the application said yes. Where it did not, nothing can be proved.
        lane: empty, or `DOOR`: which of an account's counts are used. Where nobody has been asked for the secret
            before, anybody may guess, and must not use up what is left for log-ins.
    """

    challenge: bytes
    account: str
    behind_right_secret: bool
    lane: bytes = b""

    def __repr__(self) -> str:
        # Tracebacks print values; whether the password was right is what nobody may learn.
        return "Trial(...)"


class AppTry(NamedTuple):
    """Attributes:
    allowed: whether this try counts as one.
    is_last: no further one will, until there is a proof.
    """

    allowed: bool
    is_last: bool = False


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
        app_max: int = APP_TRIES_MAX,
    ) -> None:
        self._vault = vault
        self._keys = keys
        self._challenge_max = challenge_max
        self._account_max = account_max
        self._app_max = app_max

    async def in_challenge(self, trial: Trial) -> bool:
        """Whether this challenge has a try left, which is now used. Raises `StoreUnavailable`."""
        key = self._keys.of(b"challenge tries", trial.challenge)
        return await self._vault.count(key, seconds=PERIOD_S) <= self._challenge_max

    async def of_guessable(self, trial: Trial) -> bool:
        """The same for a code short enough to be guessed: the account must have a try left as well.

        A challenge that has none left takes none of the account's.
        """
        return await self.in_challenge(trial) and await self._of_account(trial)

    async def of_app(self, trial: Trial) -> AppTry:
        """The same for an app's code: besides, the account's tries since its last proof must not be used up.

        A try that is not allowed takes none of these: it proves nothing, and a thousand at once would end the app.
        """
        if not await self.in_challenge(trial):
            return AppTry(allowed=False)
        allowed = await self._of_account(trial)
        counted = trial if allowed else trial._replace(behind_right_secret=False)
        # What concerns nobody is kept for no longer than his challenge can live, or guesses would fill the store.
        seconds = APP_PERIOD_S if counted.behind_right_secret else PERIOD_S
        tries = await self._vault.count(owner_key(self._keys, b"app tries", counted), seconds=seconds)
        return AppTry(allowed=allowed and tries <= self._app_max, is_last=allowed and tries == self._app_max)

    async def proved(self, account: str) -> None:
        """Somebody has shown a proof: what was tried with its app before accuses nobody. Raises `StoreUnavailable`."""
        for lane in (b"", DOOR):
            trial = Trial(b"", account, behind_right_secret=True, lane=lane)
            await self._vault.forget(owner_key(self._keys, b"app tries", trial))

    async def _of_account(self, trial: Trial) -> bool:
        key = owner_key(self._keys, b"account tries", trial)
        return await self._vault.count(key, seconds=PERIOD_S) <= self._account_max
