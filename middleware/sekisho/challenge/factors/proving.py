"""The factors of a site: what can be asked for, asked and accepted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sekisho.challenge.codes import Codes
from sekisho.challenge.factors.passkeys import Passkeys
from sekisho.challenge.factors.people import People
from sekisho.challenge.factors.person import Proof
from sekisho.challenge.keys import VaultKeys
from sekisho.challenge.recovery import RecoveryCodes
from sekisho.challenge.seal import Sealer
from sekisho.challenge.totp import Totp
from sekisho.challenge.tries import Trial, Tries

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sekisho.challenge.factors.person import Person, Shown
    from sekisho.challenge.senders import Senders
    from sekisho.challenge.webauthn import WebAuthn
    from sekisho.owners import Owners
    from sekisho.store.vault import Vault

    Acceptor = Callable[[Trial, Person, Shown, bytes], Awaitable[Proof | None]]

SENT = ("email", "webhook")
KEPT = ("webauthn", "totp")
RECOVERY = "recovery"


class Factors:
    """See the package. Whatever a client sends, the worst that comes of it is no proof.

    Args:
        names: what the site asks for, in order of preference: of `webauthn`, `totp`, `email` and `webhook`. Recovery
            codes come with each of them: a telephone can be lost, and a mailbox too.
        owners: whose contacts and enrolments.
        vault: codes under way, questions, counts.
        secrets: the service's, newest first.
        passkeys: asks for passkeys; None where the site has none.
        sender: takes codes and notices.
        clock_s: Unix time.

    Raises:
        ValueError: a name of no factor, or passkeys that nobody asks for.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        owners: Owners,
        vault: Vault,
        secrets: tuple[bytes, ...],
        *,
        passkeys: WebAuthn | None,
        sender: Senders,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        if not set(names) <= {*KEPT, *SENT} or ("webauthn" in names and passkeys is None):
            raise ValueError(f"factors are {', '.join((*KEPT, *SENT))}; the first wants a domain")
        self.names = (*dict.fromkeys(names), *([RECOVERY] if names else []))
        self._owners = owners
        self._sender = sender
        self._clock_s = clock_s
        keys, sealer = VaultKeys(secrets), Sealer(secrets)
        tries = self._tries = Tries(vault, keys)
        self._people = People(owners, keys, sender)
        self._codes = Codes(vault, keys, sealer, tries)
        self._totp = Totp(vault, keys, sealer, tries)
        self._recovery = RecoveryCodes(sealer, tries)
        self._passkeys = (
            Passkeys(passkeys, owners, vault, keys=keys, sealer=sealer, tries=tries) if passkeys is not None else None
        )
        every: Mapping[str, Acceptor] = {
            "webauthn": self._by_passkey,
            "totp": self._by_app,
            "email": self._by_sent_code,
            "webhook": self._by_sent_code,
            RECOVERY: self._by_recovery_code,
        }
        self._acceptors = {name: every[name] for name in self.names}

    async def person(self, account: str) -> Person:
        """Who an account belongs to, after a reset that is due. Raises `OwnersError`."""
        return await self._people.find(account, now_s=int(self._clock_s()))

    def trial(self, challenge: bytes, person: Person, *, behind_right_secret: bool, lane: bytes = b"") -> Trial:
        """Whose proof is tried. Who is unknown to the owners can prove nothing, and is counted for nobody.

        `lane`: see `Trial`.
        """
        return Trial(challenge, person.account_id, behind_right_secret and person.contact is not None, lane)

    async def passkey_options(self, trial: Trial, person: Person, bound_to: bytes) -> dict[str, Any]:
        """What to ask a browser for: as long and as many for everybody.

        Args:
            trial: for which challenge.
            person: whose passkeys.
            bound_to: what must be the same when the passkey is shown: browser, door, purpose.

        Raises:
            StoreUnavailable: nothing was asked.

        Returns:
            `PublicKeyCredentialRequestOptionsJSON`; empty where the site has no passkeys.
        """
        if self._passkeys is None:
            return {}
        return await self._passkeys.options(trial, person, bound_to, now_s=int(self._clock_s()))

    async def send(self, trial: Trial, person: Person, factor: str) -> None:
        """Have a code sent, where there is a right secret and an address. Looks the same where there is not.

        Raises:
            StoreUnavailable: nothing was sent.
        """
        if factor not in SENT or factor not in self.names:
            return
        if not _reachable(person, factor):
            trial = trial._replace(behind_right_secret=False)
        code = await self._codes.issue(trial, now_s=int(self._clock_s()))
        if code is not None:
            self._sender.send_code(factor, person, code)

    async def prove(self, trial: Trial, person: Person, shown: Shown, bound_to: bytes) -> Proof | None:
        """What is proved; None: nothing. Each code, and each answer of a passkey, is good once.

        A proof ends a reset under way: what was lost is found, or was never lost and somebody else asked.

        Raises:
            StoreUnavailable, OwnersError: nobody knows; what was shown may be spent.
        """
        accept = self._acceptors.get(shown.factor)
        proof = await accept(trial, person, shown, bound_to) if accept else None
        if proof is not None:
            await self._tries.proved(person.account_id)
        # Not for every proof: a service on SQLite would wait, in our event loop, for a lock that waits too.
        if proof is not None and person.reset_asked:
            await self._owners.cancel_reset(person.account_id)
        return proof

    async def _by_passkey(self, trial: Trial, person: Person, shown: Shown, bound_to: bytes) -> Proof | None:
        assert self._passkeys is not None  # noqa: S101 - or it would not be among the names
        now_s = int(self._clock_s())
        accepted = await self._passkeys.accept(trial, person, shown.credential, bound_to, now_s=now_s)
        return Proof(shown.factor) if accepted else None

    async def _by_app(self, trial: Trial, person: Person, shown: Shown, _bound_to: bytes) -> Proof | None:
        kept = [(one.id, one.sealed) for one in person.of_kind("totp")]

        def on_last() -> None:
            if kept:
                self._sender.factor_changed(person, "totp", "stopped")

        now_s = int(self._clock_s())
        accepted = await self._totp.accept(trial, kept, shown.code, now_s=now_s, on_last=on_last)
        return Proof(shown.factor) if accepted else None

    async def _by_sent_code(self, trial: Trial, _person: Person, shown: Shown, _bound_to: bytes) -> Proof | None:
        return Proof(shown.factor) if await self._codes.accept(trial, shown.code) else None

    async def _by_recovery_code(self, trial: Trial, person: Person, shown: Shown, _bound_to: bytes) -> Proof | None:
        enrolment = next((one.id for one in person.of_kind(RECOVERY)), "")
        shelf = _Shelf(self._owners, self._people, person, enrolment)
        left = await self._recovery.accept(trial, enrolment, shelf, shown.code)
        if left is None:
            return None
        self._sender.factor_changed(person, RECOVERY, "used")
        return Proof(shown.factor, left)


class _Shelf:
    """Where an account's recovery codes lie: one look-up for everybody, also for who has none."""

    def __init__(self, owners: Owners, people: People, person: Person, enrolment: str) -> None:
        self._owners = owners
        self._people = people
        self._person = person
        self._enrolment = enrolment

    async def read(self) -> bytes | None:
        found = await self._people.enrolment(self._person, RECOVERY)
        return found.sealed if found and found.id == self._enrolment else None

    async def swap(self, old: bytes, new: bytes) -> bool:
        return await self._owners.replace(self._enrolment, old, new)


def _reachable(person: Person, factor: str) -> bool:
    if person.contact is None:
        return False
    return person.contact.email is not None if factor == "email" else True
