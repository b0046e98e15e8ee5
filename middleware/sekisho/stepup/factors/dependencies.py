"""What both the proof and the enrolment of a site's factors work with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.crypto.signers import Signer
    from sekisho.owners import Owners
    from sekisho.stepup.factors.passkey_index import PasskeyIndex
    from sekisho.stepup.factors.senders import Senders
    from sekisho.stepup.oidc.provider import OidcProvider
    from sekisho.stepup.webauthn import WebAuthn
    from sekisho.store.vault import Vault


class FactorDependencies(NamedTuple):
    """Attributes:
    owners: keeps contacts and enrolments.
    vault: keeps pending codes, challenges, states and counts.
    secrets: the service's, newest first.
    senders: sends codes and notices.
    clock_s: Unix time in seconds.
    passkeys: makes and verifies passkeys; None if the site offers none.
    provider: of the factor `oidc`; None if the site has none.
    passkey_index: names accounts by their passkeys; None where no log-in begins with one.
    """

    owners: Owners
    vault: Vault
    secrets: Sequence[bytes | Signer]
    senders: Senders
    clock_s: Callable[[], float]
    passkeys: WebAuthn | None = None
    provider: OidcProvider | None = None
    passkey_index: PasskeyIndex | None = None

    def __repr__(self) -> str:
        return "FactorDependencies(...)"
