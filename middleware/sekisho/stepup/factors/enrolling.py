"""New factors, for an owner who has just proved to be one; whoever asks makes sure of that.

What is under way lies in the client's hands, sealed: bound to the account, good for ten minutes and once. A factor is
kept only after it was shown to work, or its owner would find out on the day it is asked for.
"""

from __future__ import annotations

import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho.crypto.seal import Sealer, Unsealable, bind
from sekisho.crypto.vault_keys import VaultKeys
from sekisho.owners import LABEL_CHARS_MAX, Enrolment, EnrolmentsFull
from sekisho.stepup.attempt_limits import AttemptLimits
from sekisho.stepup.factors.account_lookup import AccountLookup
from sekisho.stepup.factors.passkeys import FRESH_BYTES, KIND, PasskeySealer
from sekisho.stepup.factors.recovery import RecoveryCodes
from sekisho.stepup.factors.totp import ENROLMENTS_MAX as APPS_MAX
from sekisho.stepup.factors.totp import Totp, new_secret, provisioning_uri, qr_svg, secret_text, verify
from sekisho.stepup.proof import ProofFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.crypto.signers import Signer
    from sekisho.owners import Owners
    from sekisho.stepup.factors.account_owner import AccountOwner
    from sekisho.stepup.factors.recovery import Sheet
    from sekisho.stepup.factors.senders import Senders
    from sekisho.stepup.webauthn import WebAuthn
    from sekisho.store.vault import Vault

STATE_S = 600
STATE_CHARS_MAX = 1_024
_APP, _PASSKEY = b"totp begun", b"passkey begun"
_TIME_BYTES, _ID_BYTES = 8, 16
_SWAPS_MAX = 4  # of an owner who asks for several sheets at once, one wins each round


class TotpOffer(NamedTuple):
    """What an owner is shown to take into an app.

    Attributes:
        id: what the enrolment will have.
        secret_text: to be typed.
        uri: `otpauth://…`
        qr_svg: the same, to be photographed.
        state: to be shown again with the first code.
    """

    id: str
    secret_text: str
    uri: str
    qr_svg: str
    state: str

    def __repr__(self) -> str:
        return "TotpOffer(...)"


