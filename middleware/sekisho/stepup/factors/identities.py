"""The factor `oidc`: a log-in at an OpenID Connect provider, by the exact identity that the owner has connected.

A log-in at the provider begins with a *state*, 32 random bytes that only this browser and the provider see. The vault
keeps under its name, sealed: the form to go on with, the nonce, the secret of PKCE, and a digest of what the log-in is
bound to. The answer counts once, in the browser and for the purpose that it was begun for.
"""

from __future__ import annotations

import json
import logging
import secrets
from base64 import urlsafe_b64decode
from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.crypto.seal import Unsealable, bind
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.model import SekishoError
from sekisho.model.oidc import Identity
from sekisho.model.text import base64url, utf8
from sekisho.stepup.oidc.login import STATE, OidcLogin, OidcReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.crypto.seal import Sealer
    from sekisho.crypto.vault_keys import VaultKeys
    from sekisho.owners import Enrolment
    from sekisho.stepup.attempt_limits import AttemptLimits, CodeTrial
    from sekisho.stepup.factors.account_owner import AccountOwner, ShownFactor
    from sekisho.stepup.oidc.provider import OidcProvider
    from sekisho.store.vault import Vault

log = logging.getLogger("sekisho.challenge")

KIND: Final = "oidc"
PURPOSE: Final = b"identity"
LOGIN_S: Final = 600
"""How long a log-in at the provider may take, in seconds: as long as a ticket lives."""

LOGINS_MAX: Final = 10  # of one challenge, within `LOGIN_S`
IDENTITIES_MAX: Final = 3  # of an account; each opens one seal for every account
_NAME_BYTES, _STATE_BYTES, _SECRET_BYTES = 16, 32, 32
_BEGUN, _RESULT = b"oidc begun", b"oidc result"


class TooManyLogins(SekishoError):  # noqa: N818 - a state, not a mistake
    """The challenge has begun as many log-ins at the provider as it may. Answered like an outage: 503."""


class BegunLogin(NamedTuple):
    """A log-in at the provider that has begun.

    Attributes:
        fields: what the form sends when the browser is back, beside the code.
        nonce, verifier: see `OidcLogin`.
        bound: a digest of the browser, account and purpose.
    """

    fields: dict[str, str]
    nonce: str
    verifier: str
    bound: str

    def login(self, state: str) -> OidcLogin:
        return OidcLogin(state, self.nonce, self.verifier)

    def __repr__(self) -> str:
        return "BegunLogin(...)"


