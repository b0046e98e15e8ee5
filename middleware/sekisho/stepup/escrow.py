"""Escrow: keeps the application's answer to a stranger's log-in sealed until the client shows a second proof.

The guard answers the client before the outcome is known, and with the same answer for every outcome. The application's
answer waits in the store for some minutes, sealed for one browser. The client holds a *ticket*, which is sealed as
well, so the guard stores nothing about a million strangers whom it asks for a proof.

A ticket names the account exactly as the application reads it, the door and the purpose of the proof. It opens only
with its *browser key*: the cookie of a browser or the header of an app. A ticket that is sent to another client, or
planted in another browser, is worthless there (CVE-2026-18963).
"""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from contextlib import suppress
from enum import Enum
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho.crypto.seal import Sealer, Unsealable, bind
from sekisho.crypto.vault_keys import VaultKeys
from sekisho.model import StoreUnavailable
from sekisho.model.text import utf8

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.crypto.signers import Signer
    from sekisho.model.headers import Header
    from sekisho.store.vault import Vault

TICKET_S = 600
"""Lifetime of a ticket, from the password to the proof, in seconds. A sent code lives as long."""

PROOF_S = 120
"""Lifetime of a proof's receipt, in seconds, for clients that repeat their request themselves."""

KEPT_S = TICKET_S + 60
REPEAT_S = 10  # seconds in which a released answer can be fetched again, after a second click or a lost answer

REMEMBERED_S = 4 * TICKET_S
"""How long a redemption is remembered, in seconds. The notice "not completed" may be sent half an hour late."""

PROOFS_MAX = 10  # proofs of one session within ten minutes
CALLS_MAX = 40  # calls with one ticket; each one reads the owners' database
SKEW_MS = 2_000  # clocks of two workers may differ so much; a change of password still ends every older ticket
AHEAD_MS = 60_000  # a ticket from the future is accepted up to this age, because workers' clocks differ
ANSWER_BYTES_MAX = 65_536  # the same as the part of an answer that is judged
HEADERS_BYTES_MAX = 16_384  # as `headers_bytes` counts them
TICKET_CHARS_MAX = 4_096
_PAD = 256  # a ticket's length must not reveal the length of the account's name

_TICKET, _PROOF, _ANSWER, _RELEASED = b"ticket", b"proof", b"kept answer", b"released answer"
_WORK_RECEIPT = b"question"  # as those under way are stored
_HEAD, _LINE = Struct(">HH"), Struct(">HH")  # status and number of headers; lengths of a header's name and value


class Purpose(Enum):
    """The purpose of a proof. A proof for one purpose is worthless for another."""

    LOGIN = "login"  # the application has run, and its answer is sealed
    DOOR = "door"  # the proof comes first, then the application runs
    PROTECT = "protect"  # a protected route needs a fresh proof
    MANAGE = "manage"  # the owner's own page of factors
    CONTACT = "contact"  # a sign-up: a code that was mailed to its address comes first, then the application runs


class Ticket(NamedTuple):
    """A step-up that was issued to a client.

    Attributes:
        challenge: 16 random bytes that name this step-up.
        purpose: see `Purpose`.
        door: the name of the door or the protected route; empty for the guard's own pages.
        account: exactly as the application reads it. For `CONTACT`: the mail address.
        account_digest: the account's digest in the counters, the same for all spellings of the account.
        receipt: the attempt's charge, packed; empty if nothing was charged.
        issued_ms: Unix time in milliseconds.
    """

    challenge: bytes
    purpose: Purpose
    door: str
    account: str
    account_digest: bytes = b""
    receipt: bytes = b""
    issued_ms: int = 0

    def __repr__(self) -> str:
        return f"Ticket(purpose={self.purpose.value}, ...)"


