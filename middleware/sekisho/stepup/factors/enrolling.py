"""Enrolment of new factors. The caller must make sure that the account owner has just shown a proof.

The client holds a pending enrolment as a sealed state, bound to the account and valid once within ten minutes. A factor
is stored only after it was shown to work; otherwise its owner would notice a failure on the day the factor is needed.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho.crypto.seal import Sealer, Unsealable, bind
from sekisho.crypto.vault_keys import VaultKeys
from sekisho.model import FactorClass
from sekisho.model.text import utf8
from sekisho.owners import LABEL_CHARS_MAX, Enrolment, EnrolmentsFull
from sekisho.stepup.attempt_limits import AttemptLimits
from sekisho.stepup.factors.account_lookup import AccountLookup
from sekisho.stepup.factors.identities import IDENTITIES_MAX, Identities
from sekisho.stepup.factors.identities import KIND as IDENTITY
from sekisho.stepup.factors.passkeys import FRESH_BYTES, KIND, PasskeySealer
from sekisho.stepup.factors.recovery import RecoveryCodes
from sekisho.stepup.factors.requirements import settled
from sekisho.stepup.factors.strong_only import KIND as STRONG_ONLY
from sekisho.stepup.factors.strong_only import StrongOnly
from sekisho.stepup.factors.totp import ENROLMENTS_MAX as APPS_MAX
from sekisho.stepup.factors.totp import Totp, new_secret, provisioning_uri, qr_svg, secret_text, verify
from sekisho.stepup.proof import ProofFailed, StillNeeded
from sekisho.stepup.webauthn.makers import maker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.stepup.factors.account_owner import AccountOwner
    from sekisho.stepup.factors.dependencies import FactorDependencies
    from sekisho.stepup.factors.recovery import Sheet
    from sekisho.stepup.factors.requirements import Requirements
    from sekisho.stepup.webauthn import WebAuthn

STATE_S = 600
STATE_CHARS_MAX = 1_024
_APP, _PASSKEY, _IDENTITY = b"totp begun", b"passkey begun", b"identity begun"
_TIME_BYTES, _ID_BYTES = 8, 16
_SWAPS_MAX = 4  # an owner may request several sheets at once; one request succeeds in each round


class TotpOffer(NamedTuple):
    """The secret that a page shows to an owner, to take it into an authenticator app.

    Attributes:
        id: the id that the enrolment will have.
        secret_text: the secret, to type.
        uri: `otpauth://…`
        qr_svg: the same as a QR code.
        state: the client shows it again together with the first code.
    """

    id: str
    secret_text: str
    uri: str
    qr_svg: str
    state: str

    def __repr__(self) -> str:
        return "TotpOffer(...)"


class Enrolling:
    """Enrols and removes factors; see the module.

    Args:
        dependencies: what it works with.
        issuer: the service's name, as authenticator apps show it.
        requirements: of the site and of each account.
    """

    def __init__(self, dependencies: FactorDependencies, *, issuer: str, requirements: Requirements) -> None:
        owners, vault, secrets, senders, clock_s, passkeys, provider, index = dependencies
        self._owners = owners
        self._vault = vault
        self._keys = VaultKeys(secrets)
        self._sealer = Sealer(secrets, clock_s=clock_s)
        self._webauthn = passkeys
        self._senders = senders
        self._issuer = issuer
        self._clock_s = clock_s
        limits = AttemptLimits(vault, self._keys)
        self._lookup = AccountLookup(owners, self._keys, senders)
        self._totp = Totp(vault, self._keys, self._sealer, limits, drift=requirements.totp_drift)
        self._requirements = requirements
        self._index = index
        self._strong_only = StrongOnly(self._sealer, self._keys)
        self._codes = RecoveryCodes(self._sealer, limits)
        self._passkey_sealer = PasskeySealer(self._sealer)
        self._identities = (
            Identities(provider, vault, keys=self._keys, sealer=self._sealer, limits=limits) if provider else None
        )

    async def begin_totp(self, owner: AccountOwner) -> TotpOffer:
        """Return the offer to enrol an app, with a new secret that is stored nowhere yet.

        Raises:
            ProofFailed: the account is unknown.
            EnrolmentsFull: the account has as many apps as are compared.
        """
        _ensure_known(owner)
        _ensure_room(owner)
        secret, enrolment = new_secret(), secrets.token_bytes(_ID_BYTES)
        return self._offer(owner, enrolment, secret, self._state(_APP, owner, enrolment + secret))

    def totp_again(self, owner: AccountOwner, state: str) -> TotpOffer | None:
        """Return the offer of this state again, after a wrong code; None if the state is not valid."""
        begun = self._begun(_APP, owner, state)
        return None if begun is None else self._offer(owner, begun[:_ID_BYTES], begun[_ID_BYTES:], state)

    async def confirm_totp(self, owner: AccountOwner, state: str, code: str, label: str) -> Enrolment | None:
        """Enrol an app; return None if the code is wrong or the state is not valid.

        The time step of the code is spent, so that an observer of the code cannot log in with it.

        Raises:
            ProofFailed: the account is unknown.
            EnrolmentsFull, StoreUnavailable, OwnersError: nothing was stored.
        """
        _ensure_known(owner)
        begun = self._begun(_APP, owner, state)
        if begun is None:
            return None
        enrolment, secret = begun[:_ID_BYTES].hex(), begun[_ID_BYTES:]
        step = verify(secret, code, self._now_s(), self._totp.drift)
        if step is None or not await self._totp.spend(enrolment, step) or not await self._first(_APP, state):
            return None
        _ensure_room(owner)
        sealed = self._totp.seal(secret, account=owner.account_id, enrolment=enrolment)
        return await self._kept(owner, Enrolment(enrolment, "totp", _label(label), self._now_s(), sealed))

    async def passkey_options(self, owner: AccountOwner) -> tuple[dict[str, Any], str]:
        """Return the options for the browser to make a passkey, and the state to show with its response.

        Raises `ProofFailed` if the account is unknown, or the site offers no passkeys.
        """
        _ensure_known(owner)
        options, state = self._passkeys().registration_options(
            owner.account_id,
            owner.account,
            [credential for _, credential in self._passkey_sealer.open(owner)],
            fresh=secrets.token_bytes(FRESH_BYTES),
            now_s=self._now_s(),
        )
        return options, self._state(_PASSKEY, owner, state)

    async def confirm_passkey(self, owner: AccountOwner, state: str, credential: bytes, label: str) -> Enrolment:
        """Enrol a passkey.

        Raises:
            ProofFailed: the browser's response or the state is not valid.
            EnrolmentsFull, StoreUnavailable, OwnersError: nothing was stored.
        """
        _ensure_known(owner)
        begun = self._begun(_PASSKEY, owner, state)
        if begun is None or not await self._first(_PASSKEY, state):
            raise ProofFailed("state")
        existing = [held for _, held in self._passkey_sealer.open(owner)]
        made = self._passkeys().register(begun, credential, existing, now_s=self._now_s())
        enrolment = secrets.token_hex(_ID_BYTES)
        sealed = self._passkey_sealer.seal(made, account=owner.account_id, enrolment=enrolment)
        kept = await self._kept(owner, Enrolment(enrolment, KIND, _label(label), self._now_s(), sealed))
        if self._index is not None:
            await self._index.note(owner.account, owner.account_id, made.user_handle)
        return kept

    async def begin_identity(self, owner: AccountOwner, browser_key: str, fields: Mapping[str, str]) -> str:
        """Begin to connect an identity; return the URL of the log-in at its provider. `fields`: see `Identities.begin`.

        Raises:
            ProofFailed: the account is unknown, or the site has no provider.
            EnrolmentsFull: the account has as many identities as are compared.
            ProviderUnavailable, TooManyLogins, StoreUnavailable: no log-in was begun.
        """
        identities = self._ensured_identities(owner)
        bound_to = _identity_binding(owner, browser_key)
        return await identities.begin(bound_to, bound_to, fields)

    async def confirm_identity(self, owner: AccountOwner, browser_key: str, code: str, credential: bytes) -> Enrolment:
        """Connect an identity that has just logged in at the provider, in this browser and for this account.

        Raises:
            ProofFailed: the log-in proves nothing, or the account is unknown.
            EnrolmentsFull, StoreUnavailable, OwnersError, ProviderUnavailable: nothing was stored.
        """
        identities = self._ensured_identities(owner)
        bound_to = _identity_binding(owner, browser_key)
        identity = await identities.confirm(bound_to, bound_to, code, credential)
        if identity is None:
            raise ProofFailed("identity")
        enrolment = secrets.token_hex(_ID_BYTES)
        sealed = identities.seal(identity, account=owner.account_id, enrolment=enrolment)
        return await self._kept(owner, Enrolment(enrolment, IDENTITY, "", self._now_s(), sealed))

    def makers(self, owner: AccountOwner) -> dict[str, str]:
        """The makers of the owner's passkeys by enrolment, as far as they are known. For display alone."""
        return {one.id: maker(credential.public_key) for one, credential in self._passkey_sealer.open(owner)}

    def accepted_passkeys(self, owner: AccountOwner) -> dict[str, Any] | None:
        """The owner's passkeys for the browser's Signal API; None if the site offers no passkeys."""
        if self._webauthn is None:
            return None
        return self._webauthn.accepted(
            owner.account_id, [credential for _, credential in self._passkey_sealer.open(owner)]
        )

    async def recovery(self, owner: AccountOwner) -> Sheet:
        """Make and store a sheet of ten new recovery codes, and return it. The codes of an older sheet become invalid.

        Raises:
            ProofFailed: the account is unknown, or other requests changed the sheet each time.
            EnrolmentsFull, OwnersError: the older sheet is unchanged.
        """
        _ensure_known(owner)
        for _ in range(_SWAPS_MAX):
            old = await self._lookup.enrolment(owner, "recovery")
            sheet = await (self._replaced(owner, old) if old else self._first_sheet(owner))
            if sheet is not None:
                self._senders.factor_changed(owner, "recovery", "added")
                return sheet
        raise ProofFailed("busy")

    async def remove(self, owner: AccountOwner, enrolment_id: str) -> bool:
        """Remove a factor; return whether the account had it.

        Raises:
            ProofFailed: the account is unknown.
            StillNeeded: it is the last strong factor of an owner who refuses weaker ones.
            OwnersError: nothing was removed.
        """
        _ensure_known(owner)
        kind = next((one.kind for one in owner.factors if one.id == enrolment_id), None)
        if kind is None:
            return False
        self._ensure_not_last(owner, enrolment_id)
        if not await self._owners.remove(owner.account_id, enrolment_id):
            return False
        self._senders.factor_changed(owner, kind, "removed")
        return True

    async def only_strong(self, owner: AccountOwner, on: bool) -> None:
        """Have the account refuse every factor weaker than its strongest one from now on; with `on` False, end that.

        While it refuses them, no recovery by code and mail replaces the strong factor, and the last such factor cannot
        be removed.

        Raises:
            ProofFailed: the account is unknown, or has no strong factor that is no longer held back.
            EnrolmentsFull, OwnersError: nothing was changed.
        """
        _ensure_known(owner)
        own, now_s = self._requirements.own(owner, self._now_s()), self._now_s()
        if not on:
            # The row that is there: its id follows from the oldest secret, which a rotation may have changed since.
            for kept in owner.of_kind(STRONG_ONLY):
                await self._owners.remove(owner.account_id, kept.id)
        elif own < FactorClass.APP:
            raise ProofFailed("no_strong_factor")
        elif not owner.of_kind(STRONG_ONLY):
            await self._owners.enrol(owner.account_id, self._strong_only.enrolment(owner, own, now_s))

    def _ensure_not_last(self, owner: AccountOwner, enrolment_id: str) -> None:
        least = self._strong_only.of(owner)
        others = [one for one in settled(owner, self._now_s()).factors if one.id != enrolment_id]
        if least and not any(self._requirements.class_of(one.kind) >= least for one in others):
            raise StillNeeded("the last strong factor of an owner who refuses weaker ones")

    async def _kept(self, owner: AccountOwner, enrolment: Enrolment) -> Enrolment:
        await self._owners.enrol(owner.account_id, enrolment)
        self._senders.factor_changed(owner, enrolment.kind, "added")
        return enrolment

    async def _replaced(self, owner: AccountOwner, old: Enrolment) -> Sheet | None:
        sheet = self._codes.fresh(account=owner.account_id, enrolment=old.id, now_s=self._now_s())
        return sheet if await self._owners.replace(old.id, old.sealed, sheet.sealed) else None

    async def _first_sheet(self, owner: AccountOwner) -> Sheet | None:
        # The id is derived from the account. Of two requests at once only one can store it, so there are never two
        # sheets.
        enrolment = self._keys.of(b"recovery sheet", owner.account_id).hex()
        sheet = self._codes.fresh(account=owner.account_id, enrolment=enrolment, now_s=self._now_s())
        try:
            kept = Enrolment(enrolment, "recovery", "", self._now_s(), sheet.sealed)
            await self._owners.enrol(owner.account_id, kept)
        except ValueError:
            return None
        return sheet

    def _passkeys(self) -> WebAuthn:
        if self._webauthn is None:
            raise ProofFailed("no_passkeys")
        return self._webauthn

    def _ensured_identities(self, owner: AccountOwner) -> Identities:
        _ensure_known(owner)
        if self._identities is None:
            raise ProofFailed("no_provider")
        if len(owner.of_kind(IDENTITY)) >= IDENTITIES_MAX:
            raise EnrolmentsFull(f"an account has at most {IDENTITIES_MAX} connected identities")
        return self._identities

    def _now_s(self) -> int:
        return int(self._clock_s())

    # Pending enrolments.

    def _offer(self, owner: AccountOwner, enrolment: bytes, secret: bytes, state: str) -> TotpOffer:
        uri = provisioning_uri(secret, issuer=self._issuer, account=owner.account)
        return TotpOffer(enrolment.hex(), secret_text(secret), uri, qr_svg(uri), state)

    def _state(self, purpose: bytes, owner: AccountOwner, data: bytes) -> str:
        ends = (self._now_s() + STATE_S).to_bytes(_TIME_BYTES)
        sealed = self._sealer.seal(purpose, ends + data, bound_to=_binding(owner))
        return urlsafe_b64encode(sealed).decode()

    def _begun(self, purpose: bytes, owner: AccountOwner, state: str) -> bytes | None:
        """Return the content of a state; None if it belongs to another account, has expired, or is any other text."""
        if len(state) > STATE_CHARS_MAX:
            return None
        try:
            data = self._sealer.open(purpose, urlsafe_b64decode(state.encode()), bound_to=_binding(owner))
        except (Unsealable, Base64Error, ValueError):
            return None
        return data[_TIME_BYTES:] if self._now_s() < int.from_bytes(data[:_TIME_BYTES]) else None

    async def _first(self, purpose: bytes, state: str) -> bool:
        # The key is made from the decoded bytes: base64 has several spellings of one state.
        return await self._vault.once(self._keys.of(purpose, urlsafe_b64decode(state)), seconds=STATE_S)


def _binding(owner: AccountOwner) -> bytes:
    return bind(*(utf8(part) for part in (owner.account, owner.account_id)))


def _identity_binding(owner: AccountOwner, browser_key: str) -> bytes:
    return bind(_IDENTITY, _binding(owner), browser_key.encode())


def _ensure_known(owner: AccountOwner) -> None:
    # A factor stored under an unassigned name would belong to the next account with that name.
    if owner.contact is None:
        raise ProofFailed("no_owner")


def _ensure_room(owner: AccountOwner) -> None:
    if len(owner.of_kind("totp")) >= APPS_MAX:
        raise EnrolmentsFull(f"an account has at most {APPS_MAX} authenticator apps")


def _label(text: str) -> str:
    """Return the owner's name for the factor; empty if it contains characters that cannot be shown in a line."""
    short = text[:LABEL_CHARS_MAX].strip()
    return short if short.isprintable() else ""