class Identities:
    """Begins log-ins at the provider, and accepts their answers.

    Args:
        provider: the site's.
        vault: keeps log-ins and results.
        keys: names them there.
        sealer: seals them, and the enrolments.
        limits: counts attempts.
    """

    def __init__(
        self, provider: OidcProvider, vault: Vault, *, keys: VaultKeys, sealer: Sealer, limits: AttemptLimits
    ) -> None:
        self._provider = provider
        self._vault = vault
        self._keys = keys
        self._sealer = sealer
        self._limits = limits
        self._nobodys = self.seal(Identity("", ""), account="", enrolment="")

    def seal(self, identity: Identity, *, account: str, enrolment: str) -> bytes:
        """Seal an identity for this account's enrolment; in another row of the database it does not open."""
        return self._sealer.seal(PURPOSE, _packed(identity), bound_to=enrolment_binding(account, enrolment))

    async def begin(self, challenge: bytes, bound_to: bytes, fields: Mapping[str, str]) -> str:
        """Begin a log-in at the provider; return its URL. If a challenge begins several, only the last is valid.

        Args:
            challenge: names the step-up, or the enrolment.
            bound_to: the browser, account and purpose, which must be the same when the browser is back.
            fields: kept until the browser is back; the form then sends them beside the code.

        Raises:
            TooManyLogins, StoreUnavailable, ProviderUnavailable: no log-in was begun.
        """
        name = self._keys.of(_BEGUN, challenge)
        if await self._vault.count(self._keys.of(b"oidc begins", challenge), seconds=LOGIN_S) > LOGINS_MAX:
            raise TooManyLogins
        state = base64url(name + secrets.token_bytes(_STATE_BYTES))
        begun = BegunLogin(dict(fields), _fresh(), _fresh(), _digest(bind(bound_to, challenge)))
        address = await self._provider.address(begun.login(state))
        sealed = self._sealer.seal(_BEGUN, json.dumps(begun).encode(), bound_to=bind(state.encode()))
        await self._vault.put(name, sealed, seconds=LOGIN_S)
        return address

    async def begun(self, state: str) -> BegunLogin | None:
        """The log-in of this state; None if there is none. Changes nothing. Raises `StoreUnavailable`."""
        if not STATE.fullmatch(state):
            return None
        return self._opened(await self._vault.get(_name_of(state)), state)

    async def match(self, trial: CodeTrial, owner: AccountOwner, shown: ShownFactor, bound_to: bytes) -> bool:
        """Whether `accept` would succeed behind a right secret.

        The code is exchanged at the provider, and the result is kept for `accept`.

        Raises:
            StoreUnavailable, ProviderUnavailable: the code may be spent.
        """
        returned = OidcReturn.of(shown.code, shown.credential)
        if returned is None:
            return False
        return self._used(owner, await self._identity(returned, bind(bound_to, trial.challenge))) is not None

    async def accept(
        self, trial: CodeTrial, owner: AccountOwner, shown: ShownFactor, bound_to: bytes
    ) -> Enrolment | None:
        """Return the enrolment whose identity has logged in at the provider; None if that proves nothing.

        Each log-in is accepted once.

        Raises:
            StoreUnavailable, ProviderUnavailable: the code may be spent.
        """
        returned = OidcReturn.of(shown.code, shown.credential)
        if returned is None or not await self._limits.in_challenge(trial):
            return None
        used = self._used(owner, await self._identity(returned, bind(bound_to, trial.challenge)))
        if used is None or not trial.behind_right_secret:
            return None
        return used if await self._spent(returned) else None

    async def confirm(self, challenge: bytes, bound_to: bytes, code: str, credential: bytes) -> Identity | None:
        """Return the identity that an owner connects by a log-in at the provider; None if the log-in proves nothing.

        Each log-in is accepted once.

        Raises:
            StoreUnavailable, ProviderUnavailable: the code may be spent.
        """
        returned = OidcReturn.of(code, credential)
        if returned is None:
            return None
        identity = await self._identity(returned, bind(bound_to, challenge))
        return identity if identity is not None and await self._spent(returned) else None

    async def _identity(self, returned: OidcReturn, bound_to: bytes) -> Identity | None:
        """The verified identity behind a code. The first call for a state exchanges the code; others read that."""
        key, bound = self._keys.of(_RESULT, returned.state), bind(utf8(returned.state), utf8(returned.code), bound_to)
        if (kept := await self._vault.get(key)) is not None:
            return self._result(kept, bound)
        begun = await self.begun(returned.state)
        # The state of another browser, or of another purpose: an attacker who sends their own callback to the owner.
        if begun is None or not compare_digest(begun.bound, _digest(bound_to)):
            return None
        await self._provider.ensure_ready()
        if not await self._vault.once(self._keys.of(b"oidc exchanged", returned.state), seconds=LOGIN_S):
            return None
        identity = await self._provider.identify(returned, begun.login(returned.state))
        if identity is not None:
            await self._vault.put(key, self._sealer.seal(_RESULT, _packed(identity), bound_to=bound), seconds=LOGIN_S)
        return identity

    async def _spent(self, returned: OidcReturn) -> bool:
        return await self._vault.take(self._keys.of(_RESULT, returned.state)) is not None

    def _result(self, kept: bytes, bound: bytes) -> Identity | None:
        try:
            return _unpacked(self._sealer.open(_RESULT, kept, bound_to=bound))
        except Unsealable:
            return None

    def _opened(self, sealed: bytes | None, state: str) -> BegunLogin | None:
        try:
            return BegunLogin(*json.loads(self._sealer.open(_BEGUN, sealed or b"", bound_to=bind(state.encode()))))
        except Unsealable:
            return None

    def _used(self, owner: AccountOwner, identity: Identity | None) -> Enrolment | None:
        """The enrolment of this identity. The same number of seals is opened and compared for every account."""
        shown = _packed(identity or Identity("", ""))
        listed = owner.of_kind(KIND)[:IDENTITIES_MAX]
        for _ in range(IDENTITIES_MAX - len(listed)):
            compare_digest(self._held("", "", self._nobodys), shown)
        found = [one for one in listed if compare_digest(self._held(owner.account_id, one.id, one.sealed), shown)]
        return found[0] if found and identity is not None else None

    def _held(self, account: str, enrolment: str, sealed: bytes) -> bytes:
        try:
            return self._sealer.open(PURPOSE, sealed, bound_to=enrolment_binding(account, enrolment))
        except Unsealable:
            # An exception would give an error page, which would distinguish this account from invented ones.
            log.warning("a connected identity cannot be opened: altered, or SEKISHO_SECRET lost its key")
            return b""


def _fresh() -> str:
    return base64url(secrets.token_bytes(_SECRET_BYTES))


def _name_of(state: str) -> bytes:
    """The name in the vault of the log-in with this state."""
    return urlsafe_b64decode(state)[:_NAME_BYTES]


def _digest(bound_to: bytes) -> str:
    return blake2b(bound_to, digest_size=32).hexdigest()


def _packed(identity: Identity) -> bytes:
    return json.dumps(identity).encode()


def _unpacked(packed: bytes) -> Identity:
    return Identity(*json.loads(packed))