class Sealed(NamedTuple):
    """An application's whole answer."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def __repr__(self) -> str:
        # Its headers contain a session.
        return "Sealed(...)"


class Kept(NamedTuple):
    """The result of an escrowed run.

    Attributes:
        answer: the application's answer if it proved that the secret was right; otherwise None.
    """

    answer: Sealed | None

    def __repr__(self) -> str:
        # Must not reveal whether the password was right.
        return "Kept(...)"


class Escrow:
    """Issues tickets, keeps answers, and releases each answer once.

    Args:
        secrets: the first secret that signs and has not ended seals; all secrets that have not ended open.
        vault: keeps the answers.
        clock_ms: Unix time in milliseconds.
        names: the secrets for the keys of the vault, if they differ from `secrets`.
        has_log_outs: whether a browser's log-out may have ended a ticket.
        proofs_s: how long a proof may count, in seconds.
    """

    def __init__(
        self,
        secrets: Sequence[bytes | Signer],
        vault: Vault,
        *,
        clock_ms: Callable[[], int],
        names: Sequence[bytes | Signer] = (),
        has_log_outs: bool = True,
        proofs_s: int = 0,
    ) -> None:
        self._sealer = Sealer(secrets, clock_s=lambda: clock_ms() / 1000)
        self._keys = VaultKeys(names or secrets)
        self._vault = vault
        self._clock_ms = clock_ms
        self._has_log_outs = has_log_outs
        self._proofs_s = proofs_s

    # Tickets. The store keeps nothing for them.

    def issue(self, ticket: Ticket, browser_key: str) -> tuple[Ticket, str]:
        """Return the ticket with a random challenge and the current time, and its sealed text for the client."""
        ticket = ticket._replace(challenge=secrets.token_bytes(16), issued_ms=self._clock_ms())
        return ticket, self._text(_TICKET, ticket, browser_key)

    async def issue_for_session(self, ticket: Ticket, browser_key: str, session: bytes) -> tuple[Ticket, str]:
        """Issue a ticket as `issue` does, but let all requests of one session within ten minutes share one challenge.

        A request with a session costs the client nothing, while each challenge grants five attempts and forty reads of
        the owners' database. After a redemption the session gets another challenge, up to `PROOFS_MAX`.

        Args:
            ticket: without a challenge.
            browser_key: the key that the ticket will open with.
            session: names the session.
        """
        window = b"%d" % (self._clock_ms() // (TICKET_S * 1000))
        for number in range(PROOFS_MAX):
            name = self._keys.of(b"session asks", session, window, b"%d" % number)
            ticket = ticket._replace(challenge=name, issued_ms=self._clock_ms())
            # Without the store, the guard cannot check a proof either.
            with suppress(StoreUnavailable):
                if await self.is_redeemed(ticket):
                    continue
            break
        return ticket, self._text(_TICKET, ticket, browser_key)

    def read(self, text: str, browser_key: str) -> Ticket | None:
        """Return the ticket if it is genuine, belongs to this browser key and has not expired; otherwise None."""
        return self._opened(_TICKET, text, browser_key, TICKET_S)

    def receipt_of_proof(self, ticket: Ticket, browser_key: str) -> str:
        """Return a receipt for a client that repeats its request itself. It is valid once, for that request."""
        return self._text(_PROOF, ticket._replace(issued_ms=self._clock_ms()), browser_key)

    async def accept_proof(
        self, text: str, browser_key: str, *, door: str, account: str, purpose: Purpose = Purpose.DOOR
    ) -> bool:
        """Whether `text` is a receipt of a proof for this door, account and purpose. True once for each proof.

        Raises `StoreUnavailable`.
        """
        ticket = self._opened(_PROOF, text, browser_key, PROOF_S)
        wanted = (door, account, purpose)
        if ticket is None or (ticket.door, ticket.account, ticket.purpose) != wanted:
            return False
        if await self.was_ended(ticket, browser_key):
            return False
        return await self._vault.once(self._keys.of(b"proof used", ticket.challenge), seconds=PROOF_S + TICKET_S)

    # Entries by challenge. All methods raise `StoreUnavailable`.

    async def keep(self, ticket: Ticket, browser_key: str, kept: Kept) -> None:
        """Keep the result of the application's run, sealed, until a proof is shown. Raises `StoreUnavailable`."""
        sealed = self._sealer.seal(_ANSWER, _packed(kept), bound_to=_binding(ticket, browser_key))
        await self._vault.put(self._name(ticket), sealed, seconds=KEPT_S)

    async def begin(self, ticket: Ticket) -> None:
        """Record that the run of the application behind a ticket begins now. Raises `StoreUnavailable`."""
        await self._vault.put(self._keys.of(b"run begun", ticket.challenge), b"%d" % self._clock_ms(), seconds=KEPT_S)

    async def begun_ms(self, ticket: Ticket) -> int | None:
        """Return when the run behind a ticket began, Unix time in milliseconds; None while it waits in the queue.

        Raises `StoreUnavailable`.
        """
        at_ms = await self._vault.get(self._keys.of(b"run begun", ticket.challenge))
        return None if at_ms is None else int(at_ms)

    async def find(self, ticket: Ticket, browser_key: str) -> Kept | None:
        """Return the result of the run behind a ticket; None if there is none yet. Raises `StoreUnavailable`.

        A result that cannot be opened is returned as one without an answer, as behind a wrong secret.
        """
        sealed = await self._vault.get(self._name(ticket))
        return None if sealed is None else self._unpacked(sealed, ticket, browser_key)

    async def claim(self, ticket: Ticket) -> bool:
        """Mark a ticket as redeemed; return True for the first call only, even if many come at once.

        Raises `StoreUnavailable`.
        """
        return await self._vault.once(self._keys.of(b"redeemed", ticket.challenge), seconds=REMEMBERED_S)

    async def take(self, ticket: Ticket, browser_key: str) -> Sealed | None:
        """Remove and return the application's answer behind a ticket; None without one, or if the secret was wrong.

        Raises `StoreUnavailable`.
        """
        sealed = await self._vault.take(self._name(ticket))
        return None if sealed is None else self._unpacked(sealed, ticket, browser_key).answer

    async def keep_released(self, ticket: Ticket, browser_key: str, shown: bytes, answer: Sealed) -> None:
        """Keep a released answer for a client that shows the same proof for the same ticket again.

        Args:
            ticket: redeemed.
            browser_key: the key that the answer will open with.
            shown: the proof as received. The answer does not open without it.
            answer: everything that was sent, including the device token.
        """
        sealed = self._sealer.seal(_RELEASED, _packed(Kept(answer)), bound_to=_binding(ticket, browser_key) + shown)
        await self._vault.put(self._keys.of(b"released", ticket.challenge), sealed, seconds=REPEAT_S)

    async def released(self, ticket: Ticket, browser_key: str, shown: bytes) -> Sealed | None:
        """Return the answer that was just released for the same proof; None if there is none."""
        sealed = await self._vault.get(self._keys.of(b"released", ticket.challenge))
        try:
            opened = self._sealer.open(_RELEASED, sealed or b"", bound_to=_binding(ticket, browser_key) + shown)
        except Unsealable:
            return None
        return _kept(opened).answer

    async def keep_work_receipt(self, ticket: Ticket, browser_key: str, receipt: bytes) -> None:
        """Keep the receipt for the charge of a question that was answered with work, until a proof is shown.

        `take_work_receipt` returns it, so that a proof brings that charge back. Raises `StoreUnavailable`.
        """
        sealed = self._sealer.seal(_WORK_RECEIPT, receipt, bound_to=_binding(ticket, browser_key))
        await self._vault.put(self._keys.of(_WORK_RECEIPT, ticket.challenge), sealed, seconds=KEPT_S)

    async def take_work_receipt(self, ticket: Ticket, browser_key: str) -> bytes:
        """Remove and return the receipt that `keep_work_receipt` kept for a ticket; empty without one.

        Raises `StoreUnavailable`.
        """
        sealed = await self._vault.take(self._keys.of(_WORK_RECEIPT, ticket.challenge))
        try:
            return self._sealer.open(_WORK_RECEIPT, sealed or b"", bound_to=_binding(ticket, browser_key))
        except Unsealable:
            return b""

    async def may_call(self, ticket: Ticket) -> bool:
        """Count a call with a ticket; return whether it had any of its `CALLS_MAX` calls left.

        Raises `StoreUnavailable`.
        """
        return await self._vault.count(self._keys.of(b"calls", ticket.challenge), seconds=TICKET_S) <= CALLS_MAX

    async def end_all(self, account_digest: bytes) -> None:
        """End all pending step-ups and proofs of an account: after a change of password, or at an operator's word."""
        now = b"%d" % self._clock_ms()
        await self._vault.put(self._keys.of(b"ended", account_digest), now, seconds=max(KEPT_S, self._proofs_s))

    async def ended_since(self, account_digest: bytes, proved_s: int) -> bool:
        """Whether `end_all` ended the account's proofs after one was shown at `proved_s`, Unix time in seconds.

        Raises `StoreUnavailable`.
        """
        at_ms = await self._mark_ms(b"ended", account_digest)
        return at_ms is not None and proved_s * 1000 <= at_ms + SKEW_MS

    async def end_browser(self, browser_key: str, session: bytes) -> None:
        """End all step-ups that were issued to a browser, after a log-out; a few times only for each session.

        Raises `StoreUnavailable`.

        A client with one session must not fill the store with keys that it makes up.
        """
        if await self._vault.count(self._keys.of(b"log-outs", session), seconds=KEPT_S) > PROOFS_MAX:
            return
        await self._vault.put(self._keys.of(b"logged out", browser_key), b"%d" % self._clock_ms(), seconds=KEPT_S)

    async def is_over(self, ticket: Ticket, browser_key: str) -> bool:
        """Whether a ticket was redeemed or ended, see `was_ended`. Raises `StoreUnavailable`."""
        return await self.is_redeemed(ticket) or await self.was_ended(ticket, browser_key)

    async def is_redeemed(self, ticket: Ticket) -> bool:
        return await self._vault.get(self._keys.of(b"redeemed", ticket.challenge)) is not None

    async def was_ended(self, ticket: Ticket, browser_key: str) -> bool:
        """Whether the step-ups of the ticket's account or browser were ended after it was issued (CVE-2026-9798).

        Raises `StoreUnavailable`.
        """
        at_ms = await self._mark_ms(b"ended", ticket.account_digest)
        if at_ms is not None and ticket.issued_ms <= at_ms + SKEW_MS:
            return True
        # Without the skew: the same person may log in again at once.
        out_ms = await self._mark_ms(b"logged out", browser_key) if self._has_log_outs else None
        return out_ms is not None and ticket.issued_ms <= out_ms

    async def _mark_ms(self, name: bytes, whose: bytes | str) -> int | None:
        """Return the Unix time of a mark in milliseconds; None if there is none. Raises `StoreUnavailable`.

        A mark of the future was set before the clock was set back: then the time at which it was first read since. By
        its own, it would end all that is issued until the clock has caught up. It is not replaced: at a worker whose
        clock alone is behind, what the others have issued stays ended for them.
        """
        mark = await self._vault.get(self._keys.of(name, whose))
        now_ms = self._clock_ms()
        if mark is None or int(mark) <= now_ms + AHEAD_MS:
            return None if mark is None else int(mark)
        seen = self._keys.of(b"seen again", name, whose)
        seen_ms = await self._vault.get(seen)
        if seen_ms is not None and int(seen_ms) <= now_ms + AHEAD_MS:
            return int(seen_ms)
        await self._vault.put(seen, b"%d" % now_ms, seconds=max(KEPT_S, self._proofs_s))
        return now_ms

    def _name(self, ticket: Ticket) -> bytes:
        return self._keys.of(b"escrow", ticket.challenge)

    def _text(self, purpose: bytes, ticket: Ticket, browser_key: str) -> str:
        data = _packed_ticket(ticket)
        padded = data + b" " * (-len(data) % _PAD)
        return urlsafe_b64encode(self._sealer.seal(purpose, padded, bound_to=bind(browser_key.encode()))).decode()

    def _opened(self, purpose: bytes, text: str, browser_key: str, seconds: int) -> Ticket | None:
        if len(text) > TICKET_CHARS_MAX or not browser_key:
            return None
        try:
            packed = self._sealer.open(purpose, urlsafe_b64decode(text), bound_to=bind(browser_key.encode()))
        except (Unsealable, Base64Error, ValueError):
            return None
        ticket = _ticket(json.loads(packed))
        age_ms = self._clock_ms() - ticket.issued_ms
        return ticket if -AHEAD_MS <= age_ms < seconds * 1000 else None

    def _unpacked(self, sealed: bytes, ticket: Ticket, browser_key: str) -> Kept:
        try:
            return _kept(self._sealer.open(_ANSWER, sealed, bound_to=_binding(ticket, browser_key)))
        except Unsealable:
            return Kept(None)


