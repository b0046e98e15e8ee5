"""How each factor of a site matches and accepts its proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sekisho.stepup.attempt_limits import DOOR, Guess
from sekisho.stepup.factors.account_owner import RECOVERY, Proof, ShownFactor
from sekisho.stepup.factors.code_normalisation import folded_digits, folded_symbols
from sekisho.stepup.factors.codes import DIGITS as SENT_DIGITS
from sekisho.stepup.factors.passkeys import is_assertion
from sekisho.stepup.factors.recovery import SYMBOLS
from sekisho.stepup.factors.requirements import MANAGE, is_settled, settled
from sekisho.stepup.factors.totp import DIGITS
from sekisho.stepup.oidc.login import OidcReturn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sekisho.owners import Owners
    from sekisho.stepup.attempt_limits import CodeTrial
    from sekisho.stepup.factors.account_lookup import AccountLookup
    from sekisho.stepup.factors.account_owner import AccountOwner
    from sekisho.stepup.factors.codes import Codes
    from sekisho.stepup.factors.identities import Identities
    from sekisho.stepup.factors.passkeys import Passkeys
    from sekisho.stepup.factors.recovery import RecoveryCodes
    from sekisho.stepup.factors.requirements import Demand, Requirements
    from sekisho.stepup.factors.senders import Senders
    from sekisho.stepup.factors.totp import Totp

    Acceptor = Callable[[CodeTrial, AccountOwner, ShownFactor, bytes, int], Awaitable[Proof | None]]
    Matcher = Callable[[CodeTrial, AccountOwner, ShownFactor, bytes, int], Awaitable[bool]]


class FactorProofs(NamedTuple):
    """One factor's functions.

    Attributes:
        may_be: whether a text has the form of a proof. Other texts are not counted as attempts.
        match: whether the text would be a proof behind a right secret. Spends nothing.
        accept: accepts the proof, and spends it.
        guess: the kind of guess that a wrong text is; None for proofs that cannot be guessed.
    """

    may_be: Callable[[ShownFactor], bool]
    match: Matcher
    accept: Acceptor
    guess: Guess | None = None


class FactorParts(NamedTuple):
    """What a site's factors are made of; None for what it does not offer."""

    codes: Codes
    totp: Totp
    recovery: RecoveryCodes
    passkeys: Passkeys | None
    identities: Identities | None


