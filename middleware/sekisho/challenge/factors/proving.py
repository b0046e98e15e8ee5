"""The factors of a site: what can be asked for, asked and accepted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho.challenge.codes import DIGITS as SENT_DIGITS
from sekisho.challenge.codes import Codes
from sekisho.challenge.factors.passkeys import Passkeys, is_assertion
from sekisho.challenge.factors.people import People
from sekisho.challenge.factors.person import Early, Proof
from sekisho.challenge.keys import VaultKeys
from sekisho.challenge.recovery import SYMBOLS, RecoveryCodes
from sekisho.challenge.seal import Sealer
from sekisho.challenge.totp import DIGITS, Totp
from sekisho.challenge.tries import Guess, Trial, Tries
from sekisho.challenge.typed import folded_digits, folded_symbols
from sekisho.model import Unreadable
from sekisho.read.account import canonical

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from sekisho.challenge.factors.person import Person, Shown
    from sekisho.challenge.senders import Senders
    from sekisho.challenge.webauthn import WebAuthn
    from sekisho.crypto.signers import Signer
    from sekisho.owners import Owners
    from sekisho.store.vault import Vault

    Acceptor = Callable[[Trial, Person, Shown, bytes, int], Awaitable[Proof | None]]
    Matcher = Callable[[Trial, Person, Shown, bytes, int], Awaitable[bool]]

SENT = ("email", "webhook")
KEPT = ("webauthn", "totp")
RECOVERY = "recovery"


class _Factor(NamedTuple):
    """Attributes:
    may_be: whether something could be a proof by its form. What cannot be is no try.
    match: whether it would be one behind a right secret. Spends nothing.
    accept: the proof. Spends what was shown.
    guess: what is guessed where it is wrong; None for what nobody can guess.
    """

    may_be: Callable[[Shown], bool]
    match: Matcher
    accept: Acceptor
    guess: Guess | None = None


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
        secrets: Sequence[bytes | Signer],
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
        sent = _Factor(_may_be_sent, self._is_sent_code, self._by_sent_code, Guess.CODE)
        every: Mapping[str, _Factor] = {
            "webauthn": _Factor(_may_be_passkey, self._is_passkey, self._by_passkey),
            "totp": _Factor(_may_be_app, self._is_of_app, self._by_app, Guess.APP),
            "email": sent,
            "webhook": sent,
            RECOVERY: _Factor(_may_be_recovery, self._is_recovery_code, self._by_recovery_code),
        }
        self._every = {name: every[name] for name in self.names}

    async def person(self, account: str) -> Person:
        """Who an account belongs to, after a reset that is due. Raises `OwnersError`."""
        return await self._people.find(account, now_s=int(self._clock_s()))

    def trial(self, challenge: bytes, person: Person, *, behind_right_secret: bool, lane: bytes = b"") -> Trial:
        """Whose proof is tried. Who is unknown to the owners can prove nothing, and is counted for nobody.

        `lane`: see `Trial`.
        """
        right = behind_right_secret and person.contact is not None
        owner = "" if person.owner == person.account_id else person.owner
        return Trial(challenge, person.account_id, right, lane, owner=owner)

    async def passkey_options(self, trial: Trial, person: Person, bound_to: bytes, *, counted: bytes) -> dict[str, Any]:
        """What to ask a browser for: as long and as many for everybody, and the same for all spellings of an account.

        Owners may be looked up as they are typed. Then `ALICE` is nobody, and `alice` has a passkey in the place of a
        decoy: so what is listed for either is what the plainest spelling has. It proves nothing for another account.

        Args:
            trial: for which challenge.
            person: whose passkeys.
            bound_to: what must be the same when the passkey is shown: browser, door, purpose.
            counted: the account's digest as counters use it, the same for all its spellings.

        Raises:
            StoreUnavailable: nothing was asked.

        Returns:
            `PublicKeyCredentialRequestOptionsJSON`; empty where the site has no passkeys.
        """
        if self._passkeys is None:
            return {}
        plain = _plain(person.account)
        people = [person] if plain == person.account else [person, await self.person(plain)]
        return await self._passkeys.options(trial, people, bound_to, counted=counted, now_s=int(self._clock_s()))

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

    async def try_early(self, trial: Trial, person: Person, shown: Shown, bound_to: bytes) -> Early | None:
        """Whether something is a proof if the secret was right, before anybody knows whether it was.

        Spends a try of the challenge and nothing else; what it costs the account is settled when the run has ended,
        see `settle`. Takes as many steps for everybody, since the secret is asked for nothing.

        Args:
            trial: for which challenge; nothing is known of its secret.
            person: whose.
            shown: what was shown.
            bound_to: see `passkey_options`.

        Returns:
            What `prove` needs of it; None where it is wrong.

        Raises:
            StoreUnavailable, OwnersError: nobody knows.
        """
        factor, now_s = self._every.get(shown.factor), int(self._clock_s())
        if factor is None or not factor.may_be(shown):
            return None
        trial = await self._tries.counted(trial)
        guess = factor.guess
        allowed = await self._tries.early(trial, guess, exists=person.contact is not None)
        right = await factor.match(trial, person, shown, bound_to, now_s)
        if right and allowed:
            return Early(trial, now_s)
        if guess is not None:
            await self._tries.defer(trial, guess)
        return None

    async def settle(self, challenge: bytes, account: str, *, behind_right_secret: bool) -> None:
        """Count what was tried in a challenge before its run had ended. Called by whoever learns that it has.

        Raises:
            StoreUnavailable, OwnersError: what is left is settled with the next proof that is shown for it.
        """
        if not await self._tries.has_any(challenge):
            return
        person = await self.person(account)
        trial = self.trial(challenge, person, behind_right_secret=behind_right_secret)
        if await self._tries.settle(trial) and trial.behind_right_secret and person.of_kind("totp"):
            self._sender.factor_changed(person, "totp", "stopped")

    async def prove(
        self, trial: Trial, person: Person, shown: Shown, bound_to: bytes, *, now_s: int | None = None
    ) -> Proof | None:
        """What is proved; None: nothing. Each code, and each answer of a passkey, is good once.

        A proof ends a reset under way: what was lost is found, or was never lost and somebody else asked.

        Args:
            trial: for whom.
            person: whose.
            shown: what was shown.
            bound_to: see `passkey_options`.
            now_s: when it was shown, where that is a while ago.

        Raises:
            StoreUnavailable, OwnersError: nobody knows; what was shown may be spent.
        """
        factor = self._every.get(shown.factor)
        now_s = int(self._clock_s()) if now_s is None else now_s
        proof = await factor.accept(trial, person, shown, bound_to, now_s) if factor else None
        if proof is not None:
            await self._tries.proved(person.owner)
        # Not for every proof: a service on SQLite would wait, in our event loop, for a lock that waits too.
        if proof is not None and person.reset_asked:
            await self._owners.cancel_reset(person.account_id)
        return proof

    async def _is_passkey(self, trial: Trial, person: Person, shown: Shown, bound_to: bytes, now_s: int) -> bool:
        assert self._passkeys is not None  # noqa: S101 - or it would not be among the names
        return await self._passkeys.match(trial, person, shown.credential, bound_to, now_s=now_s)

    async def _by_passkey(
        self, trial: Trial, person: Person, shown: Shown, bound_to: bytes, now_s: int
    ) -> Proof | None:
        assert self._passkeys is not None  # noqa: S101 - or it would not be among the names
        accepted = await self._passkeys.accept(trial, person, shown.credential, bound_to, now_s=now_s)
        return Proof(shown.factor) if accepted else None

    async def _is_of_app(self, trial: Trial, person: Person, shown: Shown, _bound_to: bytes, now_s: int) -> bool:
        return self._totp.match(trial, _apps(person), shown.code, now_s) is not None

    async def _by_app(self, trial: Trial, person: Person, shown: Shown, _bound_to: bytes, now_s: int) -> Proof | None:
        kept = _apps(person)

        def on_last() -> None:
            if kept:
                self._sender.factor_changed(person, "totp", "stopped")

        accepted = await self._totp.accept(trial, kept, shown.code, now_s=now_s, on_last=on_last)
        return Proof(shown.factor) if accepted else None

    async def _is_sent_code(self, trial: Trial, _person: Person, shown: Shown, _bound_to: bytes, _now_s: int) -> bool:
        return await self._codes.match(trial, shown.code)

    async def _by_sent_code(
        self, trial: Trial, _person: Person, shown: Shown, _bound_to: bytes, _now_s: int
    ) -> Proof | None:
        return Proof(shown.factor) if await self._codes.accept(trial, shown.code) else None

    async def _is_recovery_code(
        self, trial: Trial, person: Person, shown: Shown, _bound_to: bytes, _now_s: int
    ) -> bool:
        enrolment, shelf = self._shelf(person)
        return await self._recovery.match(trial, enrolment, shelf, shown.code)

    async def _by_recovery_code(
        self, trial: Trial, person: Person, shown: Shown, _bound_to: bytes, _now_s: int
    ) -> Proof | None:
        enrolment, shelf = self._shelf(person)
        left = await self._recovery.accept(trial, enrolment, shelf, shown.code)
        if left is None:
            return None
        self._sender.factor_changed(person, RECOVERY, "used")
        return Proof(shown.factor, left)

    def _shelf(self, person: Person) -> tuple[str, _Shelf]:
        enrolment = next((one.id for one in person.of_kind(RECOVERY)), "")
        return enrolment, _Shelf(self._owners, self._people, person, enrolment)


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


def _plain(account: str) -> str:
    """The plainest spelling; the account itself where no reader takes it for one."""
    try:
        return canonical(account)
    except Unreadable:
        return account


def _apps(person: Person) -> list[tuple[str, bytes]]:
    return [(one.id, one.sealed) for one in person.of_kind("totp")]


def _may_be_app(shown: Shown) -> bool:
    return folded_digits(shown.code, DIGITS) is not None


def _may_be_sent(shown: Shown) -> bool:
    return folded_digits(shown.code, SENT_DIGITS) is not None


def _may_be_recovery(shown: Shown) -> bool:
    return folded_symbols(shown.code, SYMBOLS) is not None


def _may_be_passkey(shown: Shown) -> bool:
    return is_assertion(shown.credential)


def _reachable(person: Person, factor: str) -> bool:
    if person.contact is None:
        return False
    return person.contact.email is not None if factor == "email" else True
