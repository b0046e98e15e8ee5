"""Limits attempts at codes: a few in a challenge, and a few more over all challenges of an account.

A limit per challenge alone is useless, since a new challenge costs only the password (CVE-2026-8760). A limit per
account alone would let any client that knows a name use up the owner's attempts. So attempts are charged to the account
only if the secret was right. Behind a wrong secret the same number of store operations runs, on separate keys.

**Codes that arrive while the application still checks the secret** are answered without waiting for it. The guard does
not know yet which counters they use up. They count in their challenge at once, are recorded there, and are settled when
the run has ended, each exactly once: by the run's worker, or by the next proof of that challenge.

For the codes of an app, whose secret stays the same, this is not enough: at ten an hour, a patient attacker with the
password hits one of three valid steps in a million with a chance of one in four within a year. So attempts without a
proof between them add up, to a hundred (NIST SP 800-63B-4, 3.2.2). After that the account's app is stopped until the
owner shows a passkey, or has the factors reset. A weaker proof is not accepted in its place.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

    from sekisho.crypto.vault_keys import VaultKeys
    from sekisho.store.vault import Vault

CHALLENGE_TRIES_MAX = 5
ACCOUNT_TRIES_MAX = 10  # an hour; with six digits and three valid steps, a chance of one in 33,000
PERIOD_S = 3_600
APP_TRIES_MAX = 100  # since the last proof
APP_PERIOD_S = 90 * 86_400  # seconds; then they are forgotten: a chance of one in 3,300, four times a year
EARLY_TRIES_MAX = 10
EARLY_PERIOD_S = 86_400
"""App codes that are compared in a day before the outcome of the secret is known. A right code waits for the run and a
wrong one does not. Without a limit, guesses behind wrong secrets would find the code at no cost."""
DOOR = b"door"
"""The attempt scope of doors where the proof comes before the secret."""


class Guess(Enum):
    """The kind of a guess. It decides which counters the guess uses up besides the challenge's."""

    CODE = b"code"  # the account's attempts of an hour
    APP = b"app"  # those, and the account's attempts since the last proof


class CodeTrial(NamedTuple):
    """The account and the challenge of an attempt at a code.

    Attributes:
        challenge: its random id, known to one browser.
        account: the key of the enrolments, `Contact.account_id`: the same for all spellings of one account. Otherwise
            each spelling would bring ten more attempts.
        behind_right_secret: whether the application accepted the secret. If not, nothing can be proved.
        scope: the attempt scope, empty or `DOOR`; it selects the account's counters. At a door that asks for no secret
            first, any client may guess, and must not use up the attempts for log-ins.
        number: the number of this attempt in its challenge, if it was counted already; otherwise 0.
        owner: the key of the counters, if the account's id is only a spelling; see `Contact.owner`.
    """

    challenge: bytes
    account: str
    behind_right_secret: bool
    scope: bytes = b""
    number: int = 0
    owner: str = ""

    @property
    def counted_by(self) -> str:
        """The name under which the owner's attempts are counted: `owner`, or `account` if that is empty."""
        return self.owner or self.account

    def __repr__(self) -> str:
        # Tracebacks print values, and must not reveal whether the password was right.
        return "CodeTrial(...)"


class AppTry(NamedTuple):
    """The result of counting an attempt at an app's code.

    Attributes:
        allowed: whether this code may be compared.
        is_last: whether no further code may be compared until the owner shows another proof.
    """

    allowed: bool
    is_last: bool = False


def owner_key(keys: VaultKeys, kind: bytes, trial: CodeTrial) -> bytes:
    """Return the vault's key of the counter `kind` of an owner. Behind a wrong secret, it belongs to no account."""
    if trial.behind_right_secret:
        return keys.of(kind, b"account" + trial.scope, trial.counted_by)
    return keys.of(kind, b"nobody", trial.challenge)


def _limited(trial: CodeTrial, counts: bool) -> CodeTrial:
    """The trial, or the same one as if behind a wrong secret: the same steps, on keys that belong to no account."""
    return trial._replace(behind_right_secret=trial.behind_right_secret and counts)


