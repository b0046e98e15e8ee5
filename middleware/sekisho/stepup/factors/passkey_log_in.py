"""Log-ins that begin with a passkey: the browser shows it before any account is named.

The challenge is a sealed text with its end, bound to the browser that asked for it, so that strangers' requests for
options keep nothing in the store. It is marked as used before anything is looked up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sekisho.crypto.seal import Unsealable
from sekisho.stepup.factors.account_owner import Proof
from sekisho.stepup.factors.passkeys import KIND, is_assertion
from sekisho.stepup.factors.requirements import settled
from sekisho.stepup.proof import ProofFailed
from sekisho.stepup.webauthn.reading import challenge_of, read_assertion

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sekisho.crypto.seal import Sealer
    from sekisho.crypto.vault_keys import VaultKeys
    from sekisho.stepup.factors.account_owner import AccountOwner
    from sekisho.stepup.factors.passkey_index import PasskeyIndex
    from sekisho.stepup.factors.passkeys import Passkeys
    from sekisho.stepup.webauthn import WebAuthn
    from sekisho.stepup.webauthn.reading import Assertion
    from sekisho.store.vault import Vault

SECONDS: Final = 600
SKEW_S: Final = 60  # clocks of two workers may differ so much
"""How long a challenge is valid: an owner may look at the form for some minutes before the passkey is chosen."""

_PURPOSE: Final = b"passkey log-in"
_TIME_BYTES: Final = 8
_NO_ACCOUNT: Final = "nobody"  # looked up where no account is known, with the same queries; it is let in nowhere


class ProvedOwner(NamedTuple):
    """Attributes:
    owner: whose passkey was shown. `owner.account` is as the application read it when it accepted that account.
    proof: of class `phr`.
    """

    owner: AccountOwner
    proof: Proof

    def __repr__(self) -> str:
        return "ProvedOwner(...)"


class PasskeyLogIn:
    """Makes challenges and accepts what browsers answer to them.

    Args:
        webauthn: makes the options.
        passkeys: verifies, and keeps counts.
        index: names the account of a passkey.
        vault: marks used challenges.
        keys, sealer: the service's.
        find: returns the owner of an account, whether it exists or not.
        proved: is told of an owner who has shown a proof.
        clock_s: Unix time in seconds.
    """

    def __init__(  # noqa: PLR0913 - all that a log-in is proved with
        self,
        webauthn: WebAuthn,
        passkeys: Passkeys,
        index: PasskeyIndex,
        vault: Vault,
        *,
        keys: VaultKeys,
        sealer: Sealer,
        find: Callable[[str], Awaitable[AccountOwner]],
        proved: Callable[[AccountOwner], Awaitable[None]],
        clock_s: Callable[[], float],
    ) -> None:
        self._webauthn = webauthn
        self._passkeys = passkeys
        self._index = index
        self._vault = vault
        self._keys = keys
        self._sealer = sealer
        self._find = find
        self._proved = proved
        self._clock_s = clock_s

    def options(self, browser_key: str) -> dict[str, Any]:
        """`PublicKeyCredentialRequestOptionsJSON` for this browser. Nothing is kept."""
        ends = (int(self._clock_s()) + SECONDS).to_bytes(_TIME_BYTES)
        challenge = self._sealer.seal(_PURPOSE, ends, bound_to=browser_key.encode())
        return self._webauthn.login_options(challenge, seconds=SECONDS)

    async def accept(self, shown: bytes, browser_key: str) -> ProvedOwner | None:
        """The owner whose passkey this is; None if it proves nothing. Each challenge is valid once.

        Args:
            shown: the JSON of the browser's `PublicKeyCredential.toJSON()`; a client may send any bytes.
            browser_key: of the browser that shows it.

        Raises:
            StoreUnavailable, OwnersError: the passkey could not be checked, and its challenge may be used up.
        """
        claim = self._claim(shown, browser_key)
        if claim is None:
            return None
        assertion, challenge = claim
        # Before the signature is looked at: an assertion that was seen on its way opens nothing a second time, and one
        # challenge costs one look-up at most.
        if not await self._vault.once(self._keys.of(_PURPOSE, challenge), seconds=SECONDS):
            return None
        account = await self._index.account(assertion.user_handle)
        owner = await self._find(account or _NO_ACCOUNT)
        # A passkey that was enrolled less than 72 hours ago, perhaps by a thief with one relayed code, opens nothing.
        used = await self._passkeys.accept_login(settled(owner, int(self._clock_s())), assertion, challenge)
        if used is None or not account:
            return None
        await self._proved(owner)
        return ProvedOwner(owner, Proof(KIND))

    def _claim(self, shown: bytes, browser_key: str) -> tuple[Assertion, bytes] | None:
        """The assertion and its challenge, if this browser got that challenge a while ago."""
        if not is_assertion(shown):
            return None
        try:
            assertion = read_assertion(shown)
            challenge = challenge_of(assertion.client_data)
            ends = self._sealer.open(_PURPOSE, challenge, bound_to=browser_key.encode())
        except (ProofFailed, Unsealable):
            return None
        # Its use is remembered for as long: after a clock was set back, it would serve a second time.
        is_current = 0 < int.from_bytes(ends) - self._clock_s() <= SECONDS + SKEW_S
        return (assertion, challenge) if is_current else None
