"""Passkeys of an account: their challenge is sealed in the vault, their counts are updated by compare-and-set."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Any

from sekisho.crypto.seal import Unsealable, bind
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.stepup.attempt_limits import DOOR
from sekisho.stepup.proof import ProofFailed
from sekisho.stepup.webauthn import CREDENTIALS_MAX, RESPONSE_BYTES_MAX, SECONDS, Credential

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.crypto.seal import Sealer
    from sekisho.crypto.vault_keys import VaultKeys
    from sekisho.owners import Enrolment, Owners
    from sekisho.stepup.attempt_limits import AttemptLimits, CodeTrial
    from sekisho.stepup.factors.account_owner import AccountOwner
    from sekisho.stepup.factors.passkey_index import PasskeyIndex
    from sekisho.stepup.webauthn import WebAuthn
    from sekisho.stepup.webauthn.reading import Assertion
    from sekisho.store.vault import Vault

log = logging.getLogger("sekisho.challenge")

KIND = "webauthn"
FRESH_BYTES = 32
_PURPOSE, _STATE = b"webauthn", b"passkey state"


def is_assertion(shown: bytes) -> bool:
    """Whether the text could be an authenticator's response, by its length."""
    return 0 < len(shown) <= RESPONSE_BYTES_MAX


class PasskeySealer:
    """Seals passkeys, and opens those of one account."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._nobodys = self.seal(Credential(b"i" * 32, b"k" * 77, 0, b"h" * 32), account="", enrolment="")

    def seal(self, credential: Credential, *, account: str, enrolment: str) -> bytes:
        """Seal a passkey for this account's enrolment; in another row of the database it does not open."""
        return self._sealer.seal(_PURPOSE, credential.to_bytes(), bound_to=enrolment_binding(account, enrolment))

    def open(self, owner: AccountOwner) -> list[tuple[Enrolment, Credential]]:
        """Return the account's passkeys. The same number of seals is opened for every account."""
        found = owner.of_kind(KIND)[:CREDENTIALS_MAX]
        for _ in range(CREDENTIALS_MAX - len(found)):
            self._credential("", "", self._nobodys)
        opened = ((one, self._credential(owner.account_id, one.id, one.sealed)) for one in found)
        return [(one, credential) for one, credential in opened if credential is not None]

    def _credential(self, account: str, enrolment: str, sealed: bytes) -> Credential | None:
        try:
            stored = self._sealer.open(_PURPOSE, sealed, bound_to=enrolment_binding(account, enrolment))
            return Credential.from_bytes(stored)
        except (Unsealable, ValueError):
            # An exception would give an error page, which would distinguish this account from invented ones.
            log.warning("a passkey's enrolment cannot be opened: altered, or SEKISHO_SECRET lost its key")
            return None