class Acceptance:
    """Matches and accepts the proofs of each factor.

    Args:
        parts: verify them.
        owners, lookup: keep an account's recovery codes.
        requirements: the classes of factors.
        senders: tells owners that a recovery code was used, or that their app was stopped.
    """

    def __init__(
        self, parts: FactorParts, owners: Owners, lookup: AccountLookup, requirements: Requirements, senders: Senders
    ) -> None:
        self._codes, self._totp, self._recovery, self._passkeys, self._identities = parts
        self._owners = owners
        self._lookup = lookup
        self._requirements = requirements
        self._senders = senders

    def of(self, names: tuple[str, ...]) -> dict[str, FactorProofs]:
        """Return the functions that match and accept proofs, by factor, for the factors of these names."""
        sent = FactorProofs(_may_be_sent, self._is_sent_code, self._by_sent_code, Guess.CODE)
        every: Mapping[str, FactorProofs] = {
            "webauthn": FactorProofs(_may_be_passkey, self._is_passkey, self._by_passkey),
            "totp": FactorProofs(_may_be_app, self._is_of_app, self._by_app, Guess.APP),
            "oidc": FactorProofs(_may_be_return, self._is_identity, self._by_identity),
            "email": sent,
            "webhook": sent,
            RECOVERY: FactorProofs(_may_be_recovery, self._is_recovery_code, self.by_recovery_code),
        }
        return {name: every[name] for name in names}

    def usable(self, owner: AccountOwner, demand: Demand, now_s: int) -> AccountOwner:
        """Return the owner without the enrolments that are too new to count if `demand.settled`, else unchanged."""
        if not demand.settled:
            return owner
        sheet = next(iter(owner.of_kind(RECOVERY)), None)
        number, sealed = (sheet.id, sheet.sealed) if sheet else ("", None)
        made_s = self._recovery.made_s(sealed, account=owner.account_id, enrolment=number)
        usable = settled(owner, now_s)
        if is_settled(made_s, now_s):
            return usable
        return usable._replace(enrolments=tuple(one for one in usable.enrolments if one.kind != RECOVERY))

    async def _is_passkey(
        self, trial: CodeTrial, owner: AccountOwner, shown: ShownFactor, bound_to: bytes, now_s: int
    ) -> bool:
        assert self._passkeys is not None  # noqa: S101 - without it the factor is not among the names
        return await self._passkeys.match(trial, owner, shown.credential, bound_to, now_s=now_s)

    async def _by_passkey(
        self, trial: CodeTrial, owner: AccountOwner, shown: ShownFactor, bound_to: bytes, now_s: int
    ) -> Proof | None:
        assert self._passkeys is not None  # noqa: S101 - without it the factor is not among the names
        used = await self._passkeys.accept(trial, owner, shown.credential, bound_to, now_s=now_s)
        return None if used is None else Proof(shown.factor, settled=is_settled(used.created_s, now_s))

    async def _is_of_app(
        self, trial: CodeTrial, owner: AccountOwner, shown: ShownFactor, _bound_to: bytes, now_s: int
    ) -> bool:
        return self._totp.match(trial, _apps(owner), shown.code, now_s) is not None

    async def _by_app(
        self, trial: CodeTrial, owner: AccountOwner, shown: ShownFactor, _bound_to: bytes, now_s: int
    ) -> Proof | None:
        kept = _apps(owner)

        def on_last() -> None:
            # At a door where the proof comes first any stranger may guess, and its codes go on at log-ins (R34).
            if kept and trial.scope != DOOR:
                self._senders.factor_changed(owner, "totp", "stopped")

        used = await self._totp.accept(trial, kept, shown.code, now_s=now_s, on_last=on_last)
        return None if used is None else Proof(shown.factor, settled=_is_settled(owner, used, now_s))

    async def _is_identity(
        self, trial: CodeTrial, owner: AccountOwner, shown: ShownFactor, bound_to: bytes, _now_s: int
    ) -> bool:
        assert self._identities is not None  # noqa: S101 - without it the factor is not among the names
        return await self._identities.match(trial, owner, shown, bound_to)

    async def _by_identity(
        self, trial: CodeTrial, owner: AccountOwner, shown: ShownFactor, bound_to: bytes, now_s: int
    ) -> Proof | None:
        assert self._identities is not None  # noqa: S101 - without it the factor is not among the names
        used = await self._identities.accept(trial, owner, shown, bound_to)
        if used is None:
            return None
        is_old = is_settled(used.created_s, now_s)
        return Proof(shown.factor, settled=is_old, by_class=self._requirements.class_of(shown.factor))

    async def _is_sent_code(
        self, trial: CodeTrial, _person: AccountOwner, shown: ShownFactor, _bound_to: bytes, _now_s: int
    ) -> bool:
        return await self._codes.match(trial, shown.code)

    async def _by_sent_code(
        self, trial: CodeTrial, _person: AccountOwner, shown: ShownFactor, _bound_to: bytes, _now_s: int
    ) -> Proof | None:
        return Proof(shown.factor) if await self._codes.accept(trial, shown.code) else None

    async def _is_recovery_code(
        self, trial: CodeTrial, owner: AccountOwner, shown: ShownFactor, _bound_to: bytes, _now_s: int
    ) -> bool:
        enrolment, store = self._store(owner)
        return await self._recovery.match(trial, enrolment, store, shown.code)

    async def by_recovery_code(
        self, trial: CodeTrial, owner: AccountOwner, shown: ShownFactor, _bound_to: bytes, now_s: int
    ) -> Proof | None:
        enrolment, store = self._store(owner)
        if await self._recovery.accept(trial, enrolment, store, shown.code) is None:
            return None
        self._senders.factor_changed(owner, RECOVERY, "used")
        return Proof(shown.factor, settled=bool(self.usable(owner, MANAGE, now_s).of_kind(RECOVERY)))

    def _store(self, owner: AccountOwner) -> tuple[str, _RecoveryStore]:
        enrolment = next((one.id for one in owner.of_kind(RECOVERY)), "")
        return enrolment, _RecoveryStore(self._owners, self._lookup, owner, enrolment)


class _RecoveryStore:
    """The recovery store of an account: one query for every account, with or without codes."""

    def __init__(self, owners: Owners, lookup: AccountLookup, owner: AccountOwner, enrolment: str) -> None:
        self._owners = owners
        self._lookup = lookup
        self._owner = owner
        self._enrolment = enrolment

    async def read(self) -> bytes | None:
        found = await self._lookup.enrolment(self._owner, RECOVERY)
        return found.sealed if found and found.id == self._enrolment else None

    async def swap(self, old: bytes, new: bytes) -> bool:
        return await self._owners.replace(self._enrolment, old, new)


def _is_settled(owner: AccountOwner, enrolment_id: str, now_s: int) -> bool:
    return any(one.id == enrolment_id and is_settled(one.created_s, now_s) for one in owner.enrolments)


def _apps(owner: AccountOwner) -> list[tuple[str, bytes]]:
    return [(one.id, one.sealed) for one in owner.of_kind("totp")]


def _may_be_app(shown: ShownFactor) -> bool:
    return folded_digits(shown.code, DIGITS) is not None


def _may_be_sent(shown: ShownFactor) -> bool:
    return folded_digits(shown.code, SENT_DIGITS) is not None


def _may_be_recovery(shown: ShownFactor) -> bool:
    return folded_symbols(shown.code, SYMBOLS) is not None


def _may_be_passkey(shown: ShownFactor) -> bool:
    return is_assertion(shown.credential)


def _may_be_return(shown: ShownFactor) -> bool:
    return OidcReturn.of(shown.code, shown.credential) is not None
