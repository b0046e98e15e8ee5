"""How often a code may be guessed: a few times in a challenge, and a few more over all challenges of an account.

A cap per challenge alone is none, since a new challenge costs only the password (CVE-2026-8760). A cap per account
alone lets anybody who knows a name burn its owner's tries. So the account is counted only where the secret was right,
and what is done behind a wrong one looks the same from outside: as many steps in the store, on names of its own.

**Codes that are shown while the application still looks at the secret** are answered without waiting for it, so nobody
knows yet whose tries they use up. They count in their challenge at once, are noted there, and are settled when the run
has ended, each exactly once: by the run's own worker, or by the next proof of that challenge.

Neither is enough for the codes of an app, whose secret stays: ten an hour, for whoever has the password and patience,
hit one of three valid steps of a million with a chance of one in four within a year. So tries without any proof between
them add up, to a hundred (NIST SP 800-63B-4, 3.2.2); from then on no code of an app is taken, until its owner has shown
something that cannot be guessed, or has been bound to another.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sekisho.challenge.keys import VaultKeys
    from sekisho.store.vault import Vault

CHALLENGE_TRIES_MAX = 5
ACCOUNT_TRIES_MAX = 10  # an hour; of six digits with three steps valid, that is one chance in 33,000
PERIOD_S = 3_600
APP_TRIES_MAX = 100  # since the last proof
APP_PERIOD_S = 90 * 86_400  # then forgotten: a chance of one in 3,300, four times a year
EARLY_TRIES_MAX = 10
EARLY_PERIOD_S = 86_400
"""How many codes of an app a day are looked at before anybody knows what the secret was worth. A right one waits for
the run, which a wrong one does not: behind a wrong secret, and at nobody's expense, that would tell the app's code."""
DOOR = b"door"
"""The lane of tries at doors where nobody has been asked for the secret before."""


class Guess(Enum):
    """What can be guessed, and whose tries that uses up besides the challenge's."""

    CODE = b"code"  # the account's, of an hour
    APP = b"app"  # besides, those since the last proof


class Trial(NamedTuple):
    """Whose proof is tried.

    Attributes:
        challenge: its id, random, known to one browser.
        account: what the enrolments hang on, `Contact.account_id`: the same for every spelling of one account, or each
            spelling would bring ten tries of its own.
        behind_right_secret: whether the application said yes. Where it did not, nothing can be proved.
        lane: empty, or `DOOR`: which of an account's counts are used. Where nobody has been asked for the secret
            before, anybody may guess, and must not use up what is left for log-ins.
        number: which try of its challenge this is, where that has been counted already; 0 where it has not.
        owner: by what tries are counted, where the account's id is only a spelling of it; see `Contact.owner`.
    """

    challenge: bytes
    account: str
    behind_right_secret: bool
    lane: bytes = b""
    number: int = 0
    owner: str = ""

    @property
    def counted_by(self) -> str:
        """By what tries are counted."""
        return self.owner or self.account

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
        return keys.of(kind, b"account" + trial.lane, trial.counted_by)
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
        return (await self.counted(trial)).number <= self._challenge_max

    async def counted(self, trial: Trial) -> Trial:
        """The trial with its number in its challenge: a new one, unless it has one. Raises `StoreUnavailable`."""
        if trial.number:
            return trial
        number = await self._vault.count(self._in_challenge(trial.challenge), seconds=PERIOD_S)
        return trial._replace(number=number)

    async def early(self, trial: Trial, guess: Guess | None, *, exists: bool) -> bool:
        """Whether something may be compared before anybody knows what the secret was worth. Raises `StoreUnavailable`.

        Args:
            trial: counted in its challenge.
            guess: what is shown; None for what nobody can guess, and what the challenge's own tries bound well enough.
            exists: whether there is such an account. All others share one count, or invented names would fill the
                store.
        """
        allowed = trial.number <= self._challenge_max
        if guess is Guess.APP:
            key = self._keys.of(b"early tries", *((b"account", trial.counted_by) if exists else (b"nobody",)))
            allowed &= await self._vault.count(key, seconds=EARLY_PERIOD_S) <= EARLY_TRIES_MAX
        return allowed

    async def defer(self, trial: Trial, guess: Guess) -> None:
        """Note a try whose secret nobody knows yet, for `settle`. Raises `StoreUnavailable`."""
        if trial.number <= self._challenge_max:
            await self._vault.put(self._deferred(trial, trial.number), guess.value, seconds=PERIOD_S)

    async def has_any(self, challenge: bytes) -> bool:
        """Whether anything was tried in a challenge. Raises `StoreUnavailable`."""
        return await self._vault.get(self._in_challenge(challenge)) is not None

    async def settle(self, trial: Trial) -> bool:
        """Count what was noted in this challenge, now that it is known what the secret was worth. Each try once.

        Returns:
            Whether that was the last code of the account's app that is taken.

        Raises:
            StoreUnavailable: the rest is settled with the next call.
        """
        tries = int(await self._vault.get(self._in_challenge(trial.challenge)) or 0)
        is_last = False
        for number in range(1, min(tries, self._challenge_max) + 1):
            # Taken, not read: the worker that ran the application and one that is shown a proof may both be at it.
            noted = await self._vault.take(self._deferred(trial, number))
            if noted == Guess.CODE.value:
                await self._of_account(trial)
            elif noted == Guess.APP.value:
                is_last |= (await self._of_app(trial)).is_last
        return is_last

    async def of_guessable(self, trial: Trial) -> bool:
        """The same for a code short enough to be guessed: the account must have a try left as well.

        A challenge that has none left takes none of the account's.
        """
        return await self.in_challenge(trial) and await self._of_account(trial)

    async def of_app(self, trial: Trial) -> AppTry:
        """The same for an app's code: besides, the account's tries since its last proof must not be used up.

        A try that is not allowed takes none of these: it proves nothing, and a thousand at once would end the app.
        """
        return await self._of_app(trial) if await self.in_challenge(trial) else AppTry(allowed=False)

    async def _of_app(self, trial: Trial) -> AppTry:
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

    def _in_challenge(self, challenge: bytes) -> bytes:
        return self._keys.of(b"challenge tries", challenge)

    def _deferred(self, trial: Trial, number: int) -> bytes:
        return self._keys.of(b"deferred try", trial.challenge, b"%d" % number)

    async def _of_account(self, trial: Trial) -> bool:
        key = owner_key(self._keys, b"account tries", trial)
        return await self._vault.count(key, seconds=PERIOD_S) <= self._account_max