class AttemptLimits:
    """Counts attempts before the comparison: a thousand parallel guesses must not all see an unused limit.

    An owner's success is not refunded. Ten proofs an hour are plenty, and a refund would grant a fresh set of attempts
    to an attacker who guesses at the same time.
    """

    def __init__(self, vault: Vault, keys: VaultKeys) -> None:
        self._vault = vault
        self._keys = keys

    async def in_challenge(self, trial: CodeTrial) -> bool:
        """Use up an attempt of this challenge; return whether there was one left. Raises `StoreUnavailable`."""
        return (await self.counted(trial)).number <= CHALLENGE_TRIES_MAX

    async def counted(self, trial: CodeTrial) -> CodeTrial:
        """Return the trial with its number in its challenge; count it unless it has one. Raises `StoreUnavailable`."""
        if trial.number:
            return trial
        number = await self._vault.count(self._in_challenge(trial.challenge), seconds=PERIOD_S)
        return trial._replace(number=number)

    async def early(self, trial: CodeTrial, guess: Guess | None, *, exists: bool) -> bool:
        """Whether a code may be compared before the outcome of the secret is known.

        The call counts codes of an app, whose number in a day is limited. Raises `StoreUnavailable`.

        Args:
            trial: counted in its challenge.
            guess: the kind of the code; None for proofs that cannot be guessed: for them the challenge's limit is
                enough.
            exists: whether the account exists. All invented accounts share one counter; otherwise they would fill the
                store.
        """
        allowed = trial.number <= CHALLENGE_TRIES_MAX
        if guess is Guess.APP:
            key = self._keys.of(b"early tries", *((b"account", trial.counted_by) if exists else (b"nobody",)))
            allowed &= await self._vault.count(key, seconds=EARLY_PERIOD_S) <= EARLY_TRIES_MAX
        return allowed

    async def defer(self, trial: CodeTrial, guess: Guess) -> None:
        """Record an attempt for `settle`, while the outcome of the secret is not known. Raises `StoreUnavailable`."""
        if trial.number <= CHALLENGE_TRIES_MAX:
            await self._vault.put(self._deferred(trial, trial.number), guess.value, seconds=PERIOD_S)

    async def has_any(self, challenge: bytes) -> bool:
        """Whether this challenge had an attempt. Raises `StoreUnavailable`."""
        return await self._vault.get(self._in_challenge(challenge)) is not None

    async def settle(self, trial: CodeTrial, counted: Collection[Guess] = tuple(Guess)) -> bool:
        """Count the recorded attempts of this challenge once the outcome of the secret is known. Each counts once.

        Args:
            trial: the account and the challenge.
            counted: the kinds of guesses that could have proved the account. Others use up no attempts of an owner.

        Returns:
            Whether the account's app is stopped, so that no further code of it is accepted.

        Raises:
            StoreUnavailable: the next call settles the rest.
        """
        tries = int(await self._vault.get(self._in_challenge(trial.challenge)) or 0)
        is_last = False
        for number in range(1, min(tries, CHALLENGE_TRIES_MAX) + 1):
            # Read and removed in one step: the run's worker and a worker with a new proof may settle at the same time.
            noted = await self._vault.take(self._deferred(trial, number))
            if noted == Guess.CODE.value:
                await self._of_account(_limited(trial, Guess.CODE in counted))
            elif noted == Guess.APP.value:
                is_last |= (await self._of_app(_limited(trial, Guess.APP in counted))).is_last
        return is_last

    async def of_guessable(self, trial: CodeTrial) -> bool:
        """Use up an attempt of the challenge and one of the account; return whether both had one left.

        For codes that are short enough to guess.

        A challenge without attempts left uses up none of the account's. Raises `StoreUnavailable`.
        """
        return await self.in_challenge(trial) and await self._of_account(trial)

    async def of_app(self, trial: CodeTrial) -> AppTry:
        """Use up an attempt as `of_guessable` does, and one of the account's attempts since its last proof.

        An attempt that is not allowed uses up none of the latter: otherwise a thousand at once would lock the app.
        Raises `StoreUnavailable`.
        """
        return await self._of_app(trial) if await self.in_challenge(trial) else AppTry(allowed=False)

    async def _of_app(self, trial: CodeTrial) -> AppTry:
        allowed = await self._of_account(trial)
        charged = trial if allowed else trial._replace(behind_right_secret=False)
        # Counters that belong to no account expire with their challenge; otherwise guesses would fill the store.
        seconds = APP_PERIOD_S if charged.behind_right_secret else PERIOD_S
        tries = await self._vault.count(owner_key(self._keys, b"app tries", charged), seconds=seconds)
        return AppTry(allowed=allowed and tries <= APP_TRIES_MAX, is_last=allowed and tries == APP_TRIES_MAX)

    async def proved(self, account: str) -> None:
        """Forget the earlier attempts at an account's app codes after a proof. Raises `StoreUnavailable`."""
        for scope in (b"", DOOR):
            trial = CodeTrial(b"", account, behind_right_secret=True, scope=scope)
            await self._vault.forget(owner_key(self._keys, b"app tries", trial))

    def _in_challenge(self, challenge: bytes) -> bytes:
        return self._keys.of(b"challenge tries", challenge)

    def _deferred(self, trial: CodeTrial, number: int) -> bytes:
        return self._keys.of(b"deferred try", trial.challenge, b"%d" % number)

    async def _of_account(self, trial: CodeTrial) -> bool:
        key = owner_key(self._keys, b"account tries", trial)
        return await self._vault.count(key, seconds=PERIOD_S) <= ACCOUNT_TRIES_MAX