class Passkeys:
    """The factor `webauthn`: makes options for the browser, and accepts its response.

    `index`: names an account by its passkey; None where no log-in begins with one.
    """

    def __init__(
        self,
        webauthn: WebAuthn,
        owners: Owners,
        vault: Vault,
        *,
        keys: VaultKeys,
        sealer: Sealer,
        limits: AttemptLimits,
        index: PasskeyIndex | None = None,
    ) -> None:
        self._webauthn = webauthn
        self._owners = owners
        self._vault = vault
        self._keys = keys
        self._sealer = sealer
        self._limits = limits
        self._index = index
        self._passkey_sealer = PasskeySealer(sealer)

    async def options(
        self,
        trial: CodeTrial,
        account_owners: Sequence[AccountOwner],
        bound_to: bytes,
        *,
        account_digest: bytes,
        now_s: int,
    ) -> dict[str, Any]:
        """Return the options for the browser. If a challenge gets several, only the last options are valid.

        Args:
            trial: the challenge.
            account_owners: the owners whose passkeys are listed; the one who shows the proof comes first.
            bound_to: the context that must be the same when a passkey is shown.
            account_digest: the account's digest in the counters.
            now_s: Unix time in seconds.

        Raises:
            StoreUnavailable: no options are valid.
        """
        opened = [credential for owner in account_owners for _, credential in self._passkey_sealer.open(owner)]
        credentials = list({credential.id: credential for credential in opened}.values())[:CREDENTIALS_MAX]
        fresh = secrets.token_bytes(FRESH_BYTES)
        options, state = self._webauthn.authentication_options(
            account_digest.hex(), credentials, fresh=fresh, now_s=now_s
        )
        sealed = self._sealer.seal(_STATE, state, bound_to=self._binding(trial, bound_to))
        await self._vault.put(self._name(trial), sealed, seconds=SECONDS)
        return options

    async def accept(
        self, trial: CodeTrial, owner: AccountOwner, shown: bytes, bound_to: bytes, *, now_s: int
    ) -> Enrolment | None:
        """Return the enrolment of the passkey that was shown; None if it does not prove that the owner is present.

        Each set of options is valid once. Raises `StoreUnavailable` and `OwnersError`.
        """
        if not is_assertion(shown) or not await self._limits.in_challenge(trial):
            return None
        state = self._opened(await self._vault.take(self._name(trial)), trial, bound_to)
        used = self._used(owner, state, shown, now_s)
        if used is None or not trial.behind_right_secret:
            return None
        kept = await self._keep_count(owner, self._passkey_sealer.open(owner), used)
        # Where the proof comes before the secret, the application has not accepted this spelling of the account: its
        # owner could have the passkey name another's account, and log in there.
        if kept is not None and self._index is not None and trial.scope != DOOR:
            await self._index.note(owner.account, owner.account_id, used.user_handle)
        return kept

    async def accept_login(self, owner: AccountOwner, shown: Assertion, challenge: bytes) -> Enrolment | None:
        """Return the enrolment of the passkey that begins a log-in of this owner; None if it proves nothing.

        The caller accepts each challenge once. See `WebAuthn.authenticate_owner`. Raises `OwnersError`.
        """
        held = self._passkey_sealer.open(owner)
        try:
            used = self._webauthn.authenticate_owner(shown, challenge, [credential for _, credential in held])
        except ProofFailed as error:
            log.info("a passkey began no log-in: %s", error.reason)
            return None
        return await self._keep_count(owner, held, used)

    async def match(self, trial: CodeTrial, owner: AccountOwner, shown: bytes, bound_to: bytes, *, now_s: int) -> bool:
        """Whether `accept` would succeed behind a right secret. It counts nothing, and the options stay valid."""
        sealed = await self._vault.get(self._name(trial))
        state = self._opened(sealed, trial, bound_to)
        return self._used(owner, state, shown, now_s) is not None

    def _used(self, owner: AccountOwner, state: bytes, shown: bytes, now_s: int) -> Credential | None:
        """Return the passkey that was shown, with its new count; None if it is not one of the account's."""
        credentials = [credential for _, credential in self._passkey_sealer.open(owner)]
        try:
            return self._webauthn.authenticate(state, shown, credentials, now_s=now_s)
        except ProofFailed as error:
            log.info("a passkey proved nothing: %s", error.reason)
            return None

    async def _keep_count(
        self, owner: AccountOwner, held: list[tuple[Enrolment, Credential]], used: Credential
    ) -> Enrolment | None:
        """Store the new count. None if another request changed it meanwhile: one of the two uses a copied passkey."""
        enrolment = next(one for one, credential in held if credential.id == used.id)
        sealed = self._passkey_sealer.seal(used, account=owner.account_id, enrolment=enrolment.id)
        return enrolment if await self._owners.replace(enrolment.id, enrolment.sealed, sealed) else None

    def _opened(self, sealed: bytes | None, trial: CodeTrial, bound_to: bytes) -> bytes:
        """Return the state of this challenge; empty, which matches no response, if there is none."""
        try:
            return self._sealer.open(_STATE, sealed or b"", bound_to=self._binding(trial, bound_to))
        except Unsealable:
            return b""

    def _name(self, trial: CodeTrial) -> bytes:
        return self._keys.of(_STATE, trial.challenge)

    @staticmethod
    def _binding(trial: CodeTrial, bound_to: bytes) -> bytes:
        return bind(bound_to, enrolment_binding(trial.account, ""), trial.challenge)