class Enrolling:
    """See the module.

    Args:
        owners: where enrolments are kept.
        vault: what was used.
        secrets: the service's, newest first.
        passkeys: asks for passkeys; None where the site has none.
        sender: takes notices.
        issuer: the service's name, as apps show it.
        clock_s: Unix time.
    """

    def __init__(
        self,
        owners: Owners,
        vault: Vault,
        secrets: Sequence[bytes | Signer],
        *,
        passkeys: WebAuthn | None,
        sender: Senders,
        issuer: str,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._owners = owners
        self._vault = vault
        self._keys = VaultKeys(secrets)
        self._sealer = Sealer(secrets)
        self._web = passkeys
        self._sender = sender
        self._issuer = issuer
        self._clock_s = clock_s
        tries = AttemptLimits(vault, self._keys)
        self._people = AccountLookup(owners, self._keys, sender)
        self._totp = Totp(vault, self._keys, self._sealer, tries)
        self._codes = RecoveryCodes(self._sealer, tries)
        self._cabinet = PasskeySealer(self._sealer)

    async def begin_totp(self, person: AccountOwner) -> TotpOffer:
        """A new secret, kept nowhere yet. Raises `EnrolmentsFull`: more apps than are looked at would never work."""
        _ensure_known(person)
        _ensure_room(person)
        secret, enrolment = new_secret(), secrets.token_bytes(_ID_BYTES)
        return self._offer(person, enrolment, secret, self._state(_APP, person, enrolment + secret))

    def totp_again(self, person: AccountOwner, state: str) -> TotpOffer | None:
        """The offer that this is the state of, after a code that was not right; None where it is not in force."""
        begun = self._begun(_APP, person, state)
        return None if begun is None else self._offer(person, begun[:_ID_BYTES], begun[_ID_BYTES:], state)

    async def confirm_totp(self, person: AccountOwner, state: str, code: str, label: str) -> Enrolment | None:
        """The enrolment; None where the code is not right, or the state is not in force.

        The step that is shown is spent: whoever looked on must not log in with it.

        Raises:
            EnrolmentsFull, StoreUnavailable, OwnersError: nothing was kept.
        """
        _ensure_known(person)
        begun = self._begun(_APP, person, state)
        if begun is None:
            return None
        enrolment, secret = begun[:_ID_BYTES].hex(), begun[_ID_BYTES:]
        step = verify(secret, code, self._now_s())
        if step is None or not await self._totp.spend(enrolment, step) or not await self._first(_APP, state):
            return None
        _ensure_room(person)
        sealed = self._totp.seal(secret, account=person.account_id, enrolment=enrolment)
        return await self._kept(person, Enrolment(enrolment, "totp", _label(label), self._now_s(), sealed))

    async def passkey_options(self, person: AccountOwner) -> tuple[dict[str, Any], str]:
        """What to ask a browser for, and the state to show with its answer. Raises `ProofFailed`."""
        _ensure_known(person)
        options, state = self._passkeys().registration_options(
            person.account_id,
            person.account,
            [credential for _, credential in self._cabinet.open(person)],
            fresh=secrets.token_bytes(FRESH_BYTES),
            now_s=self._now_s(),
        )
        return options, self._state(_PASSKEY, person, state)

    async def confirm_passkey(self, person: AccountOwner, state: str, credential: bytes, label: str) -> Enrolment:
        """The enrolment.

        Raises:
            ProofFailed: the browser's answer makes none, or the state is not in force.
            EnrolmentsFull, StoreUnavailable, OwnersError: nothing was kept.
        """
        _ensure_known(person)
        begun = self._begun(_PASSKEY, person, state)
        if begun is None or not await self._first(_PASSKEY, state):
            raise ProofFailed("state")
        existing = [held for _, held in self._cabinet.open(person)]
        made = self._passkeys().register(begun, credential, existing, now_s=self._now_s())
        enrolment = secrets.token_hex(_ID_BYTES)
        sealed = self._cabinet.seal(made, account=person.account_id, enrolment=enrolment)
        return await self._kept(person, Enrolment(enrolment, KIND, _label(label), self._now_s(), sealed))

    async def recovery(self, person: AccountOwner) -> Sheet:
        """Ten new codes; those of an older sheet are worth nothing from now on.

        Raises:
            EnrolmentsFull, OwnersError: the older sheet is as it was.
        """
        _ensure_known(person)
        for _ in range(_SWAPS_MAX):
            old = await self._people.enrolment(person, "recovery")
            sheet = await (self._replaced(person, old) if old else self._first_sheet(person))
            if sheet is not None:
                self._sender.factor_changed(person, "recovery", "added")
                return sheet
        raise ProofFailed("busy")

    async def remove(self, person: AccountOwner, enrolment_id: str) -> bool:
        """Whether the account had it, until now."""
        _ensure_known(person)
        kind = next((one.kind for one in person.enrolments if one.id == enrolment_id), None)
        if kind is None or not await self._owners.remove(person.account_id, enrolment_id):
            return False
        self._sender.factor_changed(person, kind, "removed")
        return True

    async def _kept(self, person: AccountOwner, enrolment: Enrolment) -> Enrolment:
        await self._owners.enrol(person.account_id, enrolment)
        self._sender.factor_changed(person, enrolment.kind, "added")
        return enrolment

    async def _replaced(self, person: AccountOwner, old: Enrolment) -> Sheet | None:
        sheet = self._codes.fresh(account=person.account_id, enrolment=old.id)
        return sheet if await self._owners.replace(old.id, old.sealed, sheet.sealed) else None

    async def _first_sheet(self, person: AccountOwner) -> Sheet | None:
        # Its id comes from the account: of two who ask at once only one can have it, and there are never two sheets.
        enrolment = self._keys.of(b"recovery sheet", person.account_id).hex()
        sheet = self._codes.fresh(account=person.account_id, enrolment=enrolment)
        try:
            kept = Enrolment(enrolment, "recovery", "", self._now_s(), sheet.sealed)
            await self._owners.enrol(person.account_id, kept)
        except ValueError:
            return None
        return sheet

    def _passkeys(self) -> WebAuthn:
        if self._web is None:
            raise ProofFailed("no_passkeys")
        return self._web

    def _now_s(self) -> int:
        return int(self._clock_s())

    # What is under way.

    def _offer(self, person: AccountOwner, enrolment: bytes, secret: bytes, state: str) -> TotpOffer:
        uri = provisioning_uri(secret, issuer=self._issuer, account=person.account)
        return TotpOffer(enrolment.hex(), secret_text(secret), uri, qr_svg(uri), state)

    def _state(self, purpose: bytes, person: AccountOwner, data: bytes) -> str:
        ends = (self._now_s() + STATE_S).to_bytes(_TIME_BYTES)
        sealed = self._sealer.seal(purpose, ends + data, bound_to=_binding(person))
        return urlsafe_b64encode(sealed).decode()

    def _begun(self, purpose: bytes, person: AccountOwner, state: str) -> bytes | None:
        """What was begun; None for another account's, what has ended, and whatever else a stranger sends."""
        if len(state) > STATE_CHARS_MAX:
            return None
        try:
            data = self._sealer.open(purpose, urlsafe_b64decode(state.encode()), bound_to=_binding(person))
        except (Unsealable, Base64Error, ValueError):
            return None
        return data[_TIME_BYTES:] if self._now_s() < int.from_bytes(data[:_TIME_BYTES]) else None

    async def _first(self, purpose: bytes, state: str) -> bool:
        # Of what was opened, not of its text: base64 has several spellings of one thing.
        return await self._vault.once(self._keys.of(purpose, urlsafe_b64decode(state)), seconds=STATE_S)


def _binding(person: AccountOwner) -> bytes:
    return bind(*(part.encode("utf-8", "surrogatepass") for part in (person.account, person.account_id)))


def _ensure_known(person: AccountOwner) -> None:
    # Kept under a name that nobody has, a factor would wait for whoever is given that name.
    if person.contact is None:
        raise ProofFailed("no_owner")


def _ensure_room(person: AccountOwner) -> None:
    if len(person.of_kind("totp")) >= APPS_MAX:
        raise EnrolmentsFull(f"an account has at most {APPS_MAX} authenticator apps")


def _label(text: str) -> str:
    """What the owner calls it; nothing where it could not stand in a line."""
    short = text[:LABEL_CHARS_MAX].strip()
    return short if short.isprintable() else ""