def _binding(ticket: Ticket, browser_key: str) -> bytes:
    account = utf8(ticket.account)
    return bind(ticket.challenge, ticket.door.encode(), account, browser_key.encode())


def _packed_ticket(ticket: Ticket) -> bytes:
    challenge, purpose, door, account, account_digest, receipt, issued_ms = ticket
    parts = [challenge.hex(), purpose.value, door, account, account_digest.hex(), receipt.hex(), issued_ms]
    return json.dumps(parts).encode()


def _ticket(parts: list[Any]) -> Ticket:
    challenge, purpose, door, account, account_digest, receipt, issued_ms = parts
    unhex = bytes.fromhex
    return Ticket(unhex(challenge), Purpose(purpose), door, account, unhex(account_digest), unhex(receipt), issued_ms)


def headers_bytes(headers: Sequence[Header]) -> int:
    """The length of headers as they are kept, which is their length on the wire."""
    return sum(len(name) + len(value) + _LINE.size for name, value in headers)


def _packed(kept: Kept) -> bytes:
    """Pack a result. The packed length is known in advance; an answer that did not fit would be lost."""
    if kept.answer is None:
        return b""
    status, headers, body = kept.answer
    lines = (_LINE.pack(len(name), len(value)) + name + value for name, value in headers)
    return _HEAD.pack(status, len(headers)) + b"".join(lines) + body


def _kept(packed: bytes) -> Kept:
    if not packed:
        return Kept(None)
    status, count = _HEAD.unpack_from(packed)
    at, headers = _HEAD.size, []
    for _ in range(count):
        name_bytes, value_bytes = _LINE.unpack_from(packed, at)
        at += _LINE.size
        middle, end = at + name_bytes, at + name_bytes + value_bytes
        headers.append((packed[at:middle], packed[middle:end]))
        at = end
    return Kept(Sealed(status, tuple(headers), packed[at:]))
