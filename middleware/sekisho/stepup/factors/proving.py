"""The factors of a site: names the questions, asks them and accepts proofs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sekisho.crypto.seal import Sealer
from sekisho.crypto.vault_keys import VaultKeys
from sekisho.model import FactorClass, Unreadable
from sekisho.read.account import canonical
from sekisho.stepup.attempt_limits import AttemptLimits, CodeTrial
from sekisho.stepup.factors.acceptance import Acceptance, FactorParts
from sekisho.stepup.factors.account_lookup import AccountLookup
from sekisho.stepup.factors.account_owner import RECOVERY, Early, Proof, ShownFactor
from sekisho.stepup.factors.code_normalisation import folded_symbols
from sekisho.stepup.factors.codes import Codes
from sekisho.stepup.factors.identities import Identities
from sekisho.stepup.factors.lost_factor import LostFactor
from sekisho.stepup.factors.passkey_log_in import PasskeyLogIn
from sekisho.stepup.factors.passkeys import Passkeys
from sekisho.stepup.factors.recovery import SYMBOLS, RecoveryCodes
from sekisho.stepup.factors.requirements import LOG_IN, MANAGE, Requirements, Strictness
from sekisho.stepup.factors.strong_only import StrongOnly
from sekisho.stepup.factors.totp import Totp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.owners import Reset
    from sekisho.stepup.factors.account_owner import AccountOwner
    from sekisho.stepup.factors.address_book import AddressBook
    from sekisho.stepup.factors.code_budget import CodeBudget
    from sekisho.stepup.factors.dependencies import FactorDependencies
    from sekisho.stepup.factors.identities import BegunLogin
    from sekisho.stepup.factors.requirements import Demand


SENT = ("email", "webhook")
KEPT = ("webauthn", "totp", "oidc")
NORMAL = Strictness()


class Factors:
    """Proves account owners; see the package. A client may send any text; it is a proof or none, never an error.

    Args:
        names: the site's factors in order of preference, from `webauthn`, `totp`, `oidc`, `email` and `webhook`.
            Recovery codes are added to any of them, because a telephone or a mailbox can be lost.
        dependencies: what they work with.
        strictness: which proofs the site accepts.
        book: remembers owners' mail addresses; None: every address counts at once.
        budget: limits the codes of the whole site.

    Raises:
        ValueError: an unknown factor, `webauthn` without passkeys, or `oidc` without a provider.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        dependencies: FactorDependencies,
        *,
        strictness: Strictness = NORMAL,
        book: AddressBook | None = None,
        budget: CodeBudget | None = None,
    ) -> None:
        owners, vault, secrets, senders, clock_s, passkeys, provider, index = dependencies
        if not set(names) <= {*KEPT, *SENT} or ("webauthn" in names and passkeys is None):
            raise ValueError(f"factors are {', '.join((*KEPT, *SENT))}; the first needs a domain")
        if "oidc" in names and provider is None:
            raise ValueError("the factor oidc needs a provider")
        self.names = (*dict.fromkeys(names), *([RECOVERY] if names else []))
        self._owners = owners
        self._senders = senders
        self._clock_s = clock_s
        keys, sealer = VaultKeys(secrets), Sealer(secrets, clock_s=clock_s)
        limits = self._limits = AttemptLimits(vault, keys)
        self._lookup = AccountLookup(owners, keys, senders, book)
        self.requirements: Final = Requirements(self.names, strictness, StrongOnly(sealer, keys))
        parts = self._parts = FactorParts(
            Codes(vault, keys, sealer, limits, budget=budget),
            Totp(vault, keys, sealer, limits, drift=strictness.totp_drift),
            RecoveryCodes(sealer, limits),
            Passkeys(passkeys, owners, vault, keys=keys, sealer=sealer, limits=limits, index=index)
            if passkeys
            else None,
            Identities(provider, vault, keys=keys, sealer=sealer, limits=limits) if provider else None,
        )
        self._acceptance = Acceptance(parts, owners, self._lookup, self.requirements, senders)
        self._every = self._acceptance.of(self.names)
        by = next((name for name in SENT if name in self.names), "")
        self._lost: Final = LostFactor(by, owners, keys, parts.codes, requirements=self.requirements, senders=senders)
        self.log_in: Final = (
            PasskeyLogIn(
                passkeys, parts.passkeys, index, vault, keys=keys, sealer=sealer, find=self.owner, proved=self._proved,
                clock_s=clock_s,
            )
            if passkeys is not None and parts.passkeys is not None and index is not None
            else None
        )  # fmt: skip

    async def owner(self, account: str) -> AccountOwner:
        """Return the owner of an account, after carrying out a reset that is due. Raises `OwnersError`."""
        return await self._lookup.find(account, now_s=int(self._clock_s()))

    def is_enrolled(self, owner: AccountOwner) -> bool:
        """Whether the owner has a factor stronger than sent codes and not held back, or refuses weaker ones."""
        return self.requirements.own(owner, int(self._clock_s())) > FactorClass.SENT

    def trial(
        self, challenge: bytes, owner: AccountOwner, *, behind_right_secret: bool, scope: bytes = b""
    ) -> CodeTrial:
        """Return the trial of a proof. An unknown account proves nothing and uses up no account's attempts.

        `scope`: the attempt scope, see `CodeTrial`.
        """
        right = behind_right_secret and owner.contact is not None
        counted_by = "" if owner.counted_by == owner.account_id else owner.counted_by
        return CodeTrial(challenge, owner.account_id, right, scope, owner=counted_by)

    async def passkey_options(
        self, trial: CodeTrial, owner: AccountOwner, bound_to: bytes, *, account_digest: bytes
    ) -> dict[str, Any]:
        """Return the options for the browser's passkeys: of one number and length for all accounts and all spellings.

        Owners may be looked up exactly as typed. Then `ALICE` is unknown, and `alice` has a passkey in place of a
        decoy. So the options of both list the passkeys of the plainest spelling. A listed passkey proves nothing for
        another account.

        Args:
            trial: the challenge.
            owner: the owner of the passkeys.
            bound_to: the browser, door and purpose, which must be the same when the passkey is shown.
            account_digest: the account's digest in the counters, the same for all its spellings.

        Raises:
            StoreUnavailable, OwnersError: no options are valid.

        Returns:
            `PublicKeyCredentialRequestOptionsJSON`; empty if the site offers no passkeys.
        """
        if self._parts.passkeys is None:
            return {}
        plain = _plain(owner.account)
        account_owners = [owner] if plain == owner.account else [owner, await self.owner(plain)]
        return await self._parts.passkeys.options(
            trial, account_owners, bound_to, account_digest=account_digest, now_s=int(self._clock_s())
        )

    async def begin_login(self, challenge: bytes, bound_to: bytes, fields: Mapping[str, str]) -> str:
        """Begin a log-in at the identity provider, alike for all accounts; return its URL. See `Identities.begin`.

        Raises:
            ProviderUnavailable, TooManyLogins, StoreUnavailable: no log-in was begun.
        """
        assert self._parts.identities is not None  # noqa: S101 - without it the factor is not among the names
        return await self._parts.identities.begin(challenge, bound_to, fields)

    async def begun_login(self, state: str) -> BegunLogin | None:
        """The log-in at the provider with this state; None if there is none. Raises `StoreUnavailable`."""
        return await self._parts.identities.begun(state) if self._parts.identities is not None else None

    async def send(self, trial: CodeTrial, owner: AccountOwner, factor: str, demand: Demand = LOG_IN) -> None:
        """Send a code if the secret was right, the owner can be reached, and a code would be accepted.

        Otherwise run the same steps without one. An owner of a passkey who gets no code has none to give away.

        Raises:
            StoreUnavailable: nothing was sent.
        """
        if factor not in SENT or factor not in self.names:
            return
        if not (_reachable(owner, factor) and self._accepts(owner, factor, demand)):
            trial = trial._replace(behind_right_secret=False)
        code = await self._parts.codes.issue(trial, now_s=int(self._clock_s()))
        if code is not None:
            self._senders.send_code(factor, owner, code)

    async def try_early(
        self, trial: CodeTrial, owner: AccountOwner, shown: ShownFactor, bound_to: bytes, demand: Demand = LOG_IN
    ) -> Early | None:
        """Check a proof before the outcome of the secret is known.

        It spends an attempt of the challenge only; `settle` charges the account's attempts when the run has ended. The
        number of steps is the same for all accounts, since it does not depend on the secret.

        Args:
            trial: the challenge; the outcome of its secret is not known.
            owner: the account owner.
            shown: the client's proof.
            bound_to: see `passkey_options`.
            demand: what the proof is for.

        Returns:
            The match that `prove` needs; None for a wrong proof, for one of a class below `demand`, or if no attempt is
            left.

        Raises:
            StoreUnavailable, OwnersError, ProviderUnavailable: the proof could not be checked.
        """
        factor, now_s = self._every.get(shown.factor), int(self._clock_s())
        if factor is None or not factor.may_be(shown):
            return None
        trial = await self._limits.counted(trial)
        guess = factor.guess
        allowed = await self._limits.early(trial, guess, exists=owner.contact is not None)
        # A right proof of a weaker class must not wait for the run: waiting would tell that it is right.
        allowed &= self._accepts(owner, shown.factor, demand)
        right = await factor.match(trial, self._acceptance.usable(owner, demand, now_s), shown, bound_to, now_s)
        if right and allowed:
            return Early(trial, now_s)
        if guess is not None:
            await self._limits.defer(trial, guess)
        return None

    async def settle(self, challenge: bytes, account: str, *, behind_right_secret: bool) -> None:
        """Count the attempts that a challenge had before its run ended. Call it when the outcome is known.

        Raises:
            StoreUnavailable, OwnersError: the next proof for the challenge settles the rest.
        """
        if not await self._limits.has_any(challenge):
            return
        owner = await self.owner(account)
        trial = self.trial(challenge, owner, behind_right_secret=behind_right_secret)
        # Only log-ins have a run. Guesses at a factor that the account does not accept could have proved nothing.
        needed = self.requirements.needed(owner, LOG_IN, int(self._clock_s()))
        counted = [
            one.guess for name, one in self._every.items() if one.guess and self.requirements.class_of(name) >= needed
        ]
        if await self._limits.settle(trial, counted) and trial.behind_right_secret and owner.of_kind("totp"):
            self._senders.factor_changed(owner, "totp", "stopped")

    async def prove(
        self,
        trial: CodeTrial,
        owner: AccountOwner,
        shown: ShownFactor,
        bound_to: bytes,
        *,
        demand: Demand = LOG_IN,
        now_s: int | None = None,
    ) -> Proof | None:
        """Accept a proof; return None if it proves nothing. Each code, and each passkey response, is valid once.

        A right proof of a weaker class than the account has to show takes the steps of a wrong one, and is not spent.

        A proof cancels a pending reset: either the owner found the factor, or an attacker had requested the reset.

        Args:
            trial: the account and the challenge.
            owner: the account owner.
            shown: the client's proof.
            bound_to: see `passkey_options`.
            demand: what the proof is for.
            now_s: Unix time in seconds when the proof was shown, if that was earlier; None: now.

        Raises:
            StoreUnavailable, OwnersError: the proof could not be checked, and may be spent.
        """
        factor = self._every.get(shown.factor)
        now_s = int(self._clock_s()) if now_s is None else now_s
        if not self._accepts(owner, shown.factor, demand):
            trial = trial._replace(behind_right_secret=False)
        usable = self._acceptance.usable(owner, demand, now_s)
        proof = await factor.accept(trial, usable, shown, bound_to, now_s) if factor else None
        if proof is not None:
            await self._proved(owner)
        return proof

    async def _proved(self, owner: AccountOwner) -> None:
        await self._limits.proved(owner.counted_by)
        # Not for every proof: with SQLite, the query could wait in our event loop for a lock whose holder waits too.
        if owner.reset_asked:
            await self._owners.cancel_reset(owner.account_id)

    @property
    def recovers(self) -> bool:
        """Whether owners can replace a lost factor themselves: the site sends codes."""
        return bool(self._lost.by)

    async def begin_recovery(self, trial: CodeTrial, owner: AccountOwner, typed: str) -> None:
        """Send a code for a recovery of a lost factor if `typed` is a recovery code, which is used up.

        Otherwise run the same steps without one. Raises `StoreUnavailable` and `OwnersError`.
        """
        now_s = int(self._clock_s())
        if not self.recovers or folded_symbols(typed, SYMBOLS) is None:
            return
        if not (self._lost.may_begin(owner, now_s) and _reachable(owner, self._lost.by)):
            trial = trial._replace(behind_right_secret=False)
        usable = self._acceptance.usable(owner, MANAGE, now_s)
        proof = await self._acceptance.by_recovery_code(trial, usable, ShownFactor(RECOVERY, typed), b"", now_s)
        await self._lost.send(trial, owner, proved=proof is not None, now_s=now_s)

    async def confirm_recovery(self, trial: CodeTrial, owner: AccountOwner, typed: str) -> Reset | None:
        """Ask for a reset of the factors in a day if this is the code that `begin_recovery` sent; otherwise None.

        Raises `StoreUnavailable` and `OwnersError`.
        """
        return await self._lost.confirm(trial, owner, typed, now_s=int(self._clock_s()))

    def _accepts(self, owner: AccountOwner, factor: str, demand: Demand) -> bool:
        return self.requirements.accepts(owner, factor, demand, int(self._clock_s()))


def _plain(account: str) -> str:
    """Return the plainest spelling; the account itself if it is no valid name."""
    try:
        return canonical(account)
    except Unreadable:
        return account


def _reachable(owner: AccountOwner, factor: str) -> bool:
    if owner.contact is None:
        return False
    # A thief who has changed the address would have the code sent to their own mailbox.
    return factor != "email" or (owner.contact.email is not None and not owner.history.is_held)
